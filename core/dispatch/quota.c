/*
 * quota.c - what gives way when the store grows.
 *
 * Nothing waits longer for space than for what comes first here. What is still too much after all of it
 * is for commit.c: nothing more is accepted until space returns.
 */
#include "dispatch/router.h"

#define LOOKS 256	/* so often while the journal grows by all that the store may have */
#define LOOK_LEAST 65536	/* bytes */

void space_grew(struct router *r)
{
	struct journal_stat stat;
	uint64_t step = r->max_size / LOOKS > LOOK_LEAST ? r->max_size / LOOKS : LOOK_LEAST;
	journal_stat(r->journal, &stat);
	if (stat.grown - r->grown < step)
		return;
	r->grown = stat.grown;
	r->space_due = true;
}

/* The journal has more than half of the store: its oldest segment goes, and what lanes still want of it is parked. */
static void compact_oldest(struct router *r)
{
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	if (r->max_size == 0 || stat.bytes <= r->max_size / 2 || stat.oldest_end_seq == 0)
		return;
	for (size_t i = 0; i < r->n_lanes; i++)
		if (lane_watermark(r->lanes[i]) < stat.oldest_end_seq && r->lanes[i]->yield_until == 0)
			yield_lane(r->lanes[i], stat.oldest_end_seq, 0);
}

void space_look(struct router *r)
{
	r->space_due = false;
	compact_oldest(r);
	space_turn(r);
}
