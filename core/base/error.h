/*
 * error.h - what went wrong, already complete, handed up by out-parameter.
 *
 * Logged once, by whoever decides what happens next. pb_error() of plugins fills one.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include <patchbay/plugin.h>

#define ERROR_OPTION_MAX 64

/* What pb_error() has been told: a list, since check() may call it often. */
struct error_entry {
	struct error_entry *next;
	char option[ERROR_OPTION_MAX];	/* "" for the section's own line */
	char text[];			/* one line */
};

struct pb_error {
	struct error_entry *first, **last;
	unsigned count;		/* all that were added, kept or not */
};

/* No entry yet. Not to be moved afterwards: it points into itself. */
void error_init(struct pb_error *);
/* Free the entries; it is as after error_init(). */
void error_free(struct pb_error *);
/* Add an entry, cut to 2 KiB, control bytes made blanks; `option` may be NULL. At most 1,000 are
 * kept. */
void error_add(struct pb_error *, const char *option, const char *fmt, ...) PB_PRINTF(3, 4);
void error_vadd(struct pb_error *, const char *option, const char *fmt, va_list) PB_PRINTF(3, 0);
/* The first entry's text, "" when there is none. */
const char *error_text(const struct pb_error *);

#endif
