/* commit.c - the first of the waiting threads appends for all. */
#include "dispatch/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/thread.h"
#include "dispatch/alarms.h"
#include "dispatch/status.h"
#include "event/event.h"
#include "state/records.h"

void commit_init(struct commit *c, struct journal *journal, struct inbox *inbox,
		 struct watermarks *watermarks)
{
	*c = (struct commit){ .journal = journal, .inbox = inbox, .watermarks = watermarks };
	c->last = &c->waiting;
	pthread_mutex_init(&c->lock, NULL);
	cond_init(&c->done);
	cond_init(&c->room);
}

void commit_fini(struct commit *c)
{
	assert(c->waiting == NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->done);
	pthread_cond_destroy(&c->room);
}

/* What is on disk is no longer known: the page cache may hold what the disk refused. */
static _Noreturn void die(int failed)
{
	log_error("cannot write the journal: %s; ending, so that nothing is accepted that is not on disk",
		  strerror(-failed));
	_exit(1);
}

/* All entries' events, numbered, for the router. */
static struct committed *collect(struct commit *c, struct commit_entry *list, uint64_t first_seq,
				 int64_t accepted)
{
	size_t n = 0, bytes = 0;
	for (struct commit_entry *e = list; e != NULL; e = e->next) {
		n += e->n;
		for (size_t i = 0; i < e->n; i++)
			bytes += event_size(e->events[i]);
	}
	bool fits = inbox_has_room(c->inbox, bytes);
	struct committed *got = xcalloc(1, sizeof *got + (fits ? n : 0) * sizeof got->events[0]);
	*got = (struct committed){ .first_seq = first_seq, .accepted = accepted, .n = n,
				   .in_memory = fits, .bytes = fits ? bytes : 0,
				   .marks = BUF_INIT(BUF_MAX) };
	size_t at = 0;
	for (struct commit_entry *e = list; e != NULL; e = e->next) {
		buf_add(&got->marks, e->marks.data, e->marks.len);
		for (size_t i = 0; i < e->n; i++, at++) {
			event_set_seq(e->events[i], first_seq + at);
			event_set_accepted(e->events[i], accepted);
			if (fits)
				got->events[at] = event_ref(e->events[i]);
		}
	}
	return got;
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

static int append(struct commit *c, struct commit_entry *list)
{
	struct buf moved = BUF_INIT(BUF_MAX);
	size_t n = 1;
	uint32_t events = 0;
	for (struct commit_entry *e = list; e != NULL; e = e->next, n++)
		events += (uint32_t)e->n;
	struct pb_span *parts = xcalloc(n, sizeof *parts);
	size_t i = 0;
	for (struct commit_entry *e = list; e != NULL; e = e->next)
		parts[i++] = e->records;
	watermarks_take(c->watermarks, &moved);
	if (moved.len > 0)
		parts[i++] = buf_span(&moved);
	uint64_t first_seq;
	int64_t began = clock_fine(c->clock);
	int failed = journal_append(c->journal, parts, i, events, &first_seq);
	int64_t accepted = failed == 0 ? measure(c, parts, i, events, began) : 0;
	free(parts);
	buf_free(&moved);
	if (failed == -ENOSPC)
		return failed;
	if (failed < 0)
		die(failed);
	struct journal_stat stat;
	struct committed *got = collect(c, list, first_seq, accepted);
	journal_stat(c->journal, &stat);
	got->end = stat.end;
	inbox_committed(c->inbox, got);
	return 0;
}

static void note_room(struct commit *c, int result)
{
	if ((result < 0) == c->full)
		return;
	c->full = result < 0;
	if (c->alarms != NULL)
		alarms_tell(c->alarms, c->full ? "patchbay.store.full" : "patchbay.store.room",
			    clock_wall(c->clock), "reason", c->full ? "no space on the disk, or max_size "
			    "is reached" : "space has returned", NULL);
	if (c->full)
		log_error("the store is full: nothing more is accepted until space returns");
	else
		log_info("the store has room again");
}

/* Called and returns with the lock held. */
static void lead(struct commit *c)
{
	struct commit_entry *list = c->waiting;
	c->waiting = NULL;
	c->last = &c->waiting;
	c->led = true;
	pthread_mutex_unlock(&c->lock);
	int result = append(c, list);
	pthread_mutex_lock(&c->lock);
	c->led = false;
	note_room(c, result);
	for (struct commit_entry *e = list, *next; e != NULL; e = next) {
		next = e->next;
		e->result = result;
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

void commit_room(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->room);
	pthread_mutex_unlock(&c->lock);
}
