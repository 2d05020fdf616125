/*
 * sink.h - what the two ways to be a sink share: the queue of what was submitted, and the thread that works on it.
 *
 * submit() and stop() only put things under the lock and wake the thread; all else is the thread's own.
 */
#ifndef EXEC_SINK_H
#define EXEC_SINK_H

#include <pthread.h>

#include <uthash.h>

#include "exec/program.h"

/* What was submitted at once: in strict order what follows the first that is not ok is left. */
struct sink_batch {
	size_t left;		/* deliveries that are not answered */
	bool ended;
};

struct sink_item {
	UT_hash_handle hh;	/* by token, of those that were sent */
	struct sink_item *next;	/* of those that were not */
	struct pb_delivery *delivery;
	struct sink_batch *batch;
	int64_t token;
	int64_t at;		/* monotonic ms: when it was submitted, then sent */
	uint64_t end;		/* program_end() behind it */
};

struct sink_queue {
	struct sink_item *first, **last;
};

struct sink {
	struct pb_self *self;
	bool strict, plain;
	int64_t timeout;
	pthread_t thread;
	int wake;			/* eventfd: something changed below */
	pthread_mutex_t lock;		/* guards what is behind it up to the blank line */
	struct sink_queue submitted;
	bool stopping;			/* answer what is under way, then end */
	bool breaking;			/* answer all at once, and end */
	bool reopens;

	struct sink_queue waiting;
	struct sink_item *sent;		/* uthash, the oldest first */
	size_t n_sent, max_sent, limit;	/* limit: the section's, max_sent: the program's */
	int64_t token, down_since;	/* monotonic ms: since when there is no program that was ready */
	bool was_up;
	struct program program;		/* of a program that speaks the protocol */
	struct settings settings;	/* of one that does not */
	size_t per_process;
	bool body_only;
	size_t max_response;
};

/* Empty; add at the end; take the first, NULL: there is none. */
void sink_queue_init(struct sink_queue *);
void sink_queue_add(struct sink_queue *, struct sink_item *);
struct sink_item *sink_queue_take(struct sink_queue *);
/* Move what was submitted to what waits, and say what is asked of the sink. On its thread. */
void sink_look(struct sink *, bool *stopping, bool *breaking, bool *reopens);
/* Answer it, and free it; in strict order one that fails has what waits behind it in its batch be untried. */
void sink_answer(struct sink *, struct sink_item *, enum pb_code, int64_t after, struct pb_span response,
		 const char *reason);
/* The first that waits is answered with `code`, all others are untried. */
void sink_refuse(struct sink *, enum pb_code code, const char *reason);
void sink_woken(struct sink *);		/* clear the eventfd */

/* The thread's work, until all is over: sink-talk.c, and plain-sink.c. */
void *sink_talk(void *sink);
void *sink_run_plain(void *sink);
/* The protocol's side of the program, for program_open(). */
extern const struct program_ops sink_ops;

#endif
