/*
 * retain.h - what every lane is past stays in the journal a while, so that it can be replayed (`keep`).
 *
 * By age, or by the journal's size; the first thing to yield when space is short. The age is that of a segment's
 * last event, by the time that its block bears. A clock that was set back makes it no older than
 * what was before it, and one that was ahead no younger than this run.
 */
#ifndef DISPATCH_RETAIN_H
#define DISPATCH_RETAIN_H

#include <stdbool.h>

#include "config/keep.h"
#include "journal/journal.h"

struct router;

struct retain {
	struct keep keep;
	uint64_t end_seq;	/* of the segment looked at last */
	int64_t ended_ms;	/* when its last event was accepted, wall clock */
};

/* Does the journal's oldest segment, which every lane is past, stay? Router's thread. */
bool retain_holds(struct router *, const struct journal_stat *);
/* When the event's block was made, or, if there is none, the next one's; wall clock, 0: nobody knows. Reads the journal. */
int64_t retain_time(struct router *, uint64_t seq);

#endif
