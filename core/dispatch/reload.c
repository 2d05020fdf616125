/* reload.c - one configuration for another: what the main thread does of it. */
#include "dispatch/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "base/thread.h"
#include "dispatch/build.h"
#include "dispatch/recover.h"

#define SAVE_TRIES 30		/* a second each */
#define TITLES_MAX 1000		/* bytes of sections' names in an event of its own */

static void fail(struct reload *rl, const struct config_instance *in, const char *what, int failed)
{
	report_error(rl->report, in != NULL ? in->place : (struct place){ files_name(rl->now->files, 0), 0 },
		     in != NULL ? in->title : NULL, NULL, "%s: %s", what, strerror(-failed));
}

/* What does not run is made again, as if its section had changed. */
static void note_broken(struct dispatch *d)
{
	for (size_t i = 0; i < d->n_feeds; i++)
		d->feeds[i]->config->broken = d->feeds[i]->config->broken || !d->feeds[i]->self.opened ||
					      atomic_load(&d->feeds[i]->stopping);
	for (size_t i = 0; i < d->router.n_outlets; i++)
		d->router.outlets[i]->config->broken = !d->router.outlets[i]->self.opened;
}

static void add_feeds(struct reload *rl, struct feed *const feeds[], size_t n)
{
	rl->feeds = xrealloc(rl->feeds, rl->n_feeds + n, sizeof(struct feed *));
	memcpy(rl->feeds + rl->n_feeds, feeds, n * sizeof(struct feed *));
	rl->n_feeds += n;
}

static void keep_feeds(struct reload *rl, const struct config_instance *in)
{
	for (size_t i = 0; i < rl->d->n_feeds; i++)
		if (rl->d->feeds[i]->config == in)
			add_feeds(rl, &rl->d->feeds[i], 1);
}

static void make_feeds(struct reload *rl, struct config_instance *in, struct plugin_use *use)
{
	size_t n;
	struct feed **feeds = build_feeds(rl->d, in, use, &n);
	for (size_t i = 0; i < n; i++)
		metric_set_hide(&feeds[i]->self.metrics, true);
	add_feeds(rl, feeds, n);
	free(feeds);
}

bool reload_open_outlet(struct reload *rl, struct outlet *o, struct report *report)
{
	struct sender *s = o->sender;
	build_open(&o->self, report);
	if (!o->self.opened)
		return false;
	sender_add(s, o);
	int failed = rl->d->router.started && !s->started ? sender_start(s) : 0;
	if (failed < 0)
		fail(rl, o->config, "cannot start a thread", failed);
	return true;
}

static void make_outlet(struct reload *rl, struct config_instance *in, struct plugin_use *use)
{
	struct dispatch *d = rl->d;
	struct outlet *o = build_outlet(d, in, use);
	metric_set_hide(&o->self.metrics, true);
	rl->outlets[rl->n_outlets++] = o;
	struct report report;
	report_init(&report);
	if (!reload_may_wait(rl, o))
		reload_open_outlet(rl, o, rl->report);
	else if (!reload_open_outlet(rl, o, &report)) {
		rl->late = xrealloc(rl->late, rl->n_late + 1, sizeof(struct outlet *));
		rl->late[rl->n_late++] = o;
	}
	report_free(&report);
}

static void make_stage(struct reload *rl, struct config_instance *in, struct plugin_use *use)
{
	struct stage *st = build_stage(rl->d, in, use);
	for (size_t k = 0; k < st->n_workers; k++)
		metric_set_hide(&st->workers[k].self.metrics, true);
	rl->stages[rl->n_stages++] = st;
	build_open_stage(st, rl->report);
	int failed = rl->d->router.started ? stage_start(st) : 0;
	if (failed < 0)
		fail(rl, in, "cannot start a thread", failed);
}

static void keep(struct reload *rl, struct config_instance *was)
{
	if (was->kind == CONFIG_SOURCE)
		keep_feeds(rl, was);
	else if (was->kind == CONFIG_SINK)
		rl->outlets[rl->n_outlets++] = was->live;
	else
		rl->stages[rl->n_stages++] = was->live;
}

static void make(struct reload *rl, struct config_instance *in)
{
	struct pb_error err;
	error_init(&err);
	struct plugin_use *use = build_use(rl->d, rl->loader, in, &err);
	options_report(in->options, in->title, &err, rl->report);
	if (use == NULL)
		return;
	if (in->kind == CONFIG_SOURCE)
		make_feeds(rl, in, use);
	else if (in->kind == CONFIG_SINK)
		make_outlet(rl, in, use);
	else
		make_stage(rl, in, use);
}

/* Sinks and filters are open after this, sources not yet. */
static void make_parts(struct reload *rl)
{
	struct config *now = rl->now;
	rl->outlets = xcalloc(now->n_instances, sizeof(struct outlet *));
	rl->stages = xcalloc(now->n_instances, sizeof(struct stage *));
	for (size_t i = 0; i < now->n_instances; i++)
		if (now->instances[i]->same)
			keep(rl, now->instances[i]->other);
		else
			make(rl, now->instances[i]);
}

static void number_parts(struct reload *rl)
{
	struct config *now = rl->now;
	for (size_t i = 0; i < rl->n_feeds; i++) {
		uint32_t number = names_number(&rl->names, NAME_SOURCE, rl->feeds[i]->self.name, NULL);
		if (rl->feeds[i]->number == 0)
			rl->feeds[i]->number = number;
		if (rl->feeds[i]->self.plugin == &alarms_plugin) {
			rl->alarms_origin = number;
			rl->alarms_wanted = true;
		}
	}
	for (size_t i = 0; i < rl->n_outlets; i++)
		if (rl->outlets[i]->number == 0)
			rl->outlets[i]->number = names_number(&rl->names, NAME_SINK, rl->outlets[i]->config->name, NULL);
	rl->routes = xcalloc(now->n_routes, sizeof(struct route *));
	rl->lanes = xcalloc(now->n_routes, sizeof(uint32_t *));
	for (size_t i = 0; i < now->n_routes; i++) {
		struct config_route *config = now->routes[i];
		struct route *route = rl->routes[rl->n_routes++] = build_route(config);
		route->rule = recover_rule(&rl->names, config);
		rl->lanes[i] = xcalloc(config->n_to, sizeof(uint32_t));
		rl->n_lanes += config->n_to;
		for (size_t k = 0; k < config->n_to; k++) {
			char *title = xasprintf("%s %s", config->name, config->to[k]->name);
			rl->lanes[i][k] = names_number(&rl->names, NAME_LANE, title, NULL);
			free(title);
		}
	}
}

static void on_router(struct reload *rl, void (*run)(struct inbox_call *))
{
	rl->call.run = run;
	dispatch_on_router(rl->d, &rl->call);
}

/* New names are on disk before the journal speaks of them. */
static void number(struct reload *rl)
{
	struct dispatch *d = rl->d;
	int failed = names_read(&rl->names, d->env.state, (uint32_t)d->router.n_numbers - 1, &rl->rows);
	if (failed < 0) {
		fail(rl, NULL, "cannot read the state", failed);
		return;
	}
	number_parts(rl);
	on_router(rl, reload_number);
	for (int i = 0; i < SAVE_TRIES && !rl->saved; i++)
		on_router(rl, reload_wait);
	step_at("reload: names saved");
	if (!rl->saved)
		fail(rl, NULL, "the state, which must be told of what is new before it begins, cannot be saved", -ENOSPC);
}

/* Sources. */

static bool is_new(const struct reload *rl, const struct feed *f)
{
	return !f->config->same && config_is_in(rl->now, f->config);
}

static void stop_feeds(struct reload *rl)
{
	struct dispatch *d = rl->d;
	int64_t deadline = clock_mono(d->env.instance.clock) + d->env.shutdown_ms;
	for (size_t i = 0; i < d->n_feeds; i++)
		if (reload_goes(d->feeds[i]->config))
			feed_stop(d->feeds[i]);
	commit_room(&d->commit);
	for (size_t i = 0; i < d->n_feeds; i++) {
		struct feed *f = d->feeds[i];
		if (!reload_goes(f->config))
			continue;
		if (f->started && !thread_join_until(f->thread, deadline)) {
			report_error(rl->report, f->config->place, f->self.title, NULL,
				     "did not stop within shutdown_timeout; it will not take in more until the "
				     "next reload");
			continue;
		}
		if (!f->started && f->self.opened)
			feed_commit(f);
		f->started = false;
		instance_hand_over(&f->self, &rl->pool);
		instance_close(&f->self);
	}
}

static void inherit(struct reload *rl, struct feed *f)
{
	for (size_t i = 0; i < rl->d->n_feeds; i++) {
		const struct feed *old = rl->d->feeds[i];
		if (old->config == f->config->other && old->self.worker == f->self.worker)
			feed_inherit(f, old);
	}
}

static void open_feeds(struct reload *rl)
{
	for (size_t i = 0; i < rl->n_feeds; i++) {
		struct feed *f = rl->feeds[i];
		if (!is_new(rl, f))
			continue;
		inherit(rl, f);
		f->self.pool = &rl->pool;
		build_open(&f->self, rl->report);
	}
}

static void start_feed(struct reload *rl, struct feed *f)
{
	int failed = rl->d->router.started ? feed_start(f) : 0;
	if (failed < 0)
		log_write(PB_ERROR, f->self.title, "cannot start a thread: %s; it takes in nothing until the next "
			  "reload", strerror(-failed));
	if (failed < 0)
		feed_stop(f);
}

/* The new ones could not be opened: the old ones again. */
static void reopen_feeds(struct reload *rl)
{
	struct dispatch *d = rl->d;
	for (size_t i = 0; i < rl->n_feeds; i++)
		if (is_new(rl, rl->feeds[i]))
			instance_close(&rl->feeds[i]->self);
	listen_pool_return(&rl->pool);
	for (size_t i = 0; i < d->n_feeds; i++) {
		struct feed *f = d->feeds[i];
		struct pb_error err;
		error_init(&err);
		if (!reload_goes(f->config) || f->started)
			continue;
		f->self.pool = &rl->pool;
		if (instance_open(&f->self, &err)) {
			feed_rewind(f);
			start_feed(rl, f);
		} else {
			log_write(PB_ERROR, f->self.title, "cannot be opened again as it was: %s; it takes in "
				  "nothing until the next reload", error_text(&err));
		}
		error_free(&err);
	}
}

static void change_sources(struct reload *rl)
{
	unsigned before = rl->report->errors;
	stop_feeds(rl);
	step_at("reload: sources stopped");
	if (rl->report->errors == before)
		open_feeds(rl);
	if (rl->report->errors > before)
		reopen_feeds(rl);
}

/* The end, one way or the other. */

static void end_pool(struct reload *rl)
{
	struct dispatch *d = rl->d;
	listen_pool_close(&rl->pool);
	for (size_t i = 0; i < d->n_feeds; i++)
		d->feeds[i]->self.pool = NULL;
}

static void free_lists(struct reload *rl)
{
	for (size_t i = 0; rl->lanes != NULL && i < rl->now->n_routes; i++)
		free(rl->lanes[i]);
	free(rl->lanes);
	free(rl->feeds);
	free(rl->outlets);
	free(rl->stages);
	free(rl->routes);
	free(rl->late);
	free(rl->closed);
	names_free(&rl->names);
	batch_free(&rl->rows);
}

static void undo_outlet(struct reload *rl, struct outlet *o)
{
	sender_leave(o->sender, o, rl->d->env.instance.clock, INT64_MAX);
	if (!o->async) {
		sender_stop(o->sender);
		sender_join(o->sender, rl->d->env.instance.clock, INT64_MAX);
	}
	build_free_outlet(o);
}

/* All that is new goes; nobody has seen it. */
static void undo(struct reload *rl)
{
	reload_sinks_undo(rl);
	on_router(rl, reload_cancel);
	for (size_t i = 0; i < rl->n_routes; i++)
		route_free(rl->routes[i]);
	for (size_t i = 0; i < rl->n_feeds; i++)
		if (is_new(rl, rl->feeds[i]))
			build_free_feed(rl->feeds[i]);
	for (size_t i = 0; i < rl->n_stages; i++) {
		if (!config_is_in(rl->now, rl->stages[i]->config))
			continue;
		stage_stop(rl->stages[i]);
		stage_join(rl->stages[i], INT64_MAX);
		build_free_stage(rl->stages[i]);
	}
	for (size_t i = 0; i < rl->n_outlets; i++)
		if (config_is_in(rl->now, rl->outlets[i]->config))
			undo_outlet(rl, rl->outlets[i]);
	end_pool(rl);
}

/* Their names are read by whoever has a status. */
static void free_old(struct reload *rl)
{
	struct dispatch *d = rl->d;
	for (size_t i = 0; i < d->retired.n_outlets; i++)
		config_release_instance(rl->old, d->retired.outlets[i]->config);
	for (size_t i = 0; i < d->retired.n_stages; i++)
		config_release_instance(rl->old, d->retired.stages[i]->config);
	for (size_t i = 0; i < d->retired.n_routes; i++)
		config_release_route(rl->old, d->retired.routes[i]->config);
	dispatch_read_begin(d);
	for (size_t i = 0; i < rl->n_feeds; i++)
		if (!config_is_in(rl->now, rl->feeds[i]->config))
			build_free_feed(rl->feeds[i]);
	config_free(rl->old);
	dispatch_read_end(d);
}

static void apply(struct reload *rl)
{
	struct dispatch *d = rl->d;
	config_take_over(rl->now, rl->old);
	on_router(rl, reload_switch);
	step_at("reload: switched and saved");
	end_pool(rl);
	for (size_t i = 0; i < d->n_feeds; i++)
		if (!d->feeds[i]->started)
			start_feed(rl, d->feeds[i]);
	free_old(rl);
	dispatch_bury(d);
	step_at("reload: the old is gone");
}

/* "sink team, route runs", as far as there is room. NULL: none. */
static char *titles_of(const struct config_changes *c, enum config_change_kind kind)
{
	struct buf b = BUF_INIT(TITLES_MAX);
	for (unsigned i = 0; i < c->counts[kind] && i < CHANGES_MAX && b.failed == 0; i++)
		buf_printf(&b, "%s%s", i > 0 ? ", " : "", c->titles[kind][i]);
	b.failed = 0;
	return buf_take(&b);
}

static void tell_reloaded(struct dispatch *d, const struct config_changes *c)
{
	char *added = titles_of(c, CHANGE_ADDED), *changed = titles_of(c, CHANGE_CHANGED);
	char *removed = titles_of(c, CHANGE_REMOVED);
	alarms_tell(&d->alarms, "patchbay.config.reloaded", clock_wall(d->env.instance.clock), "added", added,
		    "changed", changed, "removed", removed, NULL);
	free(added);
	free(changed);
	free(removed);
}

bool dispatch_reload(struct dispatch *d, struct config *now, struct config *old, struct loader *loader,
		     struct report *report, struct config_changes *changes)
{
	struct reload rl = { .d = d, .now = now, .old = old, .loader = loader, .report = report };
	unsigned before = report->errors;
	batch_init(&rl.rows);
	dispatch_bury(d);
	note_broken(d);
	config_compare(now, old, changes);
	make_parts(&rl);
	if (report->errors == before)
		number(&rl);
	if (report->errors == before)
		reload_sinks(&rl);
	if (report->errors == before)
		change_sources(&rl);
	bool right = report->errors == before;
	if (right)
		apply(&rl);
	else
		undo(&rl);
	if (right)
		tell_reloaded(d, changes);
	free_lists(&rl);
	return right;
}

struct limits_call {
	struct inbox_call call;
	struct router *router;
	size_t memory;
	const struct keep *keep;
};

static void set_limits(struct inbox_call *call)
{
	struct limits_call *lc = (struct limits_call *)call;
	inbox_limit(&lc->router->inbox, lc->memory);
	lc->router->retain.keep = *lc->keep;
	lc->router->space_due = true;
}

void dispatch_limits(struct dispatch *d, size_t memory, int64_t shutdown_ms, const struct keep *keep)
{
	struct limits_call lc = { .call.run = set_limits, .router = &d->router, .memory = memory, .keep = keep };
	d->env.shutdown_ms = shutdown_ms;
	dispatch_on_router(d, &lc.call);
}
