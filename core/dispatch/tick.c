/*
 * tick.c - what is looked at every second.
 *
 * What concerns each lane is done in pieces, one a turn, so that no answer waits for a thousand lanes.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/magic.h"
#include "dispatch/alarms.h"
#include "dispatch/retire.h"
#include "dispatch/router.h"
#include "state/history.h"

#define TICK 1000	/* ms */
#define LANES_AT_ONCE 32

/* Blocks of the journal that turned out to be broken are set aside by it; whoever watches is told. */
static void tell_damage(struct router *r)
{
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	if (stat.damaged_blocks > r->damaged) {
		char blocks[24];
		snprintf(blocks, sizeof blocks, "%llu",
			 (unsigned long long)(stat.damaged_blocks - r->damaged));
		alarms_tell(r->alarms, "patchbay.journal.damaged", router_wall(r), "blocks", blocks, NULL);
	}
	r->damaged = stat.damaged_blocks;
}

/* An idle daemon with nothing to deliver writes nothing. */
static bool something_waits(const struct router *r)
{
	for (size_t i = 0; i < r->n_lanes; i++)
		if (r->lanes[i]->stragglers > 0 || lane_watermark(r->lanes[i]) < r->next)
			return true;
	return false;
}

static void watch_retired(struct router *r)
{
	const struct retired *rt = r->retired;
	if (rt == NULL)
		return;		/* a test of the router alone */
	retire_watch(rt);
	r->wake_due = r->wake_due || rt->n_outlets + rt->n_stages + rt->n_routes > 0;
}

static void tick(struct timer *t)
{
	struct router *r = CONTAINER_OF(t, struct router, tick);
	if (uptime_is_due(&r->uptime, router_now(r)) && something_waits(r)) {
		uptime_put(&r->uptime, &r->open.batch, r->next, router_now(r));
		r->save_pending = true;
	}
	r->tick_lane = 0;
	sinks_tick(r);
	expire_tick(r);
	dead_tick(r);
	seen_tick(&r->seen);
	save_calls_late(r);
	history_flush(r->history);
	r->space_due = true;
	tell_damage(r);
	for (size_t i = 0; i < r->n_outlets; i++)
		outlet_watch(r->outlets[i]);
	watch_retired(r);
	log_flush();
	timer_set(&r->timers, t, router_now(r) + TICK);
}

void tick_begin(struct router *r)
{
	r->tick.fire = tick;
	timer_set(&r->timers, &r->tick, router_now(r) + TICK);
}

bool tick_turn(struct router *r)
{
	for (int n = 0; n < LANES_AT_ONCE && r->tick_lane < r->n_lanes; n++) {
		struct lane *lane = r->lanes[r->tick_lane++];
		settle_aged(lane);
		if (lane->covered != NULL)
			lane_uncover(lane);
	}
	bool more = expire_turn(r);
	return more || r->tick_lane < r->n_lanes;
}
