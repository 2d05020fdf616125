/* commit.c - the first of the waiting threads appends for all. */
#include "dispatch/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/thread.h"
#include "dispatch/marks.h"
#include "event/event.h"

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
static struct committed *collect(struct commit *c, struct commit_entry *list, uint64_t first_seq)
{
	size_t n = 0, bytes = 0;
	for (struct commit_entry *e = list; e != NULL; e = e->next) {
		n += e->n;
		for (size_t i = 0; i < e->n; i++)
			bytes += event_size(e->events[i]);
	}
	bool fits = inbox_has_room(c->inbox, bytes);
	struct committed *got = xcalloc(1, sizeof *got + (fits ? n : 0) * sizeof got->events[0]);
	*got = (struct committed){ .first_seq = first_seq, .n = n, .in_memory = fits,
				   .bytes = fits ? bytes : 0, .marks = BUF_INIT(BUF_MAX) };
	size_t at = 0;
	for (struct commit_entry *e = list; e != NULL; e = e->next) {
		buf_add(&got->marks, e->marks.data, e->marks.len);
		for (size_t i = 0; i < e->n; i++, at++) {
			event_set_seq(e->events[i], first_seq + at);
			if (fits)
				got->events[at] = event_ref(e->events[i]);
		}
	}
	return got;
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
	int failed = journal_append(c->journal, parts, i, events, &first_seq);
	free(parts);
	buf_free(&moved);
	if (failed == -ENOSPC)
		return failed;
	if (failed < 0)
		die(failed);
	struct journal_stat stat;
	struct committed *got = collect(c, list, first_seq);
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

bool commit_is_full(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	bool full = c->full;
	pthread_mutex_unlock(&c->lock);
	return full;
}
