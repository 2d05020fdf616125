/* growth.c - what is left of each round. */
#include "conform/growth.h"

#define LEAST_ROUNDS 8
#define LEAST_BYTES 28		/* a round: the smallest allocation takes 32; less is the allocator's */
#define THREADS_END 2000	/* ms that a thread may need to be gone after it was joined */

void growth_begin(struct growth *g, unsigned rounds)
{
	*g = (struct growth){ .rounds = rounds < LEAST_ROUNDS ? LEAST_ROUNDS : rounds };
}

static void sample(struct growth *g, unsigned at)
{
	g->descriptors[at] = census_descriptors();
	g->threads[at] = census_threads();
	g->heap[at] = census_heap();
}

bool growth_round(struct growth *g)
{
	while (g->slice < GROWTH_SLICES && g->done >= g->rounds * (g->slice + 1) / GROWTH_SLICES)
		sample(g, g->slice++);
	return g->done++ < g->rounds;
}

static void check_threads(struct check *c, const struct growth *g, const char *what)
{
	int64_t end = now_ms() + THREADS_END;
	size_t now;
	while ((now = census_threads()) > g->threads[0]) {
		if (now_ms() >= end)
			check_fail(c, "%zu threads more after %u times %s", now - g->threads[0], g->rounds, what);
		pause_ms(1);
	}
}

void growth_end(struct check *c, const struct growth *g, bool heap, const char *what)
{
	const unsigned first = GROWTH_SLICES / 4 - 1, last = GROWTH_SLICES - 1;
	size_t least = (size_t)g->rounds / GROWTH_SLICES * LEAST_BYTES;
	bool grows = heap;
	if (g->descriptors[last] > g->descriptors[first])
		check_fail(c, "%zu descriptors more after %u times %s",
			   g->descriptors[last] - g->descriptors[first], g->rounds, what);
	check_threads(c, g, what);
	for (unsigned i = first + 1; i <= last; i++)
		grows = grows && g->heap[i] >= g->heap[i - 1] + least;
	if (grows)
		check_fail(c, "%zu bytes of memory more after %u times %s: about %zu a time",
			   g->heap[last] - g->heap[first], g->rounds, what,
			   (g->heap[last] - g->heap[first]) / (g->rounds - g->rounds / 4));
}
