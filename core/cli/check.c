/* check.c - `patchbay check`: is the configuration right, and what would the running daemon lose by it? */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/ask.h"
#include "control/client.h"
#include "plugin/checked.h"

struct against {
	const struct cli *cli;
	const struct config *config;
	struct report *report;
};

static bool has_lane(const struct config *config, const char *route, const char *sink)
{
	for (size_t i = 0; i < config->n_routes; i++) {
		const struct config_route *r = config->routes[i];
		for (size_t k = 0; k < r->n_to && strcmp(r->name, route) == 0; k++)
			if (strcmp(r->to[k]->name, sink) == 0)
				return true;
	}
	return false;
}

/* A lane of the running daemon's that the configuration has not. */
static void look_at(void *arg, const json_t *object)
{
	const struct against *a = arg;
	const char *route = answer_text(object, "route"), *sink = answer_text(object, "sink");
	unsigned long long waiting = answer_count(object, "stragglers"), behind = answer_count(object, "behind");
	if (strcmp(answer_text(object, "type"), "lane") != 0 || waiting + behind == 0 ||
	    has_lane(a->config, route, sink))
		return;
	report_warning(a->report, (struct place){ a->cli->config, 0 }, NULL, NULL,
		       "the running daemon has route %s to sink %s, which is not here: %llu deliveries that failed and "
		       "wait, and what it takes of the last %llu events, would become dead letters (removed)",
		       route, sink, waiting, behind);
}

/* If a daemon runs and may be asked. */
static void compare_running(const struct cli *cli, const struct config *config, struct report *report)
{
	struct against a = { cli, config, report };
	struct pb_error err;
	error_init(&err);
	const char *control = options_str(config->core, "control");
	char *path = *control != '\0' ? xstrdup(control) :
		     xasprintf("%s/control.sock", options_str(config->core, "state"));
	client_ask(path, "status", NULL, look_at, &a, &err);
	free(path);
	error_free(&err);
}

int cli_check(struct cli *cli)
{
	if (cli->argc > 1)
		return cli_usage(cli, "takes no argument; the file comes after -c");
	struct loader *loader = loader_open(cli->plugin_dir);
	struct report report;
	report_init(&report);
	struct config *config = checked_load(cli->config, loader, &report);
	if (report.errors == 0)
		compare_running(cli, config, &report);
	report_print(&report, cli->json ? stdout : stderr, cli->json);
	int status = report.errors > 0 ? CLI_FAILED : CLI_OK;
	config_free(config);
	report_free(&report);
	loader_close(loader);
	return status;
}
