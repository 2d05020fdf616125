/*
 * commit.h - group commit by combining: one append for all that wait.
 *
 * Whichever of the waiting threads is first leads: it appends what all have pending as
 * one block, hands the events to the router, and tells the others. While it
 * does, the next group gathers. There is no writer thread and no timer. A group is of a size that
 * is written in a moment; what is more waits for the next leader.
 */
#ifndef DISPATCH_COMMIT_H
#define DISPATCH_COMMIT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/histogram.h"
#include "dispatch/ending.h"
#include "dispatch/inbox.h"
#include "dispatch/watermarks.h"
#include "journal/journal.h"

/* One thread's part of the next commit; its own until commit_run() and after it. */
struct commit_entry {
	struct commit_entry *next;
	struct pb_span records;		/* framed */
	struct pb_span marks;		/* as in marks.h; they are in `records` too */
	struct pb_event *const *events;	/* each gets its seq; the router takes references of its own */
	size_t n;
	struct seen_batch *seen;	/* has them too; what repeats is left out then. NULL: nothing can */
	bool done;
	int result;
};

/* A source whose commits are refused, and the sink that is full. */
struct commit_held {
	uint32_t source;
	const char *sink;
};

/* The same in words. They are kept for good: whoever was refused may still speak of it. */
struct commit_words {
	struct commit_words *next;
	char text[];
};

struct alarms;
struct clock;
struct seen_keys;
struct seen_batch;

struct commit {
	pthread_mutex_t lock;		/* guards all below */
	pthread_cond_t done;
	pthread_cond_t room;		/* space may have returned */
	struct commit_entry *waiting, **last;
	bool led;			/* some thread is appending */
	size_t refused;			/* bytes of the largest block that found no room since there was any; 0: there is room */
	struct held_source *held;	/* hash by number */
	struct commit_words *words;
	struct journal *journal;
	struct inbox *inbox;
	struct watermarks *watermarks;
	struct seen_keys *seen;		/* NULL: no entry has a seen_batch (a test) */
	struct alarms *alarms;		/* NULL: nobody is told (a test) */
	const struct clock *clock;
	struct ending ending;
	bool traced;			/* the router is told the ids of what it is not given in memory */
	/* What was committed, added to by whoever leads. */
	struct histogram seconds;	/* append and sync: µs, COMMIT_SECONDS (status.h) */
	struct histogram bytes;		/* of records in a block: COMMIT_BYTES */
	struct histogram events;	/* in a block: COMMIT_EVENTS */
};

/* Commits go to the journal and then to the inbox, and carry the watermarks that moved. All must
 * outlive it. */
void commit_init(struct commit *, struct journal *, struct inbox *, struct watermarks *);
/* Nobody may be waiting in it. */
void commit_fini(struct commit *);
/* Make the entry durable. 0, or nothing of it was stored: -ENOSPC, -ENOMEM and -ENOBUFS (too many keys wait to be saved): not now; -EMSGSIZE: it is more than a
 * block takes. An I/O error ends the process: what is on disk is no longer known. [any] */
int commit_run(struct commit *, struct commit_entry *);
/* Wait until room may have returned, at most `ms`. [any] */
void commit_wait_room(struct commit *, int64_t ms);
/* Did a block find no room, and neither was one as large stored since, nor space freed? [any] */
bool commit_is_full(struct commit *);
/* These sources are refused from now on, and no others; `n` may be 0. The router's thread. */
void commit_hold(struct commit *, const struct commit_held held[], size_t n);
/* Why the source is refused, for good; NULL: it is not. [any] */
const char *commit_why_held(struct commit *, uint32_t source);
/* Space was freed. [any] */
void commit_freed(struct commit *);
/* Everyone who waits for room is to look at their stop flag. [any] */
void commit_room(struct commit *);

#endif
