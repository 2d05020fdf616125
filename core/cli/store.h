/* store.h - the parts of `patchbay store`: each its exit status. */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include <jansson.h>

#include "base/error.h"
#include "cli/cli.h"

struct store_args {
	const char *store;	/* --store; NULL: the configuration's */
	const char *to;		/* backup's folder */
	const char *lane, *since;
	bool stragglers, dead, annotate, dry_run;
};

int store_inspect(const struct cli *, const char *folder);	/* what there is */
int store_verify(const struct cli *, const char *folder);	/* what is wrong */
int store_export(const struct cli *, const char *folder, const struct store_args *);	/* the events */
int store_repair(const struct cli *, const char *folder, const struct store_args *);	/* then as verify */
int store_backup(const struct cli *, const char *folder, const struct store_args *);	/* verifies the copy */

/* Say what went wrong, free the error; `why` is an errno. The exit status. */
int store_failed(struct pb_error *, int why);
/* Print the object as a line, and let it go. */
void store_print(json_t *);

#endif
