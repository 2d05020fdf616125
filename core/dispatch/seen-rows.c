/* seen-rows.c - keys on their way into the state, and out of it. The router's thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/step.h"
#include "dispatch/seen.h"

#define SWEEP_ROWS 4096		/* that go with one save, beside as many as come */
#define PRESSING (SEEN_WAITING_MAX / 4)

static struct seen_source *source_of(struct seen_keys *s, uint32_t number)
{
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].number == number)
			return &s->sources[i];
	return NULL;
}

static struct seen_source *add_source(struct seen_keys *s, uint32_t number)
{
	s->sources = xrealloc(s->sources, s->n_sources + 1, sizeof *s->sources);
	struct seen_source *source = &s->sources[s->n_sources++];
	*source = (struct seen_source){ .number = number };
	return source;
}

void seen_watch(struct seen_keys *s, uint32_t number, int64_t within_ms, uint64_t most)
{
	struct seen_source *source = source_of(s, number);
	if (source == NULL && within_ms == 0)
		return;
	if (source == NULL)
		source = add_source(s, number);
	source->within_ms = within_ms;
	source->most = within_ms > 0 ? most : 0;
}

void seen_watch_none(struct seen_keys *s)
{
	for (size_t i = 0; i < s->n_sources; i++)
		s->sources[i].within_ms = s->sources[i].most = 0;
}

static bool count_row(void *arg, const struct seen_row *row)
{
	struct seen_keys *s = arg;
	struct seen_source *source = source_of(s, row->source);
	if (source == NULL)
		source = add_source(s, row->source);	/* it has no `dedupe` any more: they go */
	source->rows++;
	return true;
}

static void make_secret(struct seen_keys *s)
{
	ssize_t n;
	do {
		n = getrandom(s->secret, sizeof s->secret, 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof s->secret)
		abort();	/* senders could make keys meet */
}

int seen_start(struct seen_keys *s, struct state_batch *to, bool *made)
{
	int failed = rows_each_seen(s->state, 0, 0, count_row, s);
	*made = false;
	if (failed == 0)
		failed = rows_get_secret(s->state, s->secret);
	if (failed != -ENOENT && failed != -EBADMSG)
		return failed;
	make_secret(s);
	rows_put_secret(to, s->secret);
	*made = true;
	return 0;
}

struct sweep {
	struct seen_source *source;
	struct state_batch *to;
	int64_t now_ms;
	uint64_t excess;	/* too many */
	size_t room;
};

static bool is_old(const struct sweep *w, const struct seen_row *row)
{
	int64_t age = w->now_ms - row->at_ms;
	return age >= w->source->within_ms || -age >= w->source->within_ms;
}

static bool sweep_row(void *arg, const struct seen_row *row)
{
	struct sweep *w = arg;
	struct seen_source *source = w->source;
	bool old = row->source == source->number && is_old(w, row);
	if (row->source != source->number || w->room-- == 0 || (!old && w->excess == 0))
		return false;
	rows_del_seen(w->to, row);
	step_at("seen: an old key's row goes");
	source->swept = row->seq + 1;
	source->rows -= source->rows > 0;
	source->forgotten += !old;
	w->excess -= w->excess > 0;
	return true;
}

static void sweep(struct seen_keys *s, struct seen_source *source, struct state_batch *to, size_t coming)
{
	struct sweep w = { .source = source, .to = to, .now_ms = seen_now(s), .room = coming + SWEEP_ROWS };
	w.excess = source->rows > source->most ? source->rows - source->most : 0;
	if (source->rows > 0)
		rows_each_seen(s->state, source->number, source->swept, sweep_row, &w);
}

static void put(struct seen_keys *s, struct state_batch *to, const struct seen_entry *e)
{
	struct seen_row row = { .seq = e->seq, .at_ms = e->at_ms, .id = { e->id, strlen(e->id) } };
	memcpy(&row.source, e->key, 4);
	memcpy(row.hash, e->key + 4, SEEN_HASH);
	rows_put_seen(to, &row);
	step_at("seen: a key's row gathered");
	struct seen_source *source = source_of(s, row.source);
	assert(source != NULL);
	source->rows++;
}

void seen_gather(struct seen_keys *s, struct state_batch *to, uint64_t until)
{
	size_t coming = 0;
	pthread_mutex_lock(&s->lock);
	struct seen_entry *e = s->unsaved;
	pthread_mutex_unlock(&s->lock);
	/* What is listed is the router's to unlist: it stays as it is, but for the end. */
	while (e != NULL && e->seq < until) {
		put(s, to, e);
		coming++;
		pthread_mutex_lock(&s->lock);
		e = s->unsaved = e->next;
		pthread_mutex_unlock(&s->lock);
	}
	atomic_fetch_sub_explicit(&s->waiting, coming, memory_order_relaxed);
	for (size_t i = 0; i < s->n_sources; i++)
		sweep(s, &s->sources[i], to, coming);
	s->due = false;
}

bool seen_wants(const struct seen_keys *s)
{
	return s->due || atomic_load_explicit(&s->waiting, memory_order_relaxed) > 0;
}

bool seen_presses(const struct seen_keys *s)
{
	return atomic_load_explicit(&s->waiting, memory_order_relaxed) > PRESSING;
}

struct peek {
	struct sweep sweep;
	bool due;
};

static bool peek_row(void *arg, const struct seen_row *row)
{
	struct peek *p = arg;
	p->due = row->source == p->sweep.source->number && is_old(&p->sweep, row);
	return false;
}

void seen_tick(struct seen_keys *s)
{
	for (size_t i = 0; i < s->n_sources && !s->due; i++) {
		struct seen_source *source = &s->sources[i];
		struct peek p = { .sweep = { .source = source, .now_ms = seen_now(s) } };
		if (source->rows > source->most)
			s->due = true;
		else if (source->rows > 0 &&
			 rows_each_seen(s->state, source->number, source->swept, peek_row, &p) == 0)
			s->due = p.due;
	}
}

void seen_count(struct seen_keys *s, uint32_t number, uint64_t *keys, uint64_t *forgotten)
{
	const struct seen_source *source = source_of(s, number);
	*keys = source != NULL ? source->rows : 0;
	*forgotten = source != NULL ? source->forgotten : 0;
}
