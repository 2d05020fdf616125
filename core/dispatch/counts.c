/* counts.c - what lanes of earlier configurations have counted. */
#include "dispatch/counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dispatch/router.h"

static struct lane_counts counts_of(const struct lane *lane)
{
	struct lane_counts c = {
		.purged = lane->purged, .replayed = lane->replayed, .resent = lane->resent,
		.delivered = lane->delivered, .retried = lane->retried, .filtered = lane->filtered,
	};
	memcpy(c.died, lane->died, sizeof c.died);
	return c;
}

static void add(struct lane_counts *to, const struct lane_counts *c)
{
	to->purged += c->purged;
	to->replayed += c->replayed;
	to->resent += c->resent;
	to->delivered += c->delivered;
	to->retried += c->retried;
	to->filtered += c->filtered;
	for (size_t i = 0; i < DEAD_REASONS; i++)
		to->died[i] += c->died[i];
}

static void remove_at(struct gone_counts *g, size_t at)
{
	g->n--;
	memmove(&g->lanes[at], &g->lanes[at + 1], (g->n - at) * sizeof *g->lanes);
}

void counts_keep(struct gone_counts *g, const struct lane *lane)
{
	if (g->n == COUNTS_MAX) {
		add(&g->sum, &g->lanes[0].counts);
		remove_at(g, 0);
	}
	g->lanes = xrealloc(g->lanes, g->n + 1, sizeof *g->lanes);
	g->lanes[g->n++] = (struct gone_lane){ lane->number, counts_of(lane) };
}

void counts_return(struct gone_counts *g, struct lane *lane)
{
	size_t at = 0;
	while (at < g->n && g->lanes[at].number != lane->number)
		at++;
	if (at == g->n)
		return;
	const struct lane_counts *c = &g->lanes[at].counts;
	lane->purged = c->purged;
	lane->replayed = c->replayed;
	lane->resent = c->resent;
	lane->delivered = c->delivered;
	lane->retried = c->retried;
	lane->filtered = c->filtered;
	memcpy(lane->died, c->died, sizeof lane->died);
	remove_at(g, at);
}

void counts_gone(const struct router *r, struct lane_counts *to)
{
	*to = r->gone_counts.sum;
	for (size_t i = 0; i < r->gone_counts.n; i++)
		add(to, &r->gone_counts.lanes[i].counts);
	for (size_t i = 0; i < r->n_leaving; i++) {
		struct lane_counts c = counts_of(r->leaving[i]);
		add(to, &c);
	}
}

void counts_free(struct gone_counts *g)
{
	free(g->lanes);
}
