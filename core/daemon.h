/* daemon.h - `patchbay run`: everything opened in order, run until a signal, closed in order. */
#ifndef DAEMON_H
#define DAEMON_H

#include "cli/cli.h"

/* Run until SIGTERM or SIGINT, or until all sources have come to their end and what they brought has been dealt with:
 * CLI_FAILED then, unless all of it is delivered. An enum cli_exit. Main thread. */
int daemon_run(struct cli *);

#endif
