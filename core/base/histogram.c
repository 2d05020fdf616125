/* histogram.c - counts by powers of two. */
#include "base/histogram.h"

#include <assert.h>

unsigned histogram_bucket(struct histogram_scale scale, uint64_t value)
{
	assert(scale.limits <= HISTOGRAM_LIMITS && scale.first + scale.limits < 64);
	/* The smallest k with value <= 2^k. */
	unsigned k = value <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(value - 1);
	if (k <= scale.first)
		return 0;
	return k - scale.first < scale.limits ? k - scale.first : scale.limits;
}

/* One thread adds at a time: no locked instruction is needed for others to read whole numbers. */
static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

void histogram_add(struct histogram *h, struct histogram_scale scale, int64_t value)
{
	uint64_t v = value > 0 ? (uint64_t)value : 0;
	add(&h->counts[histogram_bucket(scale, v)], 1);
	add(&h->sum, v);
}

void histogram_read(const struct histogram *h, struct histogram_counts *to)
{
	*to = (struct histogram_counts){ .sum = atomic_load_explicit(&h->sum, memory_order_relaxed) };
	for (unsigned i = 0; i <= HISTOGRAM_LIMITS; i++) {
		to->counts[i] = atomic_load_explicit(&h->counts[i], memory_order_relaxed);
		to->total += to->counts[i];
	}
}
