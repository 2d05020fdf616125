/* dispatch.c - the engine put together, started and stopped. */
#include "dispatch/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "dispatch/build.h"
#include "dispatch/recover.h"
#include "dispatch/trail.h"
#include "state/history.h"

#define BURY_MS 100	/* what has answered all, but is not back yet, is waited for; else the next time */

static void add_feeds(struct dispatch *d, struct config_instance *in, struct plugin_use *use)
{
	size_t n;
	struct feed **feeds = build_feeds(d, in, use, &n);
	d->feeds = xrealloc(d->feeds, d->n_feeds + n, sizeof(struct feed *));
	memcpy(d->feeds + d->n_feeds, feeds, n * sizeof(struct feed *));
	d->n_feeds += n;
	free(feeds);
	if (in->builtin)
		atomic_store(&d->alarms.wanted, true);
}

static void add_outlet(struct dispatch *d, struct config_instance *in, struct plugin_use *use)
{
	struct router *r = &d->router;
	struct outlet *o = build_outlet(d, in, use);
	sender_add(o->sender, o);
	r->outlets = xrealloc(r->outlets, r->n_outlets + 1, sizeof(struct outlet *));
	r->outlets[r->n_outlets++] = o;
	if (!o->async)
		dispatch_add_writer(d, o->sender);
}

static void add_stage(struct dispatch *d, struct config_instance *in, struct plugin_use *use)
{
	d->stages = xrealloc(d->stages, d->n_stages + 1, sizeof(struct stage *));
	d->stages[d->n_stages++] = build_stage(d, in, use);
}

static bool add_instance(struct dispatch *d, struct config_instance *in, struct loader *loader,
			 struct pb_error *err)
{
	struct plugin_use *use = build_use(d, loader, in, err);
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

static struct route *add_route(struct dispatch *d, struct config_route *config)
{
	struct router *r = &d->router;
	struct route *route = build_route(config);
	r->lanes = xrealloc(r->lanes, r->n_lanes + route->n_lanes, sizeof(struct lane *));
	for (size_t i = 0; i < route->n_lanes; i++) {
		struct outlet *o = build_live(config->to[i]);
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
	pthread_mutex_init(&d->readers, NULL);
	router_init(r, env->instance.clock, env->journal, env->state, env->memory);
	r->max_size = env->max_size;
	r->retain.keep = env->keep;
	share_init(&r->share, env->max_size);
	r->commit = &d->commit;
	r->history = env->history;
	r->alarms = &d->alarms;
	r->retired = &d->retired;
	r->wake = env->wake;
	r->wake_arg = env->wake_arg;
	alarms_init(&d->alarms);
	commit_init(&d->commit, env->journal, &r->inbox, &r->watermarks);
	d->commit.alarms = &d->alarms;
	d->commit.traced = env->history != NULL;
	d->commit.clock = env->instance.clock;
	d->commit.ending = env->ending;
	d->commit.seen = &r->seen;
	sender_init(&d->submitter, "submit");
	d->started_ms = clock_wall(env->instance.clock);
	atomic_init(&d->loaded_ms, d->started_ms);
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
		build_open(&d->router.outlets[i]->self, report);
	for (size_t i = 0; i < d->n_stages; i++)
		build_open_stage(d->stages[i], report);
	for (size_t i = 0; i < d->n_feeds; i++)
		build_open(&d->feeds[i]->self, report);
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
	int failed = history_start(d->env.history);
	trail_configured(&d->router);
	if (failed == 0)
		failed = saver_start(&d->router.saver);
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

void dispatch_bury(struct dispatch *d)
{
	retire_bury(d, clock_mono(d->env.instance.clock) + BURY_MS);
}

void dispatch_note_reload(struct dispatch *d, bool right)
{
	int64_t now = clock_wall(d->env.instance.clock);
	if (right)
		atomic_store(&d->loaded_ms, now);
	atomic_store(&d->refused_ms, right ? 0 : now);
}

void dispatch_read_begin(struct dispatch *d)
{
	pthread_mutex_lock(&d->readers);
}

void dispatch_read_end(struct dispatch *d)
{
	pthread_mutex_unlock(&d->readers);
}

struct reopen_call {
	struct inbox_call call;
	struct dispatch *d;
};

static void reopen(struct inbox_call *call)
{
	struct dispatch *d = ((struct reopen_call *)call)->d;
	sender_reopen(&d->submitter);
	for (size_t i = 0; i < d->n_writers; i++)
		sender_reopen(d->writers[i]);
	for (size_t i = 0; i < d->n_feeds; i++)
		feed_reopen(d->feeds[i]);
}

void dispatch_reopen(struct dispatch *d)
{
	struct reopen_call rc = { .call.run = reopen, .d = d };
	dispatch_on_router(d, &rc.call);
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
	for (size_t i = 0; i < d->n_stages; i++)
		build_free_stage(d->stages[i]);
	retire_free(d);
	for (size_t i = 0; i < d->n_feeds; i++)
		build_free_feed(d->feeds[i]);
	for (size_t i = 0; i < r->n_outlets; i++)
		build_free_outlet(r->outlets[i]);
	sender_fini(&d->submitter);
	/* Their threads may be on their way out of an answer: before what that touches. */
	for (size_t i = 0; i < d->n_uses; i++)
		build_free_use(d->uses[i]);
	commit_fini(&d->commit);
	alarms_fini(&d->alarms);
	router_fini(r);
	pthread_mutex_destroy(&d->readers);
	free(d->uses);
	free(d->feeds);
	free(d->stages);
	free(d->writers);
	free(d);
}
