/*
 * histogram.h - how values spread: a count for each power of two, and their sum.
 *
 * The limits are fixed at birth by a scale, so that adding is two additions and any two
 * histograms of one scale can be summed. One thread at a time adds; anyone may read meanwhile.
 * It must not know what is measured.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_LIMITS 26		/* the most a scale has */

/* Bucket i holds what is above 2^(first+i-1) and at most 2^(first+i); bucket 0 also what is below, and
 * one more than there are limits what is above all of them. */
struct histogram_scale {
	unsigned first, limits;		/* first + limits < 64, limits <= HISTOGRAM_LIMITS */
};

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_LIMITS + 1];
	_Atomic uint64_t sum;
};

/* What a histogram held when it was read. */
struct histogram_counts {
	uint64_t counts[HISTOGRAM_LIMITS + 1];
	uint64_t total, sum;
};

/* The bucket's limit; `i` is below the scale's `limits`. */
static inline uint64_t histogram_limit(struct histogram_scale scale, unsigned i)
{
	return UINT64_C(1) << (scale.first + i);
}

/* Which bucket the value belongs to. */
unsigned histogram_bucket(struct histogram_scale, uint64_t value);
/* Add a value; a negative one, of a clock that was read in another order, counts as 0. A zeroed histogram
 * is an empty one. One thread at a time. */
void histogram_add(struct histogram *, struct histogram_scale, int64_t value);
/* [any] */
void histogram_read(const struct histogram *, struct histogram_counts *);

#endif
