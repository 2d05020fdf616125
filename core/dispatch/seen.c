/* seen.c - keys in memory, and how a commit leaves out repeats. */
#include "dispatch/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/siphash.h"
#include "base/step.h"
#include "dispatch/commit.h"
#include "event/event.h"

static_assert(SIPHASH_SIZE == SEEN_HASH && SIPHASH_KEY == SEEN_SECRET, "rows hold a siphash");

void seen_init(struct seen_keys *s, struct state *state, const struct clock *clock, int64_t wall_offset)
{
	*s = (struct seen_keys){ .state = state, .clock = clock, .wall_offset = wall_offset };
	s->last = &s->first;
	s->writing_last = &s->writing;
	pthread_mutex_init(&s->lock, NULL);
}

static void list_free(struct seen_entry *e)
{
	for (struct seen_entry *next; e != NULL; e = next) {
		next = e->next;
		free(e);
	}
}

void seen_fini(struct seen_keys *s)
{
	HASH_CLEAR(hh, s->entries);
	list_free(s->first);
	list_free(s->writing);
	free(s->sources);
	pthread_mutex_destroy(&s->lock);
}

int64_t seen_now(const struct seen_keys *s)
{
	return clock_mono(s->clock) + s->wall_offset;
}

/* A clock that was set by more than that, either way, makes one forgotten. */
static bool is_fresh(int64_t at_ms, int64_t within_ms, int64_t now_ms)
{
	return now_ms - at_ms < within_ms && at_ms - now_ms < within_ms;
}

static void entry_key(unsigned char key[static 4 + SEEN_HASH], uint32_t source, const unsigned char *hash)
{
	memcpy(key, &source, 4);
	memcpy(key + 4, hash, SEEN_HASH);
}

/* Called with the lock held. */
static struct seen_entry *find(struct seen_keys *s, uint32_t source, const unsigned char *hash)
{
	unsigned char key[4 + SEEN_HASH];
	struct seen_entry *e;
	entry_key(key, source, hash);
	HASH_FIND(hh, s->entries, key, sizeof key, e);
	return e;
}

static struct seen_entry *entry_new(uint32_t source, const unsigned char *hash, const struct pb_event *ev,
				    int64_t at_ms)
{
	const char *id = event_id(ev);
	struct seen_entry *e = xcalloc(1, sizeof *e + strlen(id) + 1);
	*e = (struct seen_entry){ .hashed = true, .event = ev, .at_ms = at_ms };
	entry_key(e->key, source, hash);
	memcpy(e->id, id, strlen(id));
	return e;
}

/* In the place of `old`, which may be NULL. Called with the lock held. */
static void put_in_place(struct seen_keys *s, struct seen_entry *old, struct seen_entry *e)
{
	if (old != NULL) {
		HASH_DEL(s->entries, old);
		old->hashed = false;
	}
	HASH_ADD(hh, s->entries, key, sizeof e->key, e);
}

/* Called with the lock held. */
static void list(struct seen_keys *s, struct seen_entry *e)
{
	e->event = NULL;
	*s->last = e;
	s->last = &e->next;
	s->n++;
	if (s->unsaved == NULL)
		s->unsaved = e;
	atomic_fetch_add_explicit(&s->waiting, 1, memory_order_relaxed);
}

static char *find_saved(struct seen_keys *s, uint32_t source, const unsigned char *hash, int64_t within_ms,
			int64_t now_ms)
{
	struct buf id = BUF_INIT(BUF_MAX);
	struct seen_row row;
	int r = rows_find_seen(s->state, source, hash, &row, &id);
	if (r == 0 && is_fresh(row.at_ms, within_ms, now_ms))
		return buf_take(&id);
	buf_free(&id);
	return NULL;
}

void seen_look(struct seen_keys *s, uint32_t source, int64_t within_ms, struct pb_span key, struct seen_claim *c)
{
	int64_t now = seen_now(s);
	c->keyed = true;
	siphash(s->secret, key.data, key.len, c->hash);
	pthread_mutex_lock(&s->lock);
	const struct seen_entry *e = find(s, source, c->hash);
	bool known = e != NULL && e->event == NULL && is_fresh(e->at_ms, within_ms, now);
	bool here = e != NULL;
	c->looked = s->dropped;
	if (known)
		c->first = xstrdup(e->id);
	pthread_mutex_unlock(&s->lock);
	/* What is not here may have been saved; who is here is the newest. */
	if (!here)
		c->first = find_saved(s, source, c->hash, within_ms, now);
	c->sure = c->first != NULL;
	if (c->sure)
		step_at("seen: a repeat is known");
}

/* One that is no repeat for all that was known when it was emitted. */
static void sift_one(struct seen_keys *s, const struct seen_batch *b, struct seen_claim *c, const struct pb_event *ev,
		     int64_t now)
{
	pthread_mutex_lock(&s->lock);
	struct seen_entry *e = find(s, b->source, c->hash);
	bool went = s->dropped != c->looked;
	if (e != NULL && is_fresh(e->at_ms, b->within_ms, now))
		c->first = xstrdup(e->id);
	pthread_mutex_unlock(&s->lock);
	if (e == NULL && went)
		c->first = find_saved(s, b->source, c->hash, b->within_ms, now);
	if (c->first != NULL)
		return;
	struct seen_entry *mine = entry_new(b->source, c->hash, ev, now);
	pthread_mutex_lock(&s->lock);
	put_in_place(s, find(s, b->source, c->hash), mine);
	pthread_mutex_unlock(&s->lock);
	*s->writing_last = mine;
	s->writing_last = &mine->next;
	s->writing_n++;
}

/* Copy what is no repeat. 0, -ENOMEM. */
static int leave_out(struct seen_batch *b, struct commit_entry *entry)
{
	const char *from = b->records.data;
	size_t done = 0, n = 0;
	if (b->n > b->room) {
		b->room = b->n;
		b->stored = xrealloc(b->stored, b->room, sizeof *b->stored);
	}
	buf_reset(&b->rest);
	b->rest.limit = BUF_MAX;
	for (size_t i = 0; i < b->n; i++) {
		const struct seen_claim *c = &b->claims[i];
		if (c->first == NULL) {
			b->stored[n++] = b->events[i];
		} else if (!c->sure) {
			buf_add(&b->rest, from + done, c->begin - done);
			done = c->end;
		}
	}
	if (done > 0) {
		buf_add(&b->rest, from + done, b->records.len - done);
		entry->records = buf_span(&b->rest);
	}
	entry->events = b->stored;
	entry->n = n;
	return b->rest.failed;
}

int seen_sift(struct seen_keys *s, struct commit_entry *entry, int64_t now)
{
	struct seen_batch *b = entry->seen;
	bool repeats = false;
	entry->records = b->records;
	entry->events = b->events;
	entry->n = b->n;
	for (size_t i = 0; i < b->n; i++) {
		struct seen_claim *c = &b->claims[i];
		if (c->keyed && !c->sure) {
			free(c->first);
			c->first = NULL;
			sift_one(s, b, c, b->events[i], now);
		}
		repeats = repeats || c->first != NULL;
	}
	size_t waits = atomic_load_explicit(&s->waiting, memory_order_relaxed);
	if (s->writing_n > 0 && waits + s->writing_n > SEEN_WAITING_MAX)
		return -ENOBUFS;
	return repeats ? leave_out(b, entry) : 0;
}

static void writing_done(struct seen_keys *s)
{
	s->writing = NULL;
	s->writing_last = &s->writing;
	s->writing_n = 0;
}

void seen_written(struct seen_keys *s)
{
	pthread_mutex_lock(&s->lock);
	for (struct seen_entry *e = s->writing, *next; e != NULL; e = next) {
		next = e->next;
		e->next = NULL;
		e->seq = event_seq(e->event);
		list(s, e);
	}
	pthread_mutex_unlock(&s->lock);
	writing_done(s);
}

void seen_undo(struct seen_keys *s)
{
	pthread_mutex_lock(&s->lock);
	for (struct seen_entry *e = s->writing; e != NULL; e = e->next)
		HASH_DEL(s->entries, e);
	pthread_mutex_unlock(&s->lock);
	list_free(s->writing);
	writing_done(s);
}

void seen_recall(struct seen_keys *s, const unsigned char hash[static SEEN_HASH], const struct pb_event *ev,
		 int64_t at_ms)
{
	uint32_t source = event_origin(ev);
	for (size_t i = 0; i < s->n_sources; i++) {
		if (s->sources[i].number != source || !is_fresh(at_ms, s->sources[i].within_ms, seen_now(s)))
			continue;
		struct seen_entry *e = entry_new(source, hash, ev, at_ms);
		e->seq = event_seq(ev);
		pthread_mutex_lock(&s->lock);
		put_in_place(s, find(s, source, hash), e);
		list(s, e);
		pthread_mutex_unlock(&s->lock);
	}
}

void seen_saved(struct seen_keys *s, uint64_t until)
{
	step_at("seen: keys are in the state");
	pthread_mutex_lock(&s->lock);
	for (struct seen_entry *e; (e = s->first) != s->unsaved && e->seq < until; ) {
		s->first = e->next;
		if (e->hashed)
			HASH_DEL(s->entries, e);
		free(e);
		s->n--;
		s->dropped++;
	}
	if (s->first == NULL)
		s->last = &s->first;
	pthread_mutex_unlock(&s->lock);
}

void seen_claims_clear(struct seen_claim *claims, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(claims[i].first);
}

void seen_batch_free(struct seen_batch *b)
{
	buf_free(&b->rest);
	free(b->stored);
	b->stored = NULL;
	b->room = 0;
}
