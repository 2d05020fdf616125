/* dead.h - what the files of `patchbay dead` share. */
#ifndef CLI_DEAD_H
#define CLI_DEAD_H

#include <jansson.h>
#include <stdint.h>

#include "cli/ask.h"

/* What was asked for. */
struct dead_asked {
	struct cli *cli;
	struct cli_daemon daemon;
	const char *sink, *route, *type, *reason, *id;
	int64_t since, until;	/* ms since 1970, 0: any */
	uint64_t limit;		/* UINT64_MAX: none */
	bool all, dry_run;
};

/* What came of it, over all pages. */
struct dead_totals {
	uint64_t found, done, removed, waiting;
	char removed_lane[256];		/* one that is not configured, or "" */
};

/* Ask `verb` page by page until all is done or the limit is reached; `each` gets every letter. `progress`, when
 * standard error is a terminal, is the word that is shown there with the count. The exit status. */
int dead_pages(const struct dead_asked *, const char *verb, bool whole, const char *progress,
	       struct dead_totals *, void (*each)(void *arg, const json_t *letter), void *arg);
/* Print one letter with all there is to it. */
void dead_show(void *arg, const json_t *letter);

#endif
