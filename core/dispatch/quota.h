/*
 * quota.h - what a sink may take on disk.
 *
 * Its backlog is the journal from its first waiting event on, whoever else needs that, and the rows of its lanes with
 * their events. At half of `max_backlog` the journal's part gives way: what the sink wants of it is parked. At all of
 * it, its oldest deliveries become dead letters, or (`overflow = block`) nothing more is accepted from the sources that
 * it takes from. Its dead letters have a quota of their own. Those that set none may take less while the store is
 * full of several (share.h). The router's thread.
 */
#ifndef DISPATCH_QUOTA_H
#define DISPATCH_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct outlet;
struct router;

/* Part of an outlet. */
struct quota {
	uint64_t max_backlog, dead_max;	/* bytes */
	bool own, dead_own;		/* the configuration says so; if not, the share counts too (share.h) */
	bool blocks;			/* at max_backlog its sources are held */
	bool blocked;			/* they are */
	bool filling, dead_filling;	/* four fifths of it are taken, and that was said */
	uint64_t unsaid;		/* deliveries that died, and of which nothing was said yet */
	int64_t said_ms;		/* monotonic: when something was, 0: never */
	uint64_t backlog, rows, dead;	/* bytes, as it was looked at last; `rows` is the part of the backlog not in the journal */
};

/* As the sink's options say. */
void quota_init(struct outlet *);
/* What its dead letters may take now: bytes. */
uint64_t quota_dead_max(const struct outlet *);

#endif
