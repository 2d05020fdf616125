/*
 * report.h - everything that is wrong with a configuration, all at once.
 *
 * Printed as "FILE:LINE: [section] key: what is wrong, what was expected", in the order of file
 * and line.
 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

struct place {
	const char *file;	/* as the operator named it; the config's own memory */
	unsigned line;		/* from 1; 0: the file as a whole */
};

struct report {
	struct report_entry *entries;
	size_t n, room;
	unsigned errors, warnings;
};

/* An empty report, and its end, after which it is empty again. */
void report_init(struct report *);
void report_free(struct report *);
/* `section` ("sink team") and `key` may be NULL. Copied. */
void report_error(struct report *, struct place, const char *section, const char *key,
		  const char *fmt, ...) PB_PRINTF(5, 6);
void report_warning(struct report *, struct place, const char *section, const char *key,
		    const char *fmt, ...) PB_PRINTF(5, 6);
/* One line an entry; warnings say "warning:" after the place. With `json` one object a line:
 * {"level","file","line","section","key","message"}. */
void report_print(struct report *, FILE *, bool json);
/* The same as entries of the log, each with its level. */
void report_log(struct report *);

#endif
