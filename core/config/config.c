/*
 * config.c - a whole configuration: names to instances and routes.
 *
 * What config_load() returns without errors can be run as it stands: every option is
 * within its limits, every name leads to something. It goes on after an error, so
 * that the operator sees all of them; what an error touched is marked, never used.
 * It must not open a plugin, a socket or the store.
 */
#include "config/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/builtin.h"
#include "config/check.h"
#include "config/section.h"
#include "config/suggest.h"
#include "config/values.h"

struct loading {
	struct config *config;
	const struct config_plugins *plugins;
	struct report *report;
};

const char *config_kind_name(enum config_kind kind)
{
	static const char *const names[] = { "source", "filter", "sink" };
	assert(kind >= 0 && kind < CONFIG_KINDS);
	return names[kind];
}

static struct section *find_section(const struct config *config, const char *kind)
{
	const struct sections *sections = &config->files->sections;
	for (size_t i = 0; i < sections->n; i++)
		if (strcmp(sections->at[i]->kind, kind) == 0)
			return sections->at[i];
	return NULL;
}

static void check_core(const struct options *core, struct report *report)
{
	struct keep keep;
	struct pb_error err;
	uint64_t most = KEEP_SHARE_MAX((uint64_t)options_int(core, "max_size"));
	error_init(&err);
	keep_parse(options_str(core, "keep"), &keep, &err);
	options_report(core, "patchbay", &err, report);
	if (keep.bytes > most)
		report_warning(report, options_place(core, "keep"), "patchbay", "keep",
			       "is more than two fifths of max_size: not more than %llu MiB are kept",
			       (unsigned long long)(most >> 20));
}

static void load_core(struct loading *l, const char *path)
{
	char title[] = "patchbay";
	struct section none = { .title = title, .place = { path, 0 } };
	if (l->config->files->n > 0)
		none.place.file = files_name(l->config->files, 0);
	struct section *section = find_section(l->config, title);
	l->config->core = options_read(section == NULL ? &none : section, config_core_table, NULL,
				       l->report);
	check_core(l->config->core, l->report);
	if (l->plugins->folder != NULL)
		l->plugins->folder(l->plugins->arg, options_str(l->config->core, "plugin_dir"));
}

static struct setting *find_setting(const struct section *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->settings[i].key, key) == 0)
			return &s->settings[i];
	return NULL;
}

/* What a plugin says of itself. */
struct described {
	const struct pb_option *table;
	uint32_t most;
	bool repeat;
};

static bool find_plugin(const struct loading *l, const struct config_instance *in,
			const struct setting *plugin, struct described *described)
{
	struct pb_error err;
	error_init(&err);
	if (l->plugins->find(l->plugins->arg, in->kind, plugin->value, &described->table,
			     &described->most, &described->repeat, &err))
		return true;
	for (const struct error_entry *e = err.first; e != NULL; e = e->next)
		report_error(l->report, plugin->place, in->title, "plugin", "%s", e->text);
	error_free(&err);
	return false;
}

static bool name_plugin(const struct loading *l, struct config_instance *in,
			const struct section *section, struct described *described)
{
	struct setting *plugin = find_setting(section, "plugin");
	if (plugin == NULL || (*plugin->value == '\0' && !plugin->failed))
		report_error(l->report, plugin == NULL ? section->place : plugin->place,
			     in->title, "plugin",
			     "is missing; expected the name of a plugin that has a %s, as "
			     "`patchbay plugins` lists them", config_kind_name(in->kind));
	else if (plugin->secret && !plugin->failed)
		report_error(l->report, plugin->place, in->title, "plugin",
			     "is named by a ${...}; expected the name itself");
	else if (!plugin->failed)
		in->plugin = xstrdup(plugin->value);
	return in->plugin != NULL && find_plugin(l, in, plugin, described);
}

static void check_common(const struct config_instance *in, const struct described *described,
			 struct pb_error *err)
{
	const struct options *options = in->options;
	if (in->kind == CONFIG_SOURCE && !described->repeat && options_int(options, "workers") > 1)
		error_add(err, "workers", "plugin %s cannot run several side by side; expected 1",
			  in->plugin);
	if (in->kind == CONFIG_SINK && options_int(options, "max_batch") > described->most)
		error_add(err, "max_batch", "plugin %s takes at most %u at once", in->plugin,
			  described->most);
}

struct keep config_keep(const struct options *core)
{
	struct keep keep;
	struct pb_error err;
	error_init(&err);
	keep_parse(options_str(core, "keep"), &keep, &err);
	error_free(&err);
	return keep;
}

/* Was a ${…} of it reported when the file was read? */
static bool any_failed(const struct section *section)
{
	for (size_t i = 0; i < section->n; i++)
		if (section->settings[i].failed)
			return true;
	return false;
}

static void read_instance(struct loading *l, struct config_instance *in, struct section *section)
{
	struct described described = { .most = 1 };
	unsigned before = l->report->errors;
	if (!name_plugin(l, in, section, &described))
		return;
	in->options = options_read(section, described.table, config_common_table(in->kind),
				   l->report);
	struct pb_error err;
	error_init(&err);
	check_common(in, &described, &err);
	if (in->kind == CONFIG_SINK) {
		retry_parse(options_str(in->options, "retry"), &in->retry, &err);
		rate_parse(options_str(in->options, "rate"), &in->rate, &err);
		check_order_by(in->options, &err);
	}
	options_report(in->options, in->title, &err, l->report);
	in->sound = l->report->errors == before && !any_failed(section);
	in->own_sound = options_own_sound(in->options);
}

struct config_instance *config_instance_read(enum config_kind kind, struct section *section,
					     const struct config_plugins *plugins,
					     struct report *report)
{
	struct loading l = { .plugins = plugins, .report = report };
	struct config_instance *in = xcalloc(1, sizeof *in);
	*in = (struct config_instance){
		.kind = kind, .name = xstrdup(section->name), .title = xstrdup(section->title),
		.place = section->place,
	};
	read_instance(&l, in, section);
	return in;
}

static void load_instances(struct loading *l)
{
	const struct sections *sections = &l->config->files->sections;
	l->config->instances = xcalloc(sections->n + 1, sizeof *l->config->instances);
	for (size_t i = 0; i < sections->n; i++)
		for (enum config_kind kind = 0; kind < CONFIG_KINDS; kind++)
			if (strcmp(sections->at[i]->kind, config_kind_name(kind)) == 0)
				l->config->instances[l->config->n_instances++] =
					config_instance_read(kind, sections->at[i], l->plugins,
							     l->report);
	for (size_t i = 0; i < sections->n; i++)
		if (strcmp(sections->at[i]->kind, "route") == 0 && builtin_wanted(sections->at[i])) {
			l->config->instances[l->config->n_instances++] =
				builtin_source(sections->at[i]->place, l->report);
			return;
		}
}

static int by_name(const void *one, const void *two)
{
	const struct config_instance *a = *(struct config_instance *const *)one;
	const struct config_instance *b = *(struct config_instance *const *)two;
	return a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind) :
		strcmp(a->name, b->name);
}

static void sort_instances(struct config *config)
{
	size_t n = config->n_instances;
	config->by_name = xcalloc(n, sizeof *config->by_name);
	if (n > 0)
		memcpy(config->by_name, config->instances, n * sizeof *config->by_name);
	qsort(config->by_name, n, sizeof *config->by_name, by_name);
}

struct config_instance *config_find(const struct config *config, enum config_kind kind,
				    const char *name)
{
	struct config_instance wanted = { .kind = kind, .name = (char *)name }, *key = &wanted;
	struct config_instance **found = bsearch(&key, config->by_name, config->n_instances,
						 sizeof *config->by_name, by_name);
	return found == NULL ? NULL : *found;
}

/* One of a route's lists of names. */
struct names {
	const char *option;
	enum config_kind kind;
	struct config_instance ***to;
	size_t *n;
};

static void unknown_name(const struct config *config, const struct names *names, const char *name,
			 struct pb_error *err)
{
	struct suggest near;
	suggest_begin(&near, name);
	for (size_t i = 0; i < config->n_instances; i++)
		if (config->instances[i]->kind == names->kind)
			suggest_offer(&near, config->instances[i]->name);
	if (names->kind == CONFIG_SOURCE)
		suggest_offer(&near, "patchbay");
	char hint[SUGGEST_TEXT_SIZE];
	error_add(err, names->option, "there is no [%s %.64s]%s", config_kind_name(names->kind),
		  name, suggest_text(&near, hint));
}

static bool holds(const struct names *names, const struct config_instance *in)
{
	for (size_t i = 0; i < *names->n; i++)
		if ((*names->to)[i] == in)
			return true;
	return false;
}

static void resolve_list(const struct config *config, const struct config_route *route,
			 const struct names *names, struct pb_error *err)
{
	const char *const *list = options_list(route->options, names->option);
	size_t n = 0;
	while (list[n] != NULL)
		n++;
	*names->to = xcalloc(n, sizeof **names->to);
	for (size_t i = 0; i < n; i++) {
		struct config_instance *in = config_find(config, names->kind, list[i]);
		if (in == NULL) {
			unknown_name(config, names, list[i], err);
		} else if (holds(names, in)) {
			error_add(err, names->option, "names %s twice", in->name);
		} else {
			in->used = true;
			(*names->to)[(*names->n)++] = in;
		}
	}
}

/* No `from` is every source but the built-in one. */
static void take_all_sources(const struct config *config, struct config_route *route)
{
	free(route->from);
	route->from = xcalloc(config->n_instances, sizeof *route->from);
	for (size_t i = 0; i < config->n_instances; i++)
		if (config->instances[i]->kind == CONFIG_SOURCE && !config->instances[i]->builtin) {
			config->instances[i]->used = true;
			route->from[route->n_from++] = config->instances[i];
		}
}

/* Written but empty would silently mean every source. */
static void check_from(const struct loading *l, const struct config_route *route,
		       const struct section *section)
{
	const struct setting *from = find_setting(section, "from");
	if (from != NULL && *from->value == '\0' && !from->failed)
		report_error(l->report, from->place, route->title, "from",
			     "is empty; expected %s, or no such line for every source",
			     value_expected(PB_LIST));
}

static void resolve_route(struct loading *l, struct config_route *route)
{
	const struct names lists[] = {
		{ "from", CONFIG_SOURCE, &route->from, &route->n_from },
		{ "filters", CONFIG_FILTER, &route->filters, &route->n_filters },
		{ "to", CONFIG_SINK, &route->to, &route->n_to },
	};
	struct pb_error err;
	error_init(&err);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		resolve_list(l->config, route, &lists[i], &err);
	options_report(route->options, route->title, &err, l->report);
	if (options_list(route->options, "from")[0] == NULL)
		take_all_sources(l->config, route);
	route->events = options_list(route->options, "events");
}

static void load_routes(struct loading *l)
{
	struct config *config = l->config;
	const struct sections *sections = &config->files->sections;
	config->routes = xcalloc(sections->n, sizeof *config->routes);
	for (size_t i = 0; i < sections->n; i++) {
		struct section *section = sections->at[i];
		if (strcmp(section->kind, "route") != 0)
			continue;
		struct config_route *route = xcalloc(1, sizeof *route);
		route->name = xstrdup(section->name);
		route->title = xstrdup(section->title);
		route->place = section->place;
		route->options = options_read(section, config_route_table, NULL, l->report);
		config->routes[config->n_routes++] = route;
		check_from(l, route, section);
		resolve_route(l, route);
	}
}

struct config *config_load(const char *path, const struct config_plugins *plugins,
			   struct report *report)
{
	struct config *config = xcalloc(1, sizeof *config);
	struct loading l = { .config = config, .plugins = plugins, .report = report };
	config->files = files_read(path, report);
	load_core(&l, path);
	load_instances(&l);
	for (size_t i = 0; i < config->n_instances; i++)
		config->instances[i]->owner = config;
	sort_instances(config);
	load_routes(&l);
	config_check(config, report);
	return config;
}

void config_instance_free(struct config_instance *in)
{
	free(in->name);
	free(in->plugin);
	free(in->title);
	options_free(in->options);
	retry_free(&in->retry);
	free(in);
}

void config_route_free(struct config_route *route)
{
	free(route->name);
	free(route->title);
	options_free(route->options);
	free(route->from);
	free(route->filters);
	free(route->to);
	free(route);
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->n_routes; i++)
		config_route_free(config->routes[i]);
	free(config->routes);
	for (size_t i = 0; i < config->n_instances; i++)
		config_instance_free(config->instances[i]);
	free(config->instances);
	free(config->by_name);
	options_free(config->core);
	files_free(config->files);
	free(config);
}
