/* reload-switch.c - the barrier: what the router's thread does of a reload. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "dispatch/build.h"
#include "dispatch/reload.h"
#include "dispatch/trail.h"

void reload_number(struct inbox_call *call)
{
	struct reload *rl = (struct reload *)call;
	struct router *r = &rl->d->router;
	size_t n = rl->names.last + 1;
	r->leave_paused = true;
	buf_add(&r->open.batch.ops, rl->rows.ops.data, rl->rows.ops.len);
	r->open.batch.n += rl->rows.n;
	if (n > r->n_numbers) {
		watermarks_grow(&r->watermarks, n);
		r->by_number = xrealloc(r->by_number, n, sizeof(struct lane *));
		memset(r->by_number + r->n_numbers, 0, (n - r->n_numbers) * sizeof(struct lane *));
		r->n_numbers = n;
	}
	rl->save = r->saves + 1;
	rl->saved = rl->rows.n == 0 && !leave_is_busy(r);
	if (!rl->saved)
		save_soon(r);
}

void reload_wait(struct inbox_call *call)
{
	struct reload *rl = (struct reload *)call;
	struct router *r = &rl->d->router;
	rl->saved = save_is_done(r, rl->save);
	if (!rl->saved)
		save_call(r, call);
}

void reload_cancel(struct inbox_call *call)
{
	((struct reload *)call)->d->router.leave_paused = false;
}

/* Of a lane of that name there may be dead letters, from before. */
static void take_back_letters(struct router *r, struct lane *lane)
{
	for (size_t i = 0; i < r->n_removed; i++) {
		if (r->removed[i].number != lane->number)
			continue;
		lane->dead = r->removed[i].dead;
		lane->dead_bytes = r->removed[i].dead_bytes;
		r->removed[i] = r->removed[--r->n_removed];
		return;
	}
}

static struct lane *new_lane(struct router *r, struct route *route, struct outlet *o, uint32_t number)
{
	struct lane *lane = lane_new(r, route, o);
	lane->number = number;
	lane->next = r->next;
	lane->saved = UINT64_MAX;
	lane->live = sink_takes(o, r->next);
	r->n_behind += !lane->live;
	outlet_add_lane(o, lane);
	take_back_letters(r, lane);
	counts_return(&r->gone_counts, lane);
	rules_change(lane, NULL, route->rule, r->next);
	router_moved(lane);
	return r->by_number[number] = lane;
}

static struct lane *find_lane(struct router *r, struct route *route, struct outlet *o, uint32_t number)
{
	struct lane *lane = r->by_number[number];
	if (lane == NULL)
		return new_lane(r, route, o, number);
	if (lane->leaving.is) {
		leave_return(lane, route, o, r->next);
		return lane;
	}
	const struct rule *was = lane->route->rule;
	lane_rewire(lane, route, o);
	rules_change(lane, was, route->rule, r->next);
	return lane;
}

static void switch_outlets(struct reload *rl)
{
	struct dispatch *d = rl->d;
	struct router *r = &d->router;
	for (size_t i = 0; i < rl->n_outlets; i++) {
		struct outlet *o = rl->outlets[i];
		struct config_instance *was = o->config->other;
		if (o->config->kept)
			continue;
		if (was != NULL)
			outlet_succeed(o, was->live);
		else
			sink_restore(o);
		metric_set_hide(&o->self.metrics, false);
		if (!o->async)
			dispatch_add_writer(d, o->sender);
	}
	struct outlet **old = r->outlets;
	size_t n = r->n_outlets;
	r->outlets = rl->outlets;
	r->n_outlets = rl->n_outlets;
	rl->outlets = old;
	rl->n_outlets = n;
}

static void switch_lanes(struct reload *rl)
{
	struct router *r = &rl->d->router;
	struct lane **old = r->lanes;
	size_t n = r->n_lanes;
	r->lanes = xcalloc(rl->n_lanes, sizeof(struct lane *));
	r->n_lanes = 0;
	for (size_t i = 0; i < rl->n_routes; i++) {
		struct route *route = rl->routes[i];
		for (size_t k = 0; k < route->n_lanes; k++) {
			route->lanes[k] = find_lane(r, route, route->config->to[k]->live, rl->lanes[i][k]);
			r->lanes[r->n_lanes++] = route->lanes[k];
		}
	}
	/* Those that no new route took are still of their old one. */
	for (size_t i = 0; i < n; i++)
		if (old[i]->route->retired)
			leave_begin(old[i], r->next);
	free(old);
	r->catchup_turn = 0;
}

static void switch_routes(struct reload *rl)
{
	struct router *r = &rl->d->router;
	for (size_t i = 0; i < r->n_routes; i++)
		retire_route(&rl->d->retired, r->routes[i]);
	switch_lanes(rl);
	free(r->routes);
	r->routes = rl->routes;
	r->n_routes = rl->n_routes;
	rl->routes = NULL;
	router_matches_free(r);
}

/* What the old configuration had and the new one has not. */
static void retire_rest(struct reload *rl)
{
	struct dispatch *d = rl->d;
	for (size_t i = 0; i < rl->n_outlets; i++) {
		struct outlet *o = rl->outlets[i];
		if (config_is_in(rl->now, o->config))
			continue;
		metric_set_hide(&o->self.metrics, true);
		retire_outlet(&d->retired, &d->router, o);
	}
	for (size_t i = 0; i < d->n_stages; i++) {
		struct stage *st = d->stages[i];
		if (config_is_in(rl->now, st->config))
			continue;
		for (size_t k = 0; k < st->n_workers; k++)
			metric_set_hide(&st->workers[k].self.metrics, true);
		retire_stage(&d->retired, st);
	}
	for (size_t i = 0; i < rl->n_stages; i++)
		for (size_t k = 0; k < rl->stages[i]->n_workers; k++)
			metric_set_hide(&rl->stages[i]->workers[k].self.metrics, false);
}

/* Nobody goes on with what it counted. */
static bool is_last(const struct dispatch *d, const struct feed *old)
{
	for (size_t i = 0; i < d->n_feeds; i++)
		if (d->feeds[i] == old || (d->feeds[i]->config->other == old->config && d->feeds[i]->self.worker == old->self.worker))
			return false;
	return true;
}

static void keep_refused(struct dispatch *d, struct feed *const *old, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_last(d, old[i]))
			d->router.gone_refused += feed_failures(old[i]);
}

void reload_switch(struct inbox_call *call)
{
	struct reload *rl = (struct reload *)call;
	struct dispatch *d = rl->d;
	struct router *r = &d->router;
	leave_settle(r);
	switch_outlets(rl);
	switch_routes(rl);
	retire_rest(rl);
	free(d->stages);
	d->stages = rl->stages;
	d->n_stages = rl->n_stages;
	rl->stages = NULL;
	struct feed **old = d->feeds;
	size_t n = d->n_feeds;
	d->feeds = rl->feeds;
	d->n_feeds = rl->n_feeds;
	rl->feeds = old;
	rl->n_feeds = n;
	keep_refused(d, old, n);
	seen_watch_none(&d->router.seen);
	for (size_t i = 0; i < d->n_feeds; i++) {
		feed_watch(d->feeds[i], &d->router.seen);
		metric_set_hide(&d->feeds[i]->self.metrics, false);
	}
	r->alarms_origin = rl->alarms_origin;
	atomic_store(&d->alarms.wanted, rl->alarms_wanted);
	trail_configured(r);
	r->leave_paused = false;
	r->catchup_due = true;
	r->save_pending = r->space_due = true;
	step_at("reload: switched, not saved");
	if (r->open.batch.n == 0)
		return;		/* nothing that must outlive us */
	save_soon(r);
	save_call(r, call);
}
