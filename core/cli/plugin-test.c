/*
 * plugin-test.c - `patchbay plugin-test`: hands over to the program that has the rules.
 *
 * That is one of its own, since it stands in for the daemon and has the pb_ functions too.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/installed.h"

#define INSTALLED PATCHBAY_LIBEXEC_DIR "/plugin-test"
#define BUILT "conform/plugin-test"	/* from where this program was built */

/* The one that was built with this program, if it was not installed; NULL: it was. The caller frees. */
static char *beside(void)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
	own[len < 0 ? 0 : len] = '\0';
	char *slash = strrchr(own, '/');
	if (slash == NULL)
		return NULL;
	char *path = xasprintf("%.*s/" BUILT, (int)(slash - own), own);
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

int cli_plugin_test(struct cli *cli)
{
	char *built = beside();
	char *path = built == NULL ? installed_path(INSTALLED) : built;
	char **argv = xcalloc((size_t)cli->argc + 2, sizeof *argv);
	memcpy(argv, cli->argv, (size_t)cli->argc * sizeof *argv);
	if (cli->json)
		argv[cli->argc] = (char *)"--json";
	execv(path, argv);
	fprintf(stderr, "patchbay plugin-test: %s: %s\n", path, strerror(errno));
	free(argv);
	free(path);
	return CLI_FAILED;
}
