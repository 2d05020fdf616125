/* check.c - `patchbay check`: is the configuration right? */
#include "cli/cli.h"

#include <stdio.h>

#include "config/config.h"
#include "plugin/instance.h"
#include "plugin/loader.h"

/* What only the plugin itself can say. */
static void check_instance(struct config_instance *in, struct loader *loader,
			   struct report *report)
{
	struct pb_error err;
	error_init(&err);
	const struct pb_plugin *plugin = loader_find(loader, in->plugin, &err);
	if (plugin != NULL)
		instance_check(in, plugin, &err);
	options_report(in->options, in->title, &err, report);
}

int cli_check(struct cli *cli)
{
	if (cli->argc > 1)
		return cli_usage(cli, "takes no argument; the file comes after -c");
	struct loader *loader = loader_open(cli->plugin_dir);
	struct config_plugins tables = loader_tables(loader);
	struct report report;
	report_init(&report);
	struct config *config = config_load(cli->config, &tables, &report);
	for (size_t i = 0; i < config->n_instances; i++)
		if (config->instances[i]->sound)
			check_instance(config->instances[i], loader, &report);
	report_print(&report, cli->json ? stdout : stderr, cli->json);
	int status = report.errors > 0 ? CLI_FAILED : CLI_OK;
	config_free(config);
	report_free(&report);
	loader_close(loader);
	return status;
}
