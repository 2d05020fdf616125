/*
 * replay.h - kept events delivered again (`patchbay replay`).
 *
 * The journal is read from some event on, a bounded piece a call on the router's thread; each event that fits and that
 * a route leads to the sink becomes a straggler that is due, unless its delivery is still to be made. So a
 * replayed event goes out ahead of what waits in the journal, and, in a strict lane, beside it. Each piece is on disk
 * before the next is read, so memory and what a crash can undo are bounded.
 */
#ifndef DISPATCH_REPLAY_H
#define DISPATCH_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatch/inbox.h"

struct dispatch;
struct router;

/* What to look for; NULL or 0: any. */
struct replay_filter {
	const char *sink;		/* required */
	const char *route;
	const char *type;		/* a glob */
	const char *id;
	int64_t since_ms, until_ms;	/* when it was accepted, wall clock: from, and before */
	bool dry;			/* only count */
};

/* A page: from `at` on, which moves on; the rest adds up. Begin with {0}. */
struct replay_page {
	uint64_t at;			/* an event's number; 0: the first there is */
	bool more;
	bool full;			/* the state takes nothing at present: stopped before the end */
	int64_t oldest_ms;		/* when the first event that there is was accepted; 0: nobody knows, or there is none */
	uint64_t end;			/* behind the last event there is */
	uint64_t found;			/* deliveries that fit; of them … */
	uint64_t done;			/* … are made again, */
	uint64_t under_way;		/* … have not been made yet, */
	uint64_t rows;			/* … wait as stragglers, or are dead letters: `patchbay dead` is for these */
};

/* One page. 0; -ENOENT: there is no such sink; -ESRCH: no route (of that name) leads to it; -EAGAIN: the engine is not
 * running. [any thread but the router's] */
int dispatch_replay(struct dispatch *, const struct replay_filter *, struct replay_page *);

/* The same with the way to run on the router's thread: inbox_call(). */
int replay_run(struct router *, int (*on_router)(struct inbox *, struct inbox_call *), const struct replay_filter *,
	       struct replay_page *);

#endif
