/* dispatch.c - the engine put together, started and stopped. */
#include "dispatch/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "dispatch/engine.h"
#include "dispatch/recover.h"

static struct plugin_use *use_of(struct dispatch *d, struct loader *loader,
				 const struct config_instance *in, struct pb_error *err)
{
	const struct pb_plugin *plugin = in->builtin ? &alarms_plugin : loader_find(loader, in->plugin, err);
	for (size_t i = 0; i < d->n_uses && plugin != NULL; i++)
		if (plugin_use_plugin(d->uses[i]) == plugin)
			return d->uses[i];
	if (plugin == NULL)
		return NULL;
	d->uses = xrealloc(d->uses, d->n_uses + 1, sizeof(struct plugin_use *));
	return d->uses[d->n_uses++] = plugin_use_new(plugin, &d->env.instance);
}

static void add_feeds(struct dispatch *d, const struct config_instance *in, struct plugin_use *use)
{
	unsigned n = (unsigned)options_int(in->options, "workers");
	d->feeds = xrealloc(d->feeds, d->n_feeds + n, sizeof(struct feed *));
	struct feed *first = NULL;
	for (unsigned i = 0; i < n; i++) {
		struct feed *f = xcalloc(1, sizeof *f);
		feed_init(f, in, use, &d->env.instance, i);
		f->self.first = first != NULL ? &first->self : NULL;
		first = first != NULL ? first : f;
		f->commit = &d->commit;
		f->state = d->env.state;
		f->alarms = &d->alarms;
		d->alarms.wanted = d->alarms.wanted || in->builtin;
		d->feeds[d->n_feeds++] = f;
	}
}

static void add_outlet(struct dispatch *d, const struct config_instance *in, struct plugin_use *use)
{
	struct router *r = &d->router;
	struct outlet *o = xcalloc(1, sizeof *o);
	outlet_init(o, in, use, &d->env.instance, r, &r->inbox);
	r->outlets = xrealloc(r->outlets, r->n_outlets + 1, sizeof(struct outlet *));
	r->outlets[r->n_outlets++] = o;
	struct sender *s = &d->submitter;
	if (!o->async) {
		s = xcalloc(1, sizeof *s);
		sender_init(s, in->name);
		d->writers = xrealloc(d->writers, d->n_writers + 1, sizeof(struct sender *));
		d->writers[d->n_writers++] = s;
	}
	sender_add(s, o);
}

static void add_stage(struct dispatch *d, const struct config_instance *in, struct plugin_use *use)
{
	struct stage *st = xcalloc(1, sizeof *st);
	stage_init(st, in, use, &d->env.instance);
	d->stages = xrealloc(d->stages, d->n_stages + 1, sizeof(struct stage *));
	d->stages[d->n_stages++] = st;
}

static bool add_instance(struct dispatch *d, const struct config_instance *in, struct loader *loader,
			 struct pb_error *err)
{
	struct plugin_use *use = use_of(d, loader, in, err);
	if (use == NULL)
		return false;
	if (in->kind == CONFIG_SOURCE)
		add_feeds(d, in, use);
	else if (in->kind == CONFIG_SINK)
		add_outlet(d, in, use);
	else
		add_stage(d, in, use);
	return true;
}

static struct outlet *find_outlet(struct dispatch *d, const struct config_instance *in)
{
	for (size_t i = 0; i < d->router.n_outlets; i++)
		if (d->router.outlets[i]->config == in)
			return d->router.outlets[i];
	abort();	/* the configuration's names are resolved */
}

static struct stage *find_stage(struct dispatch *d, const struct config_instance *in)
{
	for (size_t i = 0; i < d->n_stages; i++)
		if (d->stages[i]->config == in)
			return d->stages[i];
	abort();
}

static struct route *add_route(struct dispatch *d, struct config_route *config)
{
	struct router *r = &d->router;
	struct route *route = xcalloc(1, sizeof *route);
	route->config = config;
	route->n_stages = config->n_filters;
	route->stages = xcalloc(route->n_stages, sizeof(struct stage *));
	for (size_t i = 0; i < route->n_stages; i++)
		route->stages[i] = find_stage(d, config->filters[i]);
	route->n_lanes = config->n_to;
	route->lanes = xcalloc(route->n_lanes, sizeof(struct lane *));
	r->lanes = xrealloc(r->lanes, r->n_lanes + route->n_lanes, sizeof(struct lane *));
	for (size_t i = 0; i < route->n_lanes; i++) {
		struct outlet *o = find_outlet(d, config->to[i]);
		route->lanes[i] = r->lanes[r->n_lanes++] = lane_new(r, route, o);
		outlet_add_lane(o, route->lanes[i]);
	}
	return route;
}

struct dispatch *dispatch_new(const struct config *config, struct loader *loader,
			      const struct dispatch_env *env, struct pb_error *err)
{
	struct dispatch *d = xcalloc(1, sizeof *d);
	struct router *r = &d->router;
	d->env = *env;
	router_init(r, env->instance.clock, env->journal, env->state, env->memory);
	r->max_size = env->max_size;
	r->commit = &d->commit;
	r->alarms = &d->alarms;
	alarms_init(&d->alarms);
	commit_init(&d->commit, env->journal, &r->inbox, &r->watermarks);
	d->commit.alarms = &d->alarms;
	d->commit.clock = env->instance.clock;
	d->commit.ending = env->ending;
	sender_init(&d->submitter, "submit");
	d->started_ms = clock_wall(env->instance.clock);
	bool ok = true;
	for (size_t i = 0; i < config->n_instances && ok; i++)
		ok = add_instance(d, config->instances[i], loader, err);
	if (ok) {
		r->routes = xcalloc(config->n_routes, sizeof(struct route *));
		for (size_t i = 0; i < config->n_routes; i++)
			r->routes[r->n_routes++] = add_route(d, config->routes[i]);
		ok = recover_run(&(struct recover){ r, d->feeds, d->n_feeds }, err);
	}
	if (ok)
		return d;
	dispatch_free(d);
	return NULL;
}

static void open_one(struct pb_self *self, struct report *report)
{
	struct pb_error err;
	error_init(&err);
	if (!instance_open(self, &err))
		options_report(self->options, self->title, &err, report);
	error_free(&err);
}

static void close_all(struct dispatch *d)
{
	for (size_t i = 0; i < d->n_feeds; i++)
		instance_close(&d->feeds[i]->self);
	for (size_t i = 0; i < d->n_stages; i++)
		for (size_t k = 0; k < d->stages[i]->n_workers; k++)
			instance_close(&d->stages[i]->workers[k].self);
	for (size_t i = 0; i < d->router.n_outlets; i++)
		instance_close(&d->router.outlets[i]->self);
}

static void close_removed(struct dispatch *d, struct report *report)
{
	int failed = recover_close_removed(&d->router);
	if (failed < 0)
		report_error(report, (struct place){ "state", 0 }, NULL, NULL,
			     "cannot bring up the state: %s", strerror(-failed));
}

bool dispatch_open(struct dispatch *d, struct report *report)
{
	unsigned before = report->errors;
	for (size_t i = 0; i < d->router.n_outlets; i++)
		open_one(&d->router.outlets[i]->self, report);
	for (size_t i = 0; i < d->n_stages; i++)
		for (size_t k = 0; k < d->stages[i]->n_workers; k++)
			open_one(&d->stages[i]->workers[k].self, report);
	for (size_t i = 0; i < d->n_feeds; i++)
		open_one(&d->feeds[i]->self, report);
	if (report->errors == before)
		close_removed(d, report);
	if (report->errors == before)
		return true;
	close_all(d);
	/* Nothing was begun, so the next start has nothing to make good. */
	save_now(&d->router, true);
	return false;
}

int dispatch_start(struct dispatch *d)
{
	/* From the disk up: what a thread hands over finds its taker. */
	int failed = saver_start(&d->router.saver);
	if (failed == 0 && d->submitter.n_outlets > 0)
		failed = sender_start(&d->submitter);
	for (size_t i = 0; i < d->n_writers && failed == 0; i++)
		failed = sender_start(d->writers[i]);
	for (size_t i = 0; i < d->n_stages && failed == 0; i++)
		failed = stage_start(d->stages[i]);
	if (failed == 0)
		failed = router_start(&d->router);
	for (size_t i = 0; i < d->n_feeds && failed == 0; i++)
		failed = feed_start(d->feeds[i]);
	return failed;
}

void dispatch_reopen(struct dispatch *d)
{
	sender_reopen(&d->submitter);
	for (size_t i = 0; i < d->n_writers; i++)
		sender_reopen(d->writers[i]);
	for (size_t i = 0; i < d->n_feeds; i++)
		feed_reopen(d->feeds[i]);
}

struct metrics *dispatch_metrics(struct dispatch *d)
{
	return d->env.instance.metrics;
}

void dispatch_free(struct dispatch *d)
{
	struct router *r = &d->router;
	close_all(d);
	/* Jobs in the stages hold slots of lanes: first those. */
	for (size_t i = 0; i < d->n_stages; i++) {
		stage_fini(d->stages[i]);
		free(d->stages[i]);
	}
	for (size_t i = 0; i < d->n_feeds; i++) {
		feed_fini(d->feeds[i]);
		free(d->feeds[i]);
	}
	for (size_t i = 0; i < d->n_writers; i++) {
		sender_fini(d->writers[i]);
		free(d->writers[i]);
	}
	sender_fini(&d->submitter);
	for (size_t i = 0; i < r->n_outlets; i++) {
		outlet_fini(r->outlets[i]);
		free(r->outlets[i]);
	}
	/* Their threads may be on their way out of an answer: before what that touches. */
	for (size_t i = 0; i < d->n_uses; i++)
		plugin_use_free(d->uses[i]);
	commit_fini(&d->commit);
	alarms_fini(&d->alarms);
	router_fini(r);
	free(d->uses);
	free(d->feeds);
	free(d->stages);
	free(d->writers);
	free(d);
}
