/*
 * growth.h - does something that is done again and again leave anything each time?
 *
 * What the first quarter of the rounds makes may stay: caches are filled by then. Memory is a leak when each
 * eighth after it has added some: a buffer that doubles now and then does not.
 */
#ifndef CONFORM_GROWTH_H
#define CONFORM_GROWTH_H

#include "conform/conform.h"

#define GROWTH_SLICES 8

struct growth {
	unsigned rounds, done, slice;
	size_t descriptors[GROWTH_SLICES], threads[GROWTH_SLICES], heap[GROWTH_SLICES];
};

/* So many rounds, at least 8; memory needs hundreds to be told from the allocator's own. */
void growth_begin(struct growth *, unsigned rounds);
/* Before each round: is there one more? */
bool growth_round(struct growth *);
/* The rule fails when `what` has left descriptors or threads behind, or, if `heap`, memory. */
void growth_end(struct check *, const struct growth *, bool heap, const char *what);

#endif
