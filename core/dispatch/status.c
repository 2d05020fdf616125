/* status.c - what the engine knows of itself, collected on the router's thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dispatch/engine.h"

struct status_call {
	struct inbox_call call;
	struct dispatch *d;
	struct status *to;
};

static void add_feed(struct status *st, struct feed *f)
{
	struct instance_status *last = st->n_instances > 0 ? &st->instances[st->n_instances - 1] : NULL;
	if (f->self.worker == 0) {
		last = &st->instances[st->n_instances++];
		*last = (struct instance_status){
			.kind = CONFIG_SOURCE, .name = f->self.name, .plugin = f->self.plugin->name,
		};
	}
	/* Of several workers what is not as it should be shows. */
	const char *doing = atomic_load(&f->doing);
	if (last->state == NULL || strcmp(doing, "running") != 0)
		last->state = doing;
	if (atomic_load(&f->reason)[0] != '\0')
		snprintf(last->reason, sizeof last->reason, "%s", atomic_load(&f->reason));
	last->events += (uint64_t)atomic_load(&f->accepted->value);
	last->failures += (uint64_t)atomic_load(&f->refused->value) + atomic_load(&f->restarts);
}

static void add_stage(struct status *st, const struct stage *stage)
{
	st->instances[st->n_instances++] = (struct instance_status){
		.kind = CONFIG_FILTER, .name = stage->config->name, .plugin = stage->config->plugin,
		.state = "running", .events = atomic_load(&stage->events),
		.failures = atomic_load(&stage->failures),
		.in_flight = atomic_load(&stage->in_flight),
	};
}

static void add_outlet(struct status *st, const struct outlet *o)
{
	struct instance_status *in = &st->instances[st->n_instances++];
	*in = (struct instance_status){
		.kind = CONFIG_SINK, .name = o->config->name, .plugin = o->config->plugin,
		.state = breaker_name(&o->breaker), .events = o->delivered, .failures = o->failed,
		.in_flight = o->in_flight,
	};
	memcpy(in->reason, o->reason, sizeof o->reason);
}

static void add_lane(struct status *st, const struct lane *lane)
{
	uint64_t mark = lane_watermark(lane);
	st->lanes[st->n_lanes++] = (struct lane_status){
		.route = lane->route->config->name, .sink = lane->outlet->config->name,
		.watermark = mark, .behind = st->journal.next_seq - mark, .waiting = lane->count,
		.stragglers = lane->stragglers, .dead = lane->dead, .delivered = lane->delivered,
		.retried = lane->retried, .filtered = lane->filtered, .catching_up = !lane->live,
	};
}

static void collect(struct inbox_call *call)
{
	struct status_call *sc = (struct status_call *)call;
	struct dispatch *d = sc->d;
	struct router *r = &d->router;
	struct status *st = sc->to;
	st->instances = xcalloc(d->n_feeds + d->n_stages + r->n_outlets + 1, sizeof *st->instances);
	st->lanes = xcalloc(r->n_lanes + 1, sizeof *st->lanes);
	st->taken_ms = clock_wall(r->clock);
	st->started_ms = d->started_ms;
	st->unrouted = r->unrouted;
	st->lost = r->lost;
	st->full = commit_is_full(&d->commit);
	for (size_t i = 0; i < d->n_feeds; i++)
		add_feed(st, d->feeds[i]);
	for (size_t i = 0; i < d->n_stages; i++)
		add_stage(st, d->stages[i]);
	for (size_t i = 0; i < r->n_outlets; i++)
		add_outlet(st, r->outlets[i]);
	for (size_t i = 0; i < r->n_lanes; i++)
		add_lane(st, r->lanes[i]);
}

int dispatch_status(struct dispatch *d, struct status *st)
{
	*st = (struct status){ .state_bytes = state_bytes(d->env.state) };
	journal_stat(d->env.journal, &st->journal);
	struct status_call sc = { .call.run = collect, .d = d, .to = st };
	return inbox_call(&d->router.inbox, &sc.call);
}

void status_free(struct status *st)
{
	free(st->instances);
	free(st->lanes);
	*st = (struct status){ 0 };
}
