/* ask.c - how a command asks the running daemon. */
#include "cli/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/config.h"
#include "control/client.h"

static bool find_none(void *arg, enum config_kind kind, const char *plugin,
		      const struct pb_option **table, uint32_t *most, bool *repeat,
		      struct pb_error *err)
{
	(void)arg, (void)kind, (void)plugin, (void)table, (void)most, (void)repeat, (void)err;
	return false;
}

char *cli_core_option(const char *file, const char *name, unsigned *errors)
{
	const struct config_plugins none = { .find = find_none };
	struct report report;
	report_init(&report);
	struct config *config = config_load(file, &none, &report);
	char *found = xstrdup(options_str(config->core, name));
	*errors = report.errors;
	config_free(config);
	report_free(&report);
	return found;
}

/* The socket's path, which the caller frees. */
static char *socket_path(const char *file, unsigned *errors)
{
	char *path = cli_core_option(file, "control", errors);
	if (path[0] != '\0')
		return path;
	free(path);
	char *state = cli_core_option(file, "state", errors);
	path = xasprintf("%s/control.sock", state);
	free(state);
	return path;
}

static int exit_status(enum client_result result)
{
	static const enum cli_exit statuses[] = {
		[CLIENT_DONE] = CLI_OK, [CLIENT_FAILED] = CLI_FAILED, [CLIENT_USAGE] = CLI_FAILED,
		[CLIENT_NO_DAEMON] = CLI_NO_DAEMON, [CLIENT_DENIED] = CLI_NOT_PERMITTED,
	};
	return (int)statuses[result];
}

int cli_daemon_find(struct cli_daemon *d, const struct cli *cli)
{
	*d = (struct cli_daemon){ .cli = cli };
	if (access(cli->config, R_OK) != 0) {
		fprintf(stderr, "patchbay %s: %s: %s\n", cli->argv[0], cli->config, strerror(errno));
		return errno == EACCES ? CLI_NOT_PERMITTED : CLI_FAILED;
	}
	d->path = socket_path(cli->config, &d->errors);
	return CLI_OK;
}

void cli_daemon_free(struct cli_daemon *d)
{
	free(d->path);
}

int cli_daemon_ask(const struct cli_daemon *d, const char *verb, json_t *args,
		   void (*each)(void *arg, const json_t *object), void *arg)
{
	struct pb_error err;
	error_init(&err);
	int status = exit_status(client_ask(d->path, verb, args, each, arg, &err));
	if (status != CLI_OK)
		fprintf(stderr, "patchbay %s: %s\n", d->cli->argv[0], error_text(&err));
	if (status == CLI_NO_DAEMON && d->errors > 0)
		fprintf(stderr, "The configuration has errors, see `patchbay check`; "
			"the daemon may use another socket.\n");
	error_free(&err);
	return status;
}

int cli_ask(const struct cli *cli, const char *verb, json_t *args,
	    void (*each)(void *arg, const json_t *object), void *arg)
{
	struct cli_daemon d;
	int status = cli_daemon_find(&d, cli);
	if (status == CLI_OK)
		status = cli_daemon_ask(&d, verb, args, each, arg);
	cli_daemon_free(&d);
	return status;
}

const char *answer_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text == NULL ? "" : text;
}

uint64_t answer_count(const json_t *object, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(object, name));
	return n < 0 ? 0 : (uint64_t)n;
}

void answer_print(void *arg, const json_t *object)
{
	(void)arg;
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
}
