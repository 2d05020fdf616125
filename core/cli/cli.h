/*
 * cli.h - the commands: one file each, chosen by cli_main().
 *
 * Exit status: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not permitted.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include <patchbay/plugin.h>

enum cli_exit { CLI_OK, CLI_FAILED, CLI_USAGE, CLI_NO_DAEMON, CLI_NOT_PERMITTED };

/* What every command accepts, already taken out of argv. */
struct cli {
	const char *config;	/* -c FILE; /etc/patchbay/patchbay.ini */
	const char *plugin_dir;	/* --plugin-dir DIR; NULL: the configuration's, else the built-in */
	bool json;		/* --json */
	int argc;		/* what is left after the command's name: argv[0] is the name */
	char **argv;
};

struct cli_command {
	const char *name;
	const char *usage;	/* "plugins [NAME]" */
	const char *summary;	/* one line */
	const char *help;	/* further lines for `patchbay NAME --help` */
	int (*run)(struct cli *);	/* NULL: the one that cli_main() is handed */
};

/* Choose the command and run it; what it returns is the exit status. The daemon itself is above
 * this folder: main.c hands in `run`; with NULL there is no such command. */
int cli_main(int argc, char *argv[], int (*run)(struct cli *));
/* Say on standard error what is wrong with how the command was called. Returns CLI_USAGE. */
int cli_usage(const struct cli *, const char *fmt, ...) PB_PRINTF(2, 3);

/* One each of the commands: their exit status. */
int cli_check(struct cli *);
int cli_dead(struct cli *);
int cli_new_plugin(struct cli *);
int cli_plugin_test(struct cli *);
int cli_plugins(struct cli *);
int cli_reload(struct cli *);
int cli_replay(struct cli *);
int cli_sink(struct cli *);
int cli_status(struct cli *);
int cli_store(struct cli *);
int cli_trace(struct cli *);

#endif
