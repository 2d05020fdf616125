/* backlog.h - since when a lane's deliveries wait. Times are the engine's wall clock. */
#ifndef DISPATCH_BACKLOG_H
#define DISPATCH_BACKLOG_H

#include "dispatch/lane.h"
#include "dispatch/timeline.h"

#define BACKLOG_NONE INT64_MAX	/* nothing waits */

/* Since when the oldest waits of what is in the lane's window or ahead of it in the journal. The
 * router's thread. */
int64_t backlog_since(const struct lane *);
/* How long that is; -1 for BACKLOG_NONE. */
int64_t backlog_age(int64_t since, int64_t now);

/* A straggler's row, as far as it tells. */
struct backlog_row {
	bool there;
	uint64_t seq;
	int64_t first_ms;	/* of its first failure, 0: none */
};
/* Since when it waits; of what is older than this run at least since its first failure, and `own` is set
 * unless it is NULL. */
int64_t backlog_row_since(const struct timeline *, const struct backlog_row *, bool *own);

#endif
