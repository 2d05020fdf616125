/*
 * timeline.h - when an event was accepted, by its sequence number.
 *
 * The journal holds no times of its own. While we run, each block leaves a point here; when the
 * points are many, those go that lie close together for their age, so that a time is never
 * off by more than a sixteenth of the age, however long we run. Times are the engine's wall clock.
 */
#ifndef DISPATCH_TIMELINE_H
#define DISPATCH_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/rows.h"

#define TIMELINE_POINTS 1024

struct timeline {
	uint64_t begin_seq;	/* the first event of this run */
	int64_t begin_ms;
	struct uptime_point points[TIMELINE_POINTS];	/* ascending in both */
	size_t n;
};

/* Nothing is known of events before `seq` but that they are older than `ms`. */
void timeline_init(struct timeline *, uint64_t seq, int64_t ms);
/* A block that begins with event `seq` was accepted. */
void timeline_note(struct timeline *, uint64_t seq, int64_t ms);
/* Was the event accepted by this run? Else timeline_at() says the latest that it can have been. */
static inline bool timeline_knows(const struct timeline *t, uint64_t seq)
{
	return seq >= t->begin_seq;
}
/* When the event was accepted: then, or later. */
int64_t timeline_at(const struct timeline *, uint64_t seq);
/* Likewise: then, or before. */
int64_t timeline_latest(const struct timeline *, uint64_t seq, int64_t now);

#endif
