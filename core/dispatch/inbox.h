/*
 * inbox.h - how everything reaches the router: committed events, answers, filtered events, saves, calls.
 *
 * Answers come one by one from many threads and take no lock. Committed events are
 * kept in memory only up to a limit: past it the router is given their numbers
 * and reads them from the journal.
 */
#ifndef DISPATCH_INBOX_H
#define DISPATCH_INBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "journal/journal.h"

struct pb_delivery;
struct chain_job;

/* One block, as committed. */
struct committed {
	struct committed *next;
	uint64_t first_seq;
	int64_t accepted;		/* when it was on disk: monotonic µs */
	size_t n;			/* events in the block */
	bool in_memory;			/* else `events` is empty: read the journal */
	struct journal_pos end;		/* of the block */
	struct buf marks;		/* those of the block, as in marks.h */
	size_t bytes;			/* of events in memory */
	uint64_t *ids;			/* history_hash() of each when they are not, NULL: not wanted */
	const struct pb_event *events[];
};

/* Something to do on the router's thread. */
struct inbox_call {
	struct inbox_call *next;
	void (*run)(struct inbox_call *);
	bool done;
	bool later;		/* run() left it to save_call() to say when it is done */
	uint64_t save;		/* then: the save that it waits for */
	int64_t since;		/* monotonic ms */
};

struct inbox {
	pthread_mutex_t lock;		/* guards all but `answers` */
	pthread_cond_t wake;		/* the router sleeps on it */
	pthread_cond_t called;		/* a call is done */
	struct committed *committed, **committed_last;
	size_t bytes, limit;
	struct chain_job *chained;
	struct inbox_call *calls, **calls_last;
	bool saved;			/* the saver has finished a batch */
	int saved_result;
	bool poked;			/* by inbox_wake() */
	bool closed;			/* no router any more: calls are refused */
	_Atomic(struct pb_delivery *) answers;	/* newest first */
	_Atomic bool asleep;
};

/* What the router takes in at the beginning of a turn, each oldest first. */
struct intake {
	struct committed *committed;
	struct pb_delivery *answers;
	struct chain_job *chained;
	struct inbox_call *calls;
	bool saved;
	int saved_result;
};

/* Empty; of committed events past `limit` bytes only the numbers are kept. */
void inbox_init(struct inbox *, size_t limit);
/* Nobody may use it any more; what is left in it must have been taken. */
void inbox_fini(struct inbox *);
/* Another limit. [any] */
void inbox_limit(struct inbox *, size_t limit);
/* The router's thread. */
void inbox_take(struct inbox *, struct intake *);
/* Free answers, committed events and jobs that nobody will take. */
void intake_free(struct intake *);
/* Has nothing come? The router's thread. */
bool inbox_empty(struct inbox *);
/* Sleep until something comes, at most `ms` (-1: without end). The router's thread. */
void inbox_wait(struct inbox *, int64_t ms);
/* [any] */
void inbox_wake(struct inbox *);
/* Is there still room for `bytes` of events in memory? In order of the commits: called by who leads one. */
bool inbox_has_room(struct inbox *, size_t bytes);
/* Bytes of committed events that wait in memory. [any] */
size_t inbox_bytes(struct inbox *);
void inbox_committed(struct inbox *, struct committed *);
void inbox_answer(struct inbox *, struct pb_delivery *);	/* [any] */
void inbox_chained(struct inbox *, struct chain_job *);		/* [any] */
void inbox_saved(struct inbox *, int result);			/* the saver */
/* Run on the router's thread and wait for it. 0, or -EAGAIN when there is no router. [any other] */
int inbox_call(struct inbox *, struct inbox_call *);
/* The call has run: whoever waits for it goes on. The router's thread. */
void inbox_called(struct inbox *, struct inbox_call *);
/* Refuse calls from now on; those that wait are refused. The router's thread, at its end. */
void inbox_close(struct inbox *);

#endif
