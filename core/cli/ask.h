/* ask.h - how a command asks the running daemon. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <jansson.h>

#include "cli/cli.h"

/* Where the daemon of a configuration is asked: found once, asked often. */
struct cli_daemon {
	const struct cli *cli;
	char *path;
	unsigned errors;	/* in the configuration */
};
/* Read the configuration for it. The exit status; what goes wrong is said. Free it either way. */
int cli_daemon_find(struct cli_daemon *, const struct cli *);
void cli_daemon_free(struct cli_daemon *);
/* As cli_ask(). */
int cli_daemon_ask(const struct cli_daemon *, const char *verb, json_t *args,
		   void (*each)(void *arg, const json_t *object), void *arg);

/* Ask the daemon of the configuration that `cli` names, as client_ask() does. The configuration may be
 * wrong in all but its path: only where the socket is matters here. What goes wrong is said
 * on standard error. The command's exit status. */
int cli_ask(const struct cli *, const char *verb, json_t *args,
	    void (*each)(void *arg, const json_t *object), void *arg);

/* An object's member; "" or 0 when it is not there or is something else. */
const char *answer_text(const json_t *, const char *name);
uint64_t answer_count(const json_t *, const char *name);
/* An `each` that prints the object as a line; `arg` is unused. */
void answer_print(void *arg, const json_t *);

/* An option of [patchbay] as the configuration has it, which may be wrong in all else; the caller frees it.
 * *errors is how much else is wrong. */
char *cli_core_option(const char *file, const char *name, unsigned *errors);

#endif
