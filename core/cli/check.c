/* check.c - `patchbay check`: is the configuration right? */
#include "cli/cli.h"

#include <stdio.h>

#include "plugin/checked.h"

int cli_check(struct cli *cli)
{
	if (cli->argc > 1)
		return cli_usage(cli, "takes no argument; the file comes after -c");
	struct loader *loader = loader_open(cli->plugin_dir);
	struct report report;
	report_init(&report);
	struct config *config = checked_load(cli->config, loader, &report);
	report_print(&report, cli->json ? stdout : stderr, cli->json);
	int status = report.errors > 0 ? CLI_FAILED : CLI_OK;
	config_free(config);
	report_free(&report);
	loader_close(loader);
	return status;
}
