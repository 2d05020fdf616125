/* check.c - what no table can say: what does not go together, and what is legal but surely wrong. */
#include "config/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/group.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/span.h"
#include "config/own.h"
#include "event/attributes.h"

#define ISOLATE_MEMORY_LEAST (INT64_C(24) << 20)

static void warn_unused(const struct config_instance *in, struct report *report)
{
	static const char *const why[CONFIG_KINDS] = {
		[CONFIG_SOURCE] = "no route takes from it: its events go nowhere",
		[CONFIG_FILTER] = "no route uses it",
		[CONFIG_SINK] = "no route reaches it",
	};
	if (!in->used)
		report_warning(report, in->place, in->title, NULL, "%s", why[in->kind]);
}

/* "a" or "a.b": a name that is empty is hardly meant. */
static bool is_field(const char *path)
{
	size_t len = strlen(path);
	return len > 0 && path[0] != '.' && path[len - 1] != '.' && strstr(path, "..") == NULL;
}

void check_order_by(const struct options *options, struct pb_error *err)
{
	const char *by = options_str(options, "order_by");
	if (*by == '\0')
		return;
	if (!(strncmp(by, "data.", 5) == 0 ? is_field(by + 5) : attribute_name_ok(span_str(by))))
		error_add(err, "order_by", "expected the name of an attribute, such as subject, or data.FIELD");
	if (strcmp(options_str(options, "order"), "strict") == 0)
		error_add(err, "order_by", "does not go with order = strict, which keeps all events of a route in "
			  "one order: take one of them out");
}

static void warn_order_by(const struct config_instance *in, struct report *report)
{
	const char *by = options_str(in->options, "order_by");
	if (strncmp(by, "data.", 5) != 0 && strchr(by, '.') != NULL)
		report_warning(report, options_place(in->options, "order_by"), in->title, "order_by",
			       "is the name of an attribute; a field of the body is data.FIELD");
}

/* Options that count only beside another one. */
static void warn_alone(const struct config_instance *in, struct report *report)
{
	static const struct { enum config_kind kind; const char *name, *with; } pairs[] = {
		{ CONFIG_SOURCE, "dedupe_max", "dedupe" },
		{ CONFIG_SINK, "burst", "rate" },
		{ CONFIG_SINK, "max_keys", "order_by" },
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (in->kind == pairs[i].kind && options_isset(in->options, pairs[i].name) &&
		    !options_isset(in->options, pairs[i].with))
			report_warning(report, options_place(in->options, pairs[i].name), in->title,
				       pairs[i].name, "has no effect without %s", pairs[i].with);
}

static void warn_isolate(const struct config_instance *in, struct report *report)
{
	static const char *const names[] = {
		"isolate_memory", "isolate_files", "isolate_environment", "isolate_start", "isolate_stop", "isolate_pause", "isolate_max_pause",
	};
	if (strcmp(options_str(in->options, "isolate"), "process") == 0)
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (options_isset(in->options, names[i]))
			report_warning(report, options_place(in->options, names[i]), in->title, names[i],
				       "has no effect without isolate = process");
}

/* With less no thread can be started in it: mostly a number whose unit was forgotten. */
static void check_isolate(const struct config_instance *in, struct report *report)
{
	int64_t memory = options_int(in->options, "isolate_memory");
	if (memory > 0 && memory < ISOLATE_MEMORY_LEAST)
		report_error(report, options_place(in->options, "isolate_memory"), in->title, "isolate_memory",
			     "is too small for a process; expected 0, which is no limit, or at least 24MiB");
}

/* Waits that end after `expire` are never waited for. */
static void warn_expire(const struct config_instance *in, struct report *report)
{
	int64_t expire = options_int(in->options, "expire"), sum = 0;
	for (size_t i = 0; i < in->retry.n; i++) {
		sum += in->retry.waits[i];
		if (sum < expire)
			continue;
		char text[PARSE_TEXT_SIZE];
		format_duration(expire, text);
		report_warning(report, options_place(in->options, "retry"), in->title, "retry",
			       "an event expires after %s (expire), so only %zu of the %zu waits "
			       "are used", text, i, in->retry.n);
		return;
	}
}

/* Of a route that takes nothing else: a glob that matches none of them is mistaken for one that waits. */
static void warn_own_events(const struct config_route *route, struct report *report)
{
	const char *const *from = options_list(route->options, "from");
	if (from[0] == NULL || strcmp(from[0], "patchbay") != 0 || from[1] != NULL)
		return;
	for (size_t i = 0; route->events[i] != NULL; i++)
		if (!own_type_matches(route->events[i]))
			report_warning(report, options_place(route->options, "events"), route->title, "events",
				       "\"%s\" matches none of patchbay's own events, such as patchbay.sink.down",
				       route->events[i]);
}

static void warn_route(const struct config_route *route, struct report *report)
{
	if (route->n_from == 0 && options_list(route->options, "from")[0] == NULL)
		report_warning(report, route->place, route->title, NULL, "no source feeds it");
	warn_own_events(route, report);
	const char *const *events = route->events;
	for (size_t i = 0; events[i] != NULL; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(events[i], events[k]) == 0) {
				report_warning(report, options_place(route->options, "events"),
					       route->title, "events", "names a type twice");
				return;
			}
	if (events[0] == NULL)
		report_warning(report, options_place(route->options, "events"), route->title,
			       "events", "is empty: no event takes this route");
}

/* An address that it listens at, or a path that it writes. */
struct taken {
	const struct config_instance *in;
	const char *what;
};

static int by_what(const void *one, const void *two)
{
	const struct taken *a = one, *b = two;
	int order = strcmp(a->what, b->what);
	return order != 0 ? order : (a->in->place.line > b->in->place.line) -
				    (a->in->place.line < b->in->place.line);
}

static void add_listeners(const struct config_instance *in, struct taken **all, size_t *n)
{
	if (!in->sound || options_type(in->options, "listen") != PB_ADDRESSES)
		return;
	const char *const *list = options_list(in->options, "listen");
	for (size_t i = 0; list[i] != NULL; i++) {
		const char *colon = strrchr(list[i], ':');
		if (colon != NULL && strcmp(colon, ":0") == 0)
			continue;	/* any free port */
		*all = xrealloc(*all, *n + 1, sizeof **all);
		(*all)[(*n)++] = (struct taken){ in, list[i] };
	}
}

/* Only one of them would come up. */
static void warn_listeners(const struct config *config, struct report *report)
{
	struct taken *all = NULL;
	size_t n = 0;
	for (size_t i = 0; i < config->n_instances; i++)
		if (config->instances[i]->kind == CONFIG_SOURCE)
			add_listeners(config->instances[i], &all, &n);
	if (n > 1)
		qsort(all, n, sizeof *all, by_what);
	for (size_t i = 1; i < n; i++)
		if (strcmp(all[i].what, all[i - 1].what) == 0)
			report_warning(report, options_place(all[i].in->options, "listen"),
				       all[i].in->title, "listen", "[%s] listens there too",
				       all[i - 1].in->title);
	free(all);
}

/* Only one sink can hold the file. */
static void warn_paths(const struct config *config, struct report *report)
{
	struct taken *all = NULL;
	size_t n = 0;
	for (size_t i = 0; i < config->n_instances; i++) {
		const struct config_instance *in = config->instances[i];
		if (in->kind != CONFIG_SINK || !in->sound ||
		    options_type(in->options, "path") != PB_PATH)
			continue;
		all = xrealloc(all, n + 1, sizeof *all);
		all[n++] = (struct taken){ in, options_str(in->options, "path") };
	}
	if (n > 1)
		qsort(all, n, sizeof *all, by_what);
	for (size_t i = 1; i < n; i++)
		if (*all[i].what != '\0' && strcmp(all[i].what, all[i - 1].what) == 0)
			report_warning(report, options_place(all[i].in->options, "path"),
				       all[i].in->title, "path", "is the path of [%s] too: a file "
				       "belongs to one sink", all[i - 1].in->title);
	free(all);
}

/* "max_size (10GiB)" or "max_size (10GiB by default)", into `text`. */
static const char *size_of(const struct options *core, const char *name, char *text, size_t size)
{
	char number[PARSE_TEXT_SIZE];
	format_size(options_int(core, name), number);
	snprintf(text, size, "%s (%s%s)", name, number,
		 options_isset(core, name) ? "" : " by default");
	return text;
}

/* What sinks may take by their own word, together. */
static void warn_quotas(const struct config *config, struct report *report)
{
	char text[PARSE_TEXT_SIZE + 64];
	uint64_t all = (uint64_t)options_int(config->core, "max_size"), sum = 0;
	for (size_t i = 0; i < config->n_instances; i++) {
		const struct config_instance *in = config->instances[i];
		if (in->kind != CONFIG_SINK || !in->sound)
			continue;
		uint64_t backlog = (uint64_t)options_int(in->options, "max_backlog");
		sum += backlog <= all ? backlog : all + 1;
		if (backlog == 0 || sum <= all)
			continue;
		report_warning(report, options_place(in->options, "max_backlog"), in->title, "max_backlog",
			       "with those of the sinks before it more than %s: if all were full, nothing would be "
			       "accepted", size_of(config->core, "max_size", text, sizeof text));
		return;
	}
}

/* Each at a line that is written: the other's value is then a default. */
static void warn_sizes(const struct options *core, struct report *report)
{
	char text[PARSE_TEXT_SIZE + 64];
	int64_t all = options_int(core, "max_size");
	if (options_isset(core, "segment_size") && options_int(core, "segment_size") > all / 8)
		report_warning(report, options_place(core, "segment_size"), "patchbay",
			       "segment_size", "is over an eighth of %s, which is then taken instead",
			       size_of(core, "max_size", text, sizeof text));
	if (options_int(core, "max_event") <= all)
		return;
	if (options_isset(core, "max_event"))
		report_warning(report, options_place(core, "max_event"), "patchbay", "max_event",
			       "is above %s: an event that large never finds room; set one of them",
			       size_of(core, "max_size", text, sizeof text));
	else
		report_warning(report, options_place(core, "max_size"), "patchbay", "max_size",
			       "is below %s: an event that large never finds room; set max_event too",
			       size_of(core, "max_event", text, sizeof text));
}

static void check_control(const struct options *core, struct report *report)
{
	struct place place = options_place(core, "control_group");
	const char *group = options_str(core, "control_group");
	gid_t gid;
	if (*group == '\0')
		return;
	int r = group_find(group, &gid);
	if (r != 0)
		report_error(report, place, "patchbay", "control_group", r == -ENOENT ?
			     "there is no group %s" : "group %s cannot be looked up", group);
	if (*options_str(core, "control") == '\0')
		report_error(report, place, "patchbay", "control_group", "has no effect on the "
			     "default socket: the state folder lets nobody else in; set control "
			     "too, such as control = /run/patchbay/control.sock");
}

void config_check(const struct config *config, struct report *report)
{
	check_control(config->core, report);
	warn_sizes(config->core, report);
	if (report->errors > 0)
		return;		/* a name in error would look unused */
	for (size_t i = 0; i < config->n_instances; i++) {
		const struct config_instance *in = config->instances[i];
		warn_unused(in, report);
		if (in->sound)
			warn_alone(in, report);
		if (in->sound) {
			check_isolate(in, report);
			warn_isolate(in, report);
		}
		if (in->kind == CONFIG_SINK && in->sound)
			warn_expire(in, report);
		if (in->kind == CONFIG_SINK && in->sound)
			warn_order_by(in, report);
	}
	warn_quotas(config, report);
	warn_listeners(config, report);
	warn_paths(config, report);
	for (size_t i = 0; i < config->n_routes; i++)
		warn_route(config->routes[i], report);
	if (config->n_instances == 0)
		report_warning(report, options_place(config->core, NULL), NULL, NULL,
			       "there is no source and no sink: nothing will happen");
}
