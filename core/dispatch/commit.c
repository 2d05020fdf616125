/* commit.c - the first of the waiting threads appends for all. */
#include "dispatch/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/step.h"
#include "base/thread.h"
#include "dispatch/alarms.h"
#include "dispatch/seen.h"
#include "dispatch/status.h"
#include "event/event.h"
#include "state/history.h"
#include "state/records.h"

struct held_source {
	UT_hash_handle hh;
	uint32_t source;
	const char *why;
};

#define GROUP_MAX (8u << 20)	/* bytes of records; one entry may have more */

void commit_init(struct commit *c, struct journal *journal, struct inbox *inbox,
		 struct watermarks *watermarks)
{
	*c = (struct commit){ .journal = journal, .inbox = inbox, .watermarks = watermarks };
	c->last = &c->waiting;
	pthread_mutex_init(&c->lock, NULL);
	cond_init(&c->done);
	cond_init(&c->room);
}

static void forget_held(struct commit *c)
{
	struct held_source *h, *next;
	HASH_ITER(hh, c->held, h, next) {
		HASH_DEL(c->held, h);
		free(h);
	}
}

void commit_fini(struct commit *c)
{
	assert(c->waiting == NULL);
	forget_held(c);
	for (struct commit_words *w = c->words, *next; w != NULL; w = next) {
		next = w->next;
		free(w);
	}
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->done);
	pthread_cond_destroy(&c->room);
}

/* What is on disk is no longer known: the page cache may hold what the disk refused. */
static void die(const struct commit *c, int failed)
{
	log_error("cannot write the journal: %s; ending, so that nothing is accepted that is not on disk",
		  strerror(-failed));
	ending_end(&c->ending);
}

/* Free what the router will not get. */
static void drop(struct committed *got)
{
	for (size_t i = 0; got->in_memory && i < got->n; i++)
		event_unref(got->events[i]);
	buf_free(&got->marks);
	free(got->ids);
	free(got);
}

/* All entries' events and marks, for the router. Before they are on disk: from then on it must get them. NULL: out of
 * memory. */
static struct committed *collect(struct commit *c, const struct commit_entry *list)
{
	size_t n = 0, bytes = 0, at = 0;
	for (const struct commit_entry *e = list; e != NULL; e = e->next) {
		n += e->n;
		for (size_t i = 0; i < e->n; i++)
			bytes += event_size(e->events[i]);
	}
	bool fits = inbox_has_room(c->inbox, bytes);
	struct committed *got = xcalloc(1, sizeof *got + (fits ? n : 0) * sizeof got->events[0]);
	*got = (struct committed){ .n = n, .in_memory = fits, .bytes = fits ? bytes : 0,
				   .marks = BUF_INIT(BUF_MAX) };
	if (c->traced && !fits)
		got->ids = xcalloc(n, sizeof *got->ids);
	for (const struct commit_entry *e = list; e != NULL; e = e->next) {
		buf_add(&got->marks, e->marks.data, e->marks.len);
		for (size_t i = 0; i < e->n; i++, at++)
			if (fits)
				got->events[at] = event_ref(e->events[i]);
			else if (c->traced)
				got->ids[at] = history_hash(event_id(e->events[i]));
	}
	if (got->marks.failed == 0)
		return got;
	drop(got);
	return NULL;
}

/* When the block was on disk; `began` is when that was begun. */
static int64_t measure(struct commit *c, const struct pb_span parts[], size_t n, uint32_t events,
		       int64_t began)
{
	int64_t now = clock_fine(c->clock);
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += parts[i].len;
	histogram_add(&c->seconds, COMMIT_SECONDS, now - began);
	histogram_add(&c->bytes, COMMIT_BYTES, (int64_t)bytes);
	histogram_add(&c->events, COMMIT_EVENTS, events);
	return now;
}

static void number(const struct commit_entry *list, uint64_t seq, int64_t accepted)
{
	for (const struct commit_entry *e = list; e != NULL; e = e->next)
		for (size_t i = 0; i < e->n; i++) {
			event_set_seq(e->events[i], seq++);
			event_set_accepted(e->events[i], accepted);
		}
}

/* Engine wall clock. */
static int64_t wall(const struct commit *c)
{
	return c->seen != NULL ? seen_now(c->seen) : clock_wall(c->clock);
}

/* One block of the time, the entries' records, and the watermarks that moved. */
static int write_block(struct commit *c, const struct commit_entry *list, uint64_t *first_seq,
		       int64_t *accepted)
{
	struct buf moved = BUF_INIT(BUF_MAX), time = BUF_INIT(BUF_MAX);
	size_t n = 2, i = 0;
	uint32_t events = 0;
	for (const struct commit_entry *e = list; e != NULL; e = e->next, n++)
		events += (uint32_t)e->n;
	struct pb_span *parts = xcalloc(n, sizeof *parts);
	time_add(&time, wall(c));
	if (events > 0 && time.failed == 0)
		parts[i++] = buf_span(&time);
	for (const struct commit_entry *e = list; e != NULL; e = e->next)
		parts[i++] = e->records;
	if (watermarks_take(c->watermarks, &moved) == 0 && moved.len > 0)
		parts[i++] = buf_span(&moved);
	int64_t began = clock_fine(c->clock);
	int failed = journal_append(c->journal, parts, i, events, first_seq);
	if (failed == 0)
		*accepted = measure(c, parts, i, events, began);
	else
		watermarks_put_back(c->watermarks);
	free(parts);
	buf_free(&moved);
	buf_free(&time);
	return failed;
}

/* What is left of the entries is one block; nothing may be. */
static int append_rest(struct commit *c, const struct commit_entry *list)
{
	uint64_t first_seq;
	int64_t accepted = 0;
	struct journal_stat stat;
	struct committed *got = collect(c, list);
	if (got == NULL)
		return -ENOMEM;
	int failed = write_block(c, list, &first_seq, &accepted);
	if (failed < 0) {
		if (failed != -ENOSPC && failed != -EMSGSIZE)
			die(c, failed);
		drop(got);
		return failed;
	}
	step_at("commit: appended, not handed over");
	journal_stat(c->journal, &stat);
	number(list, first_seq, accepted);
	if (c->seen != NULL)
		seen_written(c->seen);
	got->first_seq = first_seq;
	got->accepted = accepted;
	got->end = stat.end;
	inbox_committed(c->inbox, got);
	step_at("commit: handed over");
	return 0;
}

static int append(struct commit *c, struct commit_entry *list)
{
	size_t bytes = 0;
	int failed = 0;
	for (struct commit_entry *e = list; e != NULL && failed == 0; e = e->next) {
		if (e->seen != NULL)
			failed = seen_sift(c->seen, e, wall(c));
		bytes += e->records.len;
	}
	if (failed == 0 && bytes > 0)
		failed = append_rest(c, list);
	if (failed < 0 && c->seen != NULL)
		seen_undo(c->seen);
	return failed;
}

static void tell(struct commit *c, const char *type, const char *reason)
{
	if (c->alarms != NULL)
		alarms_tell(c->alarms, type, clock_wall(c->clock), "reason", reason, NULL);
}

static void say_room(struct commit *c)
{
	log_info("the store has room again");
	tell(c, "patchbay.store.room", "space has returned");
}

/* That small ones still fit where a large one did not is no news. */
static void note_room(struct commit *c, int result, size_t bytes)
{
	pthread_mutex_lock(&c->lock);
	size_t before = c->refused;
	if (result == -ENOSPC && bytes > before)
		c->refused = bytes;
	if (result == 0 && bytes >= before)
		c->refused = 0;
	if (before == 0 && c->refused > 0) {
		log_error("the store is full: %s; senders are told to come back until space returns",
			  journal_why_full(c->journal));
		tell(c, "patchbay.store.full", journal_why_full(c->journal));
	} else if (before > 0 && c->refused == 0) {
		say_room(c);
	}
	pthread_mutex_unlock(&c->lock);
}

static void append_one(struct commit *c, struct commit_entry *e)
{
	struct commit_entry *next = e->next;
	e->next = NULL;
	e->result = append(c, e);
	e->next = next;
	note_room(c, e->result, e->records.len);
}

static int append_together(struct commit *c, struct commit_entry *list)
{
	size_t bytes = 0;
	int result = append(c, list);
	for (struct commit_entry *e = list; e != NULL; e = e->next) {
		e->result = result;
		bytes += e->records.len;
	}
	if (result == 0)
		note_room(c, result, bytes);
	return result;
}

static void append_all(struct commit *c, struct commit_entry *list)
{
	if (list->next != NULL && append_together(c, list) == 0)
		return;
	/* What is too much together may fit one by one. */
	for (struct commit_entry *e = list; e != NULL; e = e->next)
		append_one(c, e);
}

/* At least one of those that wait. Called with the lock held. */
static struct commit_entry *take_group(struct commit *c)
{
	struct commit_entry *list = c->waiting, **end = &c->waiting;
	size_t bytes = 0;
	do {
		bytes += (*end)->records.len;
		end = &(*end)->next;
	} while (*end != NULL && bytes + (*end)->records.len <= GROUP_MAX);
	c->waiting = *end;
	*end = NULL;
	if (c->waiting == NULL)
		c->last = &c->waiting;
	return list;
}

/* Called and returns with the lock held. */
static void lead(struct commit *c)
{
	struct commit_entry *list = take_group(c);
	c->led = true;
	pthread_mutex_unlock(&c->lock);
	step_at("commit: group taken");
	append_all(c, list);
	pthread_mutex_lock(&c->lock);
	c->led = false;
	for (struct commit_entry *e = list, *next; e != NULL; e = next) {
		next = e->next;
		e->done = true;
	}
	pthread_cond_broadcast(&c->done);
}

int commit_run(struct commit *c, struct commit_entry *e)
{
	e->next = NULL;
	e->done = false;
	pthread_mutex_lock(&c->lock);
	*c->last = e;
	c->last = &e->next;
	while (!e->done) {
		if (c->led)
			pthread_cond_wait(&c->done, &c->lock);
		else
			lead(c);
	}
	pthread_mutex_unlock(&c->lock);
	return e->result;
}

void commit_wait_room(struct commit *c, int64_t ms)
{
	pthread_mutex_lock(&c->lock);
	cond_wait_ms(&c->room, &c->lock, ms);
	pthread_mutex_unlock(&c->lock);
}

void commit_freed(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->refused > 0)
		say_room(c);
	c->refused = 0;
	pthread_cond_broadcast(&c->room);
	pthread_mutex_unlock(&c->lock);
}

void commit_room(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->room);
	pthread_mutex_unlock(&c->lock);
}

static const char *words_for(struct commit *c, const char *sink)
{
	char *text = xasprintf("sink %s has reached max_backlog", sink);
	struct commit_words *w = c->words;
	while (w != NULL && strcmp(w->text, text) != 0)
		w = w->next;
	if (w == NULL) {
		w = xcalloc(1, sizeof *w + strlen(text) + 1);
		memcpy(w->text, text, strlen(text));
		w->next = c->words;
		c->words = w;
	}
	free(text);
	return w->text;
}

void commit_hold(struct commit *c, const struct commit_held held[], size_t n)
{
	pthread_mutex_lock(&c->lock);
	forget_held(c);
	for (size_t i = 0; i < n; i++) {
		struct held_source *h;
		HASH_FIND(hh, c->held, &held[i].source, sizeof held[i].source, h);
		if (h != NULL)
			continue;
		h = xcalloc(1, sizeof *h);
		h->source = held[i].source;
		h->why = words_for(c, held[i].sink);
		HASH_ADD(hh, c->held, source, sizeof h->source, h);
	}
	pthread_cond_broadcast(&c->room);
	pthread_mutex_unlock(&c->lock);
}

const char *commit_why_held(struct commit *c, uint32_t source)
{
	struct held_source *h = NULL;
	pthread_mutex_lock(&c->lock);
	if (c->held != NULL)
		HASH_FIND(hh, c->held, &source, sizeof source, h);
	const char *why = h != NULL ? h->why : NULL;
	pthread_mutex_unlock(&c->lock);
	return why;
}

bool commit_is_full(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	bool full = c->refused > 0;
	pthread_mutex_unlock(&c->lock);
	return full;
}
