/* host-source.c - a source in the process of its own: the engine's feed, whose commits go to the daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "base/thread.h"
#include "core/host-part.h"
#include "event/event.h"

static struct host *host_of_feed(const struct feed *f)
{
	return host_of(&f->self);
}

static void put_text(char *to, size_t size, struct pb_span from)
{
	size_t len = from.len < size - 1 ? from.len : size - 1;
	if (len > 0)
		memcpy(to, from.data, len);
	to[len] = '\0';
}

/* What was waited for. The lock is held. */

static void take_receipt(struct host *h, const struct message *m)
{
	struct emission *e = &h->feed.closed;
	for (size_t i = 0; i < m->duplicates.n && i < e->n_events; i++)
		if (m->duplicates.at[i].data != NULL)
			e->claims[i].first = strndup(m->duplicates.at[i].data, m->duplicates.at[i].len);
	put_text(h->reason, sizeof h->reason, m->reason);
	h->result = m->outcome == PB_ACCEPTED ? 0 : m->retry ? -ENOSPC : -EMSGSIZE;
}

static void take_mark(struct host *h, const struct message *m)
{
	buf_reset(&h->mark);
	buf_add(&h->mark, m->mark.data, m->mark.len);
	h->result = m->mark.data == NULL ? -ENOENT : h->mark.failed;
}

static bool take_answer(struct host *h, const struct message *m)
{
	pthread_mutex_lock(&h->lock);
	bool right = h->waits && (m->kind == MESSAGE_MARK || m->token == h->token);
	if (right && m->kind == MESSAGE_MARK)
		take_mark(h, m);
	else if (right)
		take_receipt(h, m);
	h->waits = !right;
	pthread_cond_broadcast(&h->came);
	pthread_mutex_unlock(&h->lock);
	return right;
}

/* Send the question and wait for its answer; in open() the main thread asks, and reads itself. */
static int ask(struct host *h, const struct message *m)
{
	pthread_mutex_lock(&h->lock);
	h->waits = true;
	bool running = h->running;
	pthread_mutex_unlock(&h->lock);
	host_send(h, m);
	while (!running && h->waits) {
		struct message answer;
		if (host_next(h, &answer) == 0) {
			host_fill(h, -1);
			continue;
		}
		if (answer.kind != MESSAGE_MARK || !take_answer(h, &answer))
			host_end("asked for a mark, and was told something else");
		message_free(&answer);
	}
	pthread_mutex_lock(&h->lock);
	while (h->waits)
		pthread_cond_wait(&h->came, &h->lock);
	int result = h->result;
	pthread_mutex_unlock(&h->lock);
	return result;
}

/* What each event is known by: its key behind a `k`; `i`: its id, which a sender gave; nil: nothing. */
static bool add_keys(struct host *h, struct message_list *list)
{
	const struct emission *e = &h->feed.closed;
	buf_reset(&h->keys);
	for (size_t i = 0; i < e->n_events; i++) {
		struct pb_span key = event_key(e->events[i]);
		if (key.data == NULL)
			continue;
		buf_add_char(&h->keys, 'k');
		buf_add(&h->keys, key.data, key.len);
	}
	const char *at = h->keys.data;
	for (size_t i = 0; i < e->n_events; i++) {
		struct pb_span key = event_key(e->events[i]);
		if (key.data != NULL) {
			message_list_add(list, span_of(at, key.len + 1));
			at += key.len + 1;
		} else {
			message_list_add(list, event_id_is_ours(e->events[i]) ? SPAN_NONE : span_of("i", 1));
		}
	}
	return h->keys.failed == 0;
}

/* Who sent each, unless nobody knows of any. They stay the events'. */
static void add_senders(const struct emission *e, struct message_list *list)
{
	bool any = false;
	for (size_t i = 0; i < e->n_events && !any; i++)
		any = *event_sender(e->events[i]) != '\0';
	for (size_t i = 0; i < e->n_events && any; i++)
		message_list_add(list, span_str(event_sender(e->events[i])));
}

static int remote_run(struct feed *f)
{
	struct host *h = host_of_feed(f);
	struct message m = { .kind = MESSAGE_EMIT, .token = ++h->token, .records = f->entry.records };
	bool fits = m.records.len < h->link.out.limit / 2 - (1u << 20) && add_keys(h, &m.keys);
	add_senders(&h->feed.closed, &m.senders);
	int result = fits ? ask(h, &m) : -EMSGSIZE;
	message_list_free(&m.keys);
	message_list_free(&m.senders);
	f->held = result == -ENOSPC ? h->reason : NULL;
	return result;
}

static void remote_wait_room(struct feed *f, int64_t ms)
{
	struct host *h = host_of_feed(f);
	pthread_mutex_lock(&h->lock);
	if (!atomic_load(&f->stopping))
		cond_wait_ms(&h->came, &h->lock, ms);
	pthread_mutex_unlock(&h->lock);
}

static int remote_restore(struct feed *f, const char *key, struct buf *to)
{
	struct host *h = host_of_feed(f);
	struct message m = { .kind = MESSAGE_RESTORE, .key = span_str(key) };
	int result = ask(h, &m);
	return result < 0 ? result : buf_add(to, h->mark.data, h->mark.len);
}

static const struct feed_store remote_store = {
	.run = remote_run, .wait_room = remote_wait_room, .restore = remote_restore,
};

void host_source_init(struct host *h, unsigned worker)
{
	pthread_mutex_init(&h->lock, NULL);
	cond_init(&h->came);
	feed_init(&h->feed, h->config, h->use, &h->env, worker);
	h->feed.store = &remote_store;
	h->feed.told = true;
	h->self = &h->feed.self;
}

bool host_source_start(struct host *h)
{
	h->running = true;
	return feed_start(&h->feed) == 0;
}

bool host_source_take(struct host *h, const struct message *m)
{
	if (m->kind == MESSAGE_RECEIPT || m->kind == MESSAGE_MARK)
		return take_answer(h, m);
	if (m->kind == MESSAGE_REOPEN) {
		feed_reopen(&h->feed);
		return true;
	}
	if (m->kind != MESSAGE_STOP)
		return false;
	pthread_mutex_lock(&h->lock);
	feed_stop(&h->feed);
	pthread_cond_broadcast(&h->came);
	pthread_mutex_unlock(&h->lock);
	return true;
}

/* Its thread has ended when the daemon's last word is taken: see serve(). */
void host_source_stop(struct host *h)
{
	h->feed.started = false;
}

void host_source_fini(struct host *h)
{
	feed_fini(&h->feed);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->came);
}
