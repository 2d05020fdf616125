/* isolate-source.c - a source in a process of its own: its commits come in frames, and each gets its receipt. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/span.h"
#include "dispatch/isolate.h"
#include "event/codec.h"
#include "event/event.h"
#include "journal/block.h"
#include "state/records.h"

#define COMMIT_AT (1u << 20)	/* bytes pending: no more is taken before they are committed */
#define UNREAD_MAX (1u << 20)	/* bytes of receipts: a process that reads none is no source */

struct isolated_source {
	struct isolated iso;
	struct feed *feed;
};

void *isolate_source_open(struct pb_self *self, struct pb_error *err)
{
	struct isolated_source *s = xcalloc(1, sizeof *s);
	isolated_init(&s->iso, self);
	s->feed = self->feed;
	if (isolated_start(&s->iso, NULL, err))
		return s;
	isolated_fini(&s->iso);
	free(s);
	return NULL;
}

/* What one frame has. */
struct emission_read {
	struct pb_event **events;
	size_t n, room;
	struct pb_mark *marks;	/* their keys are ours to free */
	size_t n_marks;
};

static void emission_read_free(struct emission_read *e)
{
	for (size_t i = 0; i < e->n_marks; i++)
		free((char *)e->marks[i].key);
	free(e->marks);
	free(e->events);
}

static bool add_event(struct emission_read *e, struct pb_span packed, const struct message *m, size_t max_event)
{
	struct pb_event *ev = e->n < m->keys.n ? codec_unpack(packed) : NULL;
	struct pb_span key = e->n < m->keys.n ? m->keys.at[e->n] : SPAN_NONE;
	struct pb_span sender = e->n < m->senders.n ? m->senders.at[e->n] : SPAN_NONE;
	if (ev == NULL)
		return false;
	if (e->n == e->room) {
		e->room = e->room * 2 + 16;
		e->events = xrealloc(e->events, e->room, sizeof(struct pb_event *));
	}
	e->events[e->n++] = ev;
	event_set_id_ours(ev, key.data == NULL);
	return event_body(ev).len <= max_event && event_set_sender(ev, sender) == 0 &&
	       (key.len == 0 || event_set_key(ev, span_of((const char *)key.data + 1, key.len - 1)) == 0);
}

static bool add_marks(struct emission_read *e, struct pb_span data)
{
	struct mark m;
	size_t at = 0;
	while (marks_next(data, &at, &m)) {
		char *key = xcalloc(m.key.len + 1, 1);
		memcpy(key, m.key.data, m.key.len);
		e->marks = xrealloc(e->marks, e->n_marks + 1, sizeof *e->marks);
		e->marks[e->n_marks++] = (struct pb_mark){ key, m.value };
	}
	return at == data.len;
}

static bool read_emission(struct emission_read *e, const struct message *m, size_t max_event)
{
	struct pb_span data;
	uint32_t kind;
	size_t at = 0;
	bool right = true;
	while (right && block_record(m->records, &at, &kind, &data))
		right = kind == RECORD_EVENT ? add_event(e, data, m, max_event) :
			kind == RECORD_MARK && add_marks(e, data);
	return right && at == m->records.len && e->n == m->keys.n;
}

static bool take_emission(struct isolated_source *s, const struct message *m)
{
	struct emission_read e = { 0 };
	bool right = m->records.data != NULL && read_emission(&e, m, s->iso.self->env->max_event);
	if (right)
		feed_take(s->feed, e.events, e.n, e.marks, e.n_marks, (void *)(intptr_t)m->token);
	for (size_t i = 0; i < e.n && !right; i++)
		event_unref(e.events[i]);
	emission_read_free(&e);
	if (s->feed->open.records.len >= COMMIT_AT)
		feed_commit(s->feed);
	return right && link_waiting(&s->iso.link) < UNREAD_MAX;
}

/* The words stay: whoever has a status reads them. */
static void note_state(struct isolated_source *s, bool up)
{
	atomic_store(&s->feed->doing, up ? "running" : "paused");
	if (!up)
		atomic_store(&s->feed->reason, "its process ended, see the log");
}

static void lost(struct isolated_source *s, const char *wrong)
{
	if (!s->iso.leaving)
		note_state(s, false);
	isolated_lost(&s->iso, wrong);
}

/* What is there of what it said. */
static void take_all(struct isolated_source *s)
{
	struct message m;
	int got;
	while ((got = isolated_next(&s->iso, &m)) == 1) {
		bool right = m.kind == MESSAGE_EMIT && take_emission(s, &m);
		message_free(&m);
		if (!right)
			break;
	}
	if (got != 0)
		lost(s, "said what no source says");
}

/* There is something to read; the end of the process is seen here. */
static void receive(struct isolated_source *s)
{
	long n = isolated_fill(&s->iso);
	if (n == 0 || (n < 0 && n != -EAGAIN))
		lost(s, NULL);
	else
		take_all(s);
}

static void tell(struct isolated_source *s)
{
	int failed = link_flush(&s->iso.link);
	if (failed < 0 && failed != -EAGAIN)
		lost(s, NULL);
}

static bool is_stopping(const struct isolated *i)
{
	return atomic_load(&i->self->feed->stopping);
}

/* The next one, after the pause. */
static void restart(struct isolated_source *s)
{
	struct pb_error err;
	int64_t left = s->iso.start_at - isolated_now(&s->iso);
	if (left > 0) {
		feed_wait(s->feed, -1, left);
		return;
	}
	feed_commit(s->feed);		/* a receipt of what the last one said is not for the next */
	error_init(&err);
	if (isolated_start(&s->iso, is_stopping, &err)) {
		note_state(s, true);
		take_all(s);		/* it may have come with the first */
	} else if (!is_stopping(&s->iso))
		log_write(PB_ERROR, s->iso.self->title, "cannot be opened again: %s", error_text(&err));
	error_free(&err);
}

/* It is told to stop, and what it has left to say is heard. */
static void finish(struct isolated_source *s)
{
	int64_t until = isolated_now(&s->iso) + isolated_ms(&s->iso, "isolate_stop"), left;
	isolated_leave(&s->iso);
	while (s->iso.up && (left = until - isolated_now(&s->iso)) > 0) {
		link_flush(&s->iso.link);
		struct pollfd p = { .fd = isolated_fd(&s->iso), .events = POLLIN };
		if (poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left) > 0)
			receive(s);
		feed_commit(s->feed);
	}
	if (s->iso.up)
		lost(s, "did not end within isolate_stop, and was killed");
}

int isolate_source_run(void *state)
{
	struct isolated_source *s = state;
	if (s->iso.up)
		take_all(s);
	while (!is_stopping(&s->iso)) {
		if (!s->iso.up) {
			restart(s);
			continue;
		}
		tell(s);
		if (s->iso.up && feed_wait(s->feed, isolated_fd(&s->iso), -1) == 1)
			receive(s);
	}
	if (s->iso.up)
		finish(s);
	return 0;
}

/* One that is not to be tried again by the process, which would do that at once, says so. */
void isolate_source_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct isolated_source *s = state;
	struct message m = {
		.kind = MESSAGE_RECEIPT, .token = (int64_t)(intptr_t)token, .outcome = receipt->outcome,
		.retry = receipt->outcome == PB_FAILED && !receipt->never, .reason = span_str(receipt->reason),
	};
	if (!s->iso.up)
		return;
	for (size_t i = 0; i < receipt->unit->n; i++) {
		const char *first = receipt->outcome == PB_ACCEPTED ? receipt_first(receipt, i) : NULL;
		while (first != NULL && m.duplicates.n < i)
			message_list_add(&m.duplicates, SPAN_NONE);
		if (first != NULL)
			message_list_add(&m.duplicates, span_str(first));
	}
	link_add(&s->iso.link, &m);
	message_list_free(&m.duplicates);
}

void isolate_source_reopen(void *state)
{
	struct isolated_source *s = state;
	struct message m = { .kind = MESSAGE_REOPEN, .level = log_shown() };
	if (s->iso.up)
		link_add(&s->iso.link, &m);
}

void isolate_source_close(void *state)
{
	struct isolated_source *s = state;
	if (s->iso.up)
		finish(s);	/* it never ran */
	isolated_fini(&s->iso);
	free(s);
}
