/* check.c - what is legal but surely wrong. */
#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parse.h"

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

static void warn_route(const struct config_route *route, struct report *report)
{
	if (route->n_from == 0 && options_list(route->options, "from")[0] == NULL)
		report_warning(report, route->place, route->title, NULL, "no source feeds it");
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

struct listener {
	const struct config_instance *in;
	const char *address;
};

static int by_address(const void *one, const void *two)
{
	const struct listener *a = one, *b = two;
	int order = strcmp(a->address, b->address);
	return order != 0 ? order : (a->in->place.line > b->in->place.line) -
				    (a->in->place.line < b->in->place.line);
}

static void add_listeners(const struct config_instance *in, struct listener **all, size_t *n)
{
	if (!in->sound || options_type(in->options, "listen") != PB_ADDRESSES)
		return;
	const char *const *list = options_list(in->options, "listen");
	for (size_t i = 0; list[i] != NULL; i++) {
		const char *colon = strrchr(list[i], ':');
		if (colon != NULL && strcmp(colon, ":0") == 0)
			continue;	/* any free port */
		*all = xrealloc(*all, *n + 1, sizeof **all);
		(*all)[(*n)++] = (struct listener){ in, list[i] };
	}
}

/* Only one of them would come up. */
static void warn_listeners(const struct config *config, struct report *report)
{
	struct listener *all = NULL;
	size_t n = 0;
	for (size_t i = 0; i < config->n_instances; i++)
		if (config->instances[i]->kind == CONFIG_SOURCE)
			add_listeners(config->instances[i], &all, &n);
	if (n > 1)
		qsort(all, n, sizeof *all, by_address);
	for (size_t i = 1; i < n; i++)
		if (strcmp(all[i].address, all[i - 1].address) == 0)
			report_warning(report, options_place(all[i].in->options, "listen"),
				       all[i].in->title, "listen", "[%s] listens there too",
				       all[i - 1].in->title);
	free(all);
}

static void warn_sizes(const struct options *core, struct report *report)
{
	int64_t all = options_int(core, "max_size");
	if (options_int(core, "segment_size") > all / 2)
		report_warning(report, options_place(core, "max_size"), "patchbay", "max_size",
			       "holds less than two segments of segment_size: space returns a "
			       "segment at a time");
	if (options_int(core, "max_event") > all)
		report_warning(report, options_place(core, "max_event"), "patchbay", "max_event",
			       "is above max_size");
}

void config_check(const struct config *config, struct report *report)
{
	warn_sizes(config->core, report);
	if (report->errors > 0)
		return;		/* a name in error would look unused */
	for (size_t i = 0; i < config->n_instances; i++) {
		const struct config_instance *in = config->instances[i];
		warn_unused(in, report);
		if (in->kind == CONFIG_SINK && in->sound)
			warn_expire(in, report);
	}
	warn_listeners(config, report);
	for (size_t i = 0; i < config->n_routes; i++)
		warn_route(config->routes[i], report);
	if (config->n_instances == 0)
		report_warning(report, options_place(config->core, NULL), NULL, NULL,
			       "there is no source and no sink: nothing will happen");
}
