/*
 * share.h - what a sink may take on disk that does not say: a quarter of the store, and less while several fill it.
 *
 * Limits set nothing aside: two sinks that are down for long, on different events, could fill the store together with
 * what waits and what is dead. So from four fifths of it on the share of all that set no quota shrinks, an eighth at a
 * time, each time only when what the last step asked for is done: who takes most gives first, dead letters before what
 * waits. It stops when the store is below seven tenths, or they together have no more than an eighth of it (then it is
 * others who fill it), and is whole again once the store is below half. It counts for a sink's rows and for its dead
 * letters, not for its part of the journal, which is everyone's and has a limit of its own. Written quotas stay. The
 * router's thread.
 */
#ifndef DISPATCH_SHARE_H
#define DISPATCH_SHARE_H

#include <stdint.h>

struct router;

struct share {
	uint64_t whole, now;	/* bytes; without a limit of the store UINT64_MAX */
	uint64_t over;		/* the least that sinks had beyond it since it shrank, … */
	int64_t since;		/* … and since when: monotonic */
};

/* The whole; `max_size` in bytes, 0: the store has no limit. */
void share_init(struct share *, uint64_t max_size);
/* The sinks and the store were measured: does it shrink, or is it whole again? */
void share_look(struct router *);

#endif
