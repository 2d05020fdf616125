/* flags.h - a command's own options, taken out of what cli.c left it. */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include <stdint.h>

#include "cli/cli.h"

enum flag_kind {
	FLAG_TEXT,	/* to a const char * */
	FLAG_YES,	/* to a bool; takes no value */
	FLAG_COUNT,	/* to a uint64_t, from 1 */
	FLAG_TIME,	/* to an int64_t, ms since 1970: RFC 3339, or a duration, which is that long ago */
};

struct flag {
	const char *name;	/* "--sink"; a table ends with NULL */
	enum flag_kind kind;
	void *to;
};

/* Take the options of the table out of cli->argv, from argv[1] on; the words stay. CLI_OK, or CLI_USAGE after saying
 * what is wrong. `now_ms` is what durations are counted from. */
int flags_take(struct cli *, const struct flag *table, int64_t now_ms);

/* What FLAG_TIME takes; false: `word` is neither. */
bool flags_time(const char *word, int64_t now_ms, int64_t *to);

#endif
