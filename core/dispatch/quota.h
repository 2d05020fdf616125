/*
 * quota.h - what a sink may take on disk.
 *
 * Its backlog is the journal from its first waiting event on, whoever else needs that, and the rows of its lanes with
 * their events. At half of `max_backlog` the journal's part gives way: what the sink wants of it is parked. At all of it, its
 * oldest deliveries become dead letters, or (`overflow = block`) nothing more is accepted from the sources that it
 * takes from. Its dead letters have a quota of their own. The router's thread.
 */
#ifndef DISPATCH_QUOTA_H
#define DISPATCH_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_SHARE 4	/* so much of `max_size` is max_backlog's default: a part of it */

struct outlet;
struct router;

/* Part of an outlet. */
struct quota {
	uint64_t max_backlog, dead_max;	/* bytes */
	bool blocks;			/* at max_backlog its sources are held */
	bool blocked;			/* they are */
	bool filling, dead_filling;	/* four fifths of it are taken, and that was said */
	uint64_t unsaid;		/* deliveries that died, and of which nothing was said yet */
	int64_t said_ms;		/* monotonic: when something was, 0: never */
	uint64_t backlog, dead;		/* bytes, as it was looked at last */
};

/* As the sink's options say. `r->quota_share` is what a sink gets that does not say. */
void quota_init(struct outlet *);

#endif
