/* status.c - what the engine knows of itself, collected on the router's thread. */
#include "dispatch/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dispatch/backlog.h"
#include "dispatch/engine.h"
#include "dispatch/isolate.h"

struct status_call {
	struct inbox_call call;
	struct dispatch *d;
	struct status *to;
	struct timeline *timeline;	/* a copy */
};

static void add_process(struct instance_status *st, const struct pb_self *self)
{
	if (isolate_real(self->plugin) == NULL || st->n_pids == STATUS_PIDS_MAX)
		return;
	st->isolated = true;
	st->pids[st->n_pids++] = atomic_load(&self->pid);
	st->restarts += atomic_load(&self->restarts);
}

static void add_feed(struct status *st, struct seen_keys *seen, struct feed *f)
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
	add_process(last, &f->self);
	last->events += atomic_load(&f->accepted);
	last->duplicates += atomic_load(&f->repeated);
	seen_count(seen, f->number, &last->keys, &last->forgotten);
	last->failures += feed_failures(f);
}

static void add_stage(struct status *st, struct stage *stage)
{
	st->instances[st->n_instances++] = (struct instance_status){
		.kind = CONFIG_FILTER, .name = stage->config->name, .plugin = stage->config->plugin,
		.state = "running", .events = atomic_load(&stage->events),
		.failures = atomic_load(&stage->failures), .passed = atomic_load(&stage->passed),
		.waiting = stage_waiting(stage),
		.in_flight = atomic_load(&stage->in_flight),
	};
	for (size_t i = 0; i < stage->n_workers; i++)
		add_process(&st->instances[st->n_instances - 1], &stage->workers[i].self);
}

static void add_outlet(struct status *st, const struct outlet *o)
{
	struct instance_status *in = &st->instances[st->n_instances++];
	*in = (struct instance_status){
		.kind = CONFIG_SINK, .name = o->config->name, .plugin = o->config->plugin,
		.state = sink_state_name(o), .events = o->delivered, .failures = o->failed,
		.in_flight = o->in_flight, .opened = o->opened,
		.backlog = o->quota.backlog, .max_backlog = o->quota.max_backlog,
		.dead_bytes = o->quota.dead, .dead_max = quota_dead_max(o),
	};
	add_process(in, &o->self);
	if (o->stand.mode == SINK_ENABLED)
		memcpy(in->reason, o->reason, sizeof in->reason);
	else
		memcpy(in->reason, o->stand.why, sizeof in->reason);
	memcpy(in->answers, o->answers, sizeof o->answers);
	histogram_read(&o->latency, &in->latency);
	histogram_read(&o->attempts, &in->attempts);
}

static void add_lane(struct status *st, const struct lane *lane)
{
	uint64_t mark = lane_watermark(lane);
	int64_t since = backlog_since(lane);
	struct lane_status *to = &st->lanes[st->n_lanes++];
	*to = (struct lane_status){
		.route = lane->route->config->name, .sink = lane->outlet->config->name,
		.number = lane->number, .watermark = mark, .behind = st->journal.next_seq - mark,
		.waiting = lane->count, .stragglers = lane->stragglers, .dead = lane->dead,
		.purged = lane->purged, .replayed = lane->replayed, .resent = lane->resent,
		.delivered = lane->delivered, .retried = lane->retried, .filtered = lane->filtered,
		.oldest_ms = backlog_age(since, router_wall(lane->router)),
		.catching_up = !lane->live,
	};
	memcpy(to->died, lane->died, sizeof lane->died);
}

static void collect_router(struct status *st, const struct dispatch *d)
{
	const struct router *r = &d->router;
	journal_stat(r->journal, &st->journal);	/* here: no lane is past its end */
	st->taken_ms = clock_wall(r->clock);
	st->started_ms = d->started_ms;
	st->loaded_ms = atomic_load(&d->loaded_ms);
	st->refused_ms = atomic_load(&d->refused_ms);
	st->max_size = r->max_size;
	st->share = r->share.now;
	st->unrouted = r->unrouted;
	st->lost = r->lost;
	counts_gone(r, &st->gone);
	st->gone_refused = r->gone_refused;
	st->saves = r->saves;
}

static void collect(struct inbox_call *call)
{
	struct status_call *sc = (struct status_call *)call;
	struct dispatch *d = sc->d;
	struct router *r = &d->router;
	struct status *st = sc->to;
	st->instances = xcalloc(d->n_feeds + d->n_stages + r->n_outlets + 1, sizeof *st->instances);
	st->lanes = xcalloc(r->n_lanes + 1, sizeof *st->lanes);
	collect_router(st, d);
	*sc->timeline = r->timeline;
	for (size_t i = 0; i < d->n_feeds; i++)
		add_feed(st, &r->seen, d->feeds[i]);
	for (size_t i = 0; i < d->n_stages; i++)
		add_stage(st, d->stages[i]);
	for (size_t i = 0; i < r->n_outlets; i++)
		add_outlet(st, r->outlets[i]);
	for (size_t i = 0; i < r->n_lanes; i++)
		add_lane(st, r->lanes[i]);
}

static bool take_first(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct backlog_row *first = arg;
	*first = (struct backlog_row){ .there = true, .seq = key.seq, .first_ms = row->first_ms };
	return false;
}

/* The first of a lane's stragglers may be older than all that is in memory. */
static void look_at_stragglers(struct status *st, struct state *state, const struct timeline *timeline,
			       int64_t now)
{
	for (size_t i = 0; i < st->n_lanes; i++) {
		struct lane_status *lane = &st->lanes[i];
		struct backlog_row first = { .there = false };
		if (lane->stragglers == 0 ||
		    rows_each_straggler(state, lane->number, 0, take_first, &first) < 0 || !first.there)
			continue;
		int64_t age = backlog_age(backlog_row_since(timeline, &first, NULL), now);
		if (age > lane->oldest_ms)
			lane->oldest_ms = age;
	}
}

int dispatch_status(struct dispatch *d, struct status *st)
{
	*st = (struct status){
		.state_bytes = state_bytes(d->env.state), .state_damaged = state_damaged(d->env.state),
		.inbox_bytes = inbox_bytes(&d->router.inbox), .untold = alarms_lost(&d->alarms),
	};
	history_stat(d->env.history, &st->history);
	histogram_read(&d->commit.seconds, &st->commit_seconds);
	histogram_read(&d->commit.bytes, &st->commit_bytes);
	histogram_read(&d->commit.events, &st->commit_events);
	struct status_call sc = {
		.call.run = collect, .d = d, .to = st, .timeline = xcalloc(1, sizeof *sc.timeline),
	};
	int failed = inbox_call(&d->router.inbox, &sc.call);
	if (failed == 0)
		look_at_stragglers(st, d->env.state, sc.timeline, router_wall(&d->router));
	free(sc.timeline);
	return failed;
}

void status_free(struct status *st)
{
	free(st->instances);
	free(st->lanes);
	*st = (struct status){ 0 };
}
