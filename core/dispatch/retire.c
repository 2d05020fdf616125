/* retire.c - what earlier configurations left behind. */
#include "dispatch/retire.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "dispatch/build.h"

void retire_outlet(struct retired *rt, struct router *r, struct outlet *o)
{
	struct outlet **at = &r->to_pump;
	while (*at != NULL && *at != o)
		at = &(*at)->pump_next;
	if (*at == o)
		*at = o->pump_next;
	timer_clear(&r->timers, &o->timer);
	timer_clear(&r->timers, &o->rate_timer);
	if (!o->retired)
		o->retired_ms = router_now(r);
	o->retired = true;
	rt->outlets = xrealloc(rt->outlets, rt->n_outlets + 1, sizeof(struct outlet *));
	rt->outlets[rt->n_outlets++] = o;
}

void retire_stage(struct retired *rt, struct stage *st)
{
	rt->stages = xrealloc(rt->stages, rt->n_stages + 1, sizeof(struct stage *));
	rt->stages[rt->n_stages++] = st;
}

void retire_route(struct retired *rt, struct route *route)
{
	route->retired = true;
	rt->routes = xrealloc(rt->routes, rt->n_routes + 1, sizeof(struct route *));
	rt->routes[rt->n_routes++] = route;
}

void retire_end(struct outlet *o)
{
	if (o->async && o->self.opened && o->self.plugin->sink->stop != NULL)
		o->self.plugin->sink->stop(o->self.state);
}

static void watch(struct outlet *o)
{
	outlet_watch(o);
	if (o->late_said || o->in_flight == 0 ||
	    router_now(o->router) - o->retired_ms <= options_int(o->config->options, "timeout"))
		return;
	o->late_said = true;
	log_write(PB_WARN, o->self.title, "has not answered %zu deliveries that it had before the reload, longer than "
		  "timeout", o->in_flight);
}

void retire_watch(const struct retired *rt)
{
	for (size_t i = 0; i < rt->n_outlets; i++)
		watch(rt->outlets[i]);
}

static bool is_used(const struct retired *rt, const struct stage *st)
{
	for (size_t i = 0; i < rt->n_routes; i++)
		for (size_t k = 0; k < rt->routes[i]->n_stages; k++)
			if (rt->routes[i]->stages[k] == st)
				return true;
	return false;
}

/* Take out of the list what has ended. */
struct bury_call {
	struct inbox_call call;
	struct dispatch *d;
	struct retired ended;
};

static void forget_writer(struct dispatch *d, const struct sender *s)
{
	for (size_t i = 0; i < d->n_writers; i++)
		if (d->writers[i] == s)
			d->writers[i] = d->writers[--d->n_writers];
}

static void take_ended(struct inbox_call *call)
{
	struct bury_call *bc = (struct bury_call *)call;
	struct retired *rt = &bc->d->retired, left = { 0 };
	struct router *r = &bc->d->router;
	for (size_t i = 0; i < rt->n_routes; i++)
		retire_route(rt->routes[i]->jobs > 0 ? &left : &bc->ended, rt->routes[i]);
	for (size_t i = 0; i < rt->n_outlets; i++) {
		struct outlet *o = rt->outlets[i];
		retire_outlet(o->in_flight > 0 ? &left : &bc->ended, r, o);
		if (o->in_flight == 0)
			forget_writer(bc->d, o->sender);
	}
	for (size_t i = 0; i < rt->n_stages; i++)
		retire_stage(is_used(&left, rt->stages[i]) ? &left : &bc->ended, rt->stages[i]);
	free(rt->routes);
	free(rt->outlets);
	free(rt->stages);
	*rt = left;
}

/* What did not end after all is tried another time. */
static void put_back(struct inbox_call *call)
{
	struct bury_call *bc = (struct bury_call *)call;
	for (size_t i = 0; i < bc->ended.n_outlets; i++) {
		struct outlet *o = bc->ended.outlets[i];
		retire_outlet(&bc->d->retired, &bc->d->router, o);
		if (!o->async)
			dispatch_add_writer(bc->d, o->sender);
	}
	for (size_t i = 0; i < bc->ended.n_stages; i++)
		retire_stage(&bc->d->retired, bc->ended.stages[i]);
}

static bool end_outlet(const struct dispatch *d, struct outlet *o, int64_t deadline)
{
	if (o->async)
		return sender_leave(o->sender, o, d->env.instance.clock, deadline);
	sender_stop(o->sender);
	return sender_join(o->sender, d->env.instance.clock, deadline);
}

static bool end_stage(struct stage *st, int64_t deadline)
{
	stage_stop(st);
	return stage_join(st, deadline);
}

static void free_outlet(struct outlet *o)
{
	struct config_instance *config = o->config;
	build_free_outlet(o);
	config_instance_free(config);
}

static void free_stage(struct stage *st)
{
	struct config_instance *config = st->config;
	build_free_stage(st);
	config_instance_free(config);
}

static void free_route(struct route *route)
{
	config_route_free(route->config);
	route_free(route);
}

static void free_ended(struct dispatch *d, struct retired *rt)
{
	/* Whoever reads a status has their names. */
	dispatch_read_begin(d);
	for (size_t i = 0; i < rt->n_routes; i++)
		free_route(rt->routes[i]);
	for (size_t i = 0; i < rt->n_outlets; i++)
		free_outlet(rt->outlets[i]);
	for (size_t i = 0; i < rt->n_stages; i++)
		free_stage(rt->stages[i]);
	dispatch_read_end(d);
	free(rt->routes);
	free(rt->outlets);
	free(rt->stages);
}

void retire_bury(struct dispatch *d, int64_t deadline)
{
	struct bury_call bc = { .call.run = take_ended, .d = d };
	struct retired done = { 0 };
	dispatch_on_router(d, &bc.call);
	done.routes = bc.ended.routes;
	done.n_routes = bc.ended.n_routes;
	bc.ended.routes = NULL;
	bc.ended.n_routes = 0;
	for (size_t i = 0; i < bc.ended.n_outlets; )
		if (end_outlet(d, bc.ended.outlets[i], deadline)) {
			done.outlets = xrealloc(done.outlets, done.n_outlets + 1, sizeof(struct outlet *));
			done.outlets[done.n_outlets++] = bc.ended.outlets[i];
			bc.ended.outlets[i] = bc.ended.outlets[--bc.ended.n_outlets];
		} else {
			i++;
		}
	for (size_t i = 0; i < bc.ended.n_stages; )
		if (end_stage(bc.ended.stages[i], deadline)) {
			retire_stage(&done, bc.ended.stages[i]);
			bc.ended.stages[i] = bc.ended.stages[--bc.ended.n_stages];
		} else {
			i++;
		}
	free_ended(d, &done);
	bc.call.run = put_back;
	if (bc.ended.n_outlets > 0 || bc.ended.n_stages > 0)
		dispatch_on_router(d, &bc.call);
	free(bc.ended.outlets);
	free(bc.ended.stages);
}

bool retire_stop(struct dispatch *d, int64_t deadline)
{
	bool all = true;
	for (size_t i = 0; i < d->retired.n_stages; i++)
		stage_stop(d->retired.stages[i]);
	for (size_t i = 0; i < d->retired.n_stages; i++)
		if (!stage_join(d->retired.stages[i], deadline)) {
			log_write(PB_WARN, d->retired.stages[i]->config->title, "did not stop within shutdown_timeout");
			all = false;
		}
	return all;
}

void retire_free(struct dispatch *d)
{
	struct retired *rt = &d->retired;
	for (size_t i = 0; i < rt->n_stages; i++)
		free_stage(rt->stages[i]);
	for (size_t i = 0; i < rt->n_outlets; i++)
		free_outlet(rt->outlets[i]);
	for (size_t i = 0; i < rt->n_routes; i++)
		free_route(rt->routes[i]);
	free(rt->stages);
	free(rt->outlets);
	free(rt->routes);
	*rt = (struct retired){ 0 };
}
