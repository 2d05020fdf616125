/* build.c - sources, filters, sinks and routes made of their sections. */
#include "dispatch/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dispatch/isolate.h"

struct plugin_use *build_use(struct dispatch *d, struct loader *loader, const struct config_instance *in,
			     struct pb_error *err)
{
	const struct pb_plugin *plugin = in->builtin ? &alarms_plugin : loader_find(loader, in->plugin, err);
	bool isolated = strcmp(options_str(in->options, "isolate"), "process") == 0;
	for (size_t i = 0; i < d->n_uses && plugin != NULL; i++) {
		const struct pb_plugin *used = plugin_use_plugin(d->uses[i]);
		if ((isolated ? isolate_real(used) : used) == plugin)
			return d->uses[i];
	}
	if (plugin == NULL)
		return NULL;
	if (isolated)
		plugin = isolate_plugin_new(plugin, loader_folder(loader));
	d->uses = xrealloc(d->uses, d->n_uses + 1, sizeof(struct plugin_use *));
	return d->uses[d->n_uses++] = plugin_use_new(plugin, &d->env.instance);
}

struct feed **build_feeds(struct dispatch *d, struct config_instance *in, struct plugin_use *use, size_t *n)
{
	*n = (size_t)options_int(in->options, "workers");
	struct feed **feeds = xcalloc(*n, sizeof(struct feed *));
	for (unsigned i = 0; i < *n; i++) {
		struct feed *f = feeds[i] = xcalloc(1, sizeof *f);
		feed_init(f, in, use, &d->env.instance, i);
		f->self.first = i > 0 ? &feeds[0]->self : NULL;
		f->commit = &d->commit;
		f->state = d->env.state;
		f->dedupe_ms = options_int(in->options, "dedupe");
		f->seen = f->dedupe_ms > 0 ? &d->router.seen : NULL;
		f->alarms = &d->alarms;
		f->wake = d->env.wake;
		f->wake_arg = d->env.wake_arg;
	}
	in->live = feeds[0];
	return feeds;
}

struct outlet *build_outlet(struct dispatch *d, struct config_instance *in, struct plugin_use *use)
{
	struct outlet *o = xcalloc(1, sizeof *o);
	struct sender *s = &d->submitter;
	outlet_init(o, in, use, &d->env.instance, &d->router, &d->router.inbox);
	if (!o->async) {
		s = xcalloc(1, sizeof *s);
		sender_init(s, in->name);
	}
	o->sender = s;
	in->live = o;
	return o;
}

struct stage *build_stage(struct dispatch *d, struct config_instance *in, struct plugin_use *use)
{
	struct stage *st = xcalloc(1, sizeof *st);
	stage_init(st, in, use, &d->env.instance);
	in->live = st;
	return st;
}

void *build_live(const struct config_instance *in)
{
	return in->same ? in->other->live : in->live;
}

struct route *build_route(struct config_route *config)
{
	struct route *route = xcalloc(1, sizeof *route);
	route->config = config;
	route->n_stages = config->n_filters;
	route->stages = xcalloc(route->n_stages, sizeof(struct stage *));
	for (size_t i = 0; i < route->n_stages; i++)
		route->stages[i] = build_live(config->filters[i]);
	route->n_lanes = config->n_to;
	route->lanes = xcalloc(route->n_lanes, sizeof(struct lane *));
	return route;
}

void build_open(struct pb_self *self, struct report *report)
{
	struct pb_error err;
	error_init(&err);
	if (!instance_open(self, &err))
		options_report(self->options, self->title, &err, report);
	error_free(&err);
}

void build_open_stage(struct stage *st, struct report *report)
{
	for (size_t k = 0; k < st->n_workers; k++)
		build_open(&st->workers[k].self, report);
}

void build_free_use(struct plugin_use *use)
{
	const struct pb_plugin *plugin = plugin_use_plugin(use);
	plugin_use_free(use);
	if (isolate_real(plugin) != NULL)
		isolate_plugin_free(plugin);
}

void build_free_feed(struct feed *f)
{
	instance_close(&f->self);
	feed_fini(f);
	free(f);
}

void build_free_outlet(struct outlet *o)
{
	struct sender *s = o->sender;
	instance_close(&o->self);
	sender_remove(s, o);
	if (!o->async) {
		sender_fini(s);
		free(s);
	}
	outlet_fini(o);
	free(o);
}

void build_free_stage(struct stage *st)
{
	for (size_t k = 0; k < st->n_workers; k++)
		instance_close(&st->workers[k].self);
	stage_fini(st);
	free(st);
}
