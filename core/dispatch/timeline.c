/* timeline.c - when an event was accepted. */
#include "dispatch/timeline.h"

#define SHARE 16	/* of an age that a time may be off by */

void timeline_init(struct timeline *t, uint64_t seq, int64_t ms)
{
	t->begin_seq = seq;
	t->begin_ms = ms;
	t->n = 0;
}

/* At most two points are left for each sixteenth of an age: some 600 for a year. */
static void thin(struct timeline *t, int64_t now)
{
	struct uptime_point *p = t->points;
	size_t kept = 1;
	for (size_t i = 1; i + 1 < t->n; i++)
		if ((p[i + 1].ms - p[kept - 1].ms) * SHARE > now - p[i].ms)
			p[kept++] = p[i];
	p[kept++] = p[t->n - 1];
	t->n = kept;
}

void timeline_note(struct timeline *t, uint64_t seq, int64_t ms)
{
	if (t->n > 0 && ms <= t->points[t->n - 1].ms)
		return;
	if (t->n == TIMELINE_POINTS)
		thin(t, ms);
	if (t->n < TIMELINE_POINTS)
		t->points[t->n++] = (struct uptime_point){ seq, ms };
}

/* The first point above `seq`, `n` when there is none. */
static size_t point_above(const struct timeline *t, uint64_t seq)
{
	size_t low = 0, high = t->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (t->points[middle].seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int64_t timeline_at(const struct timeline *t, uint64_t seq)
{
	size_t above = point_above(t, seq);
	return above > 0 ? t->points[above - 1].ms : t->begin_ms;
}

int64_t timeline_latest(const struct timeline *t, uint64_t seq, int64_t now)
{
	int64_t at = timeline_at(t, seq);
	size_t above = point_above(t, seq);
	if (!timeline_knows(t, seq) || above == t->n)
		return at;
	/* Where the gap is too wide for one that was thinned, no block came in it. */
	int64_t next = t->points[above].ms;
	return (next - at) * SHARE > now - at ? at : next;
}
