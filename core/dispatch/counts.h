/*
 * counts.h - what lanes of earlier configurations have counted: a counter does not go back when a reload takes its lane away.
 *
 * A lane that comes back goes on with its own; the sums of all others are told together. Since the start only, and the router's thread.
 */
#ifndef DISPATCH_COUNTS_H
#define DISPATCH_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "state/rows.h"

struct lane;
struct router;

struct lane_counts {
	uint64_t purged, replayed, resent, delivered, retried, filtered, died[DEAD_REASONS];
};

/* Part of the router. Of more lanes than so many those that left first are in the sum alone. */
#define COUNTS_MAX 4096
struct gone_counts {
	struct gone_lane {
		uint32_t number;	/* names table */
		struct lane_counts counts;
	} *lanes;
	size_t n;
	struct lane_counts sum;
};

/* The lane is about to be freed. */
void counts_keep(struct gone_counts *, const struct lane *);
/* A new lane with a number that an earlier one had. */
void counts_return(struct gone_counts *, struct lane *);
/* Of all that are not configured now: those that have left, and those that still leave. */
void counts_gone(const struct router *, struct lane_counts *);
void counts_free(struct gone_counts *);

#endif
