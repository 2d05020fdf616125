/*
 * lines.h - a configuration file as logical lines, each with the number it begins at.
 *
 * A blank line and one that begins with # or ; is no line. A line that ends in an odd
 * number of backslashes goes on in the next: the backslash, the newline and the white
 * space that begins the next line vanish. Nothing is cut or joined otherwise; what cannot
 * be kept as it was meant is refused: control bytes, bytes that are not UTF-8, indented
 * lines that continue nothing, lines too long. A byte order mark and CRLF are tolerated.
 */
#ifndef CONFIG_LINES_H
#define CONFIG_LINES_H

#include <patchbay/plugin.h>

#include "config/report.h"

#define LINES_FILE_MAX (16 * 1024 * 1024)
#define LINES_LINE_MAX (65 * 1024)	/* a value of 64 KiB and its key */

struct line {
	const char *text;	/* without white space at either end; until the next call */
	size_t len;
	unsigned number;	/* where it begins, from 1 */
};

struct lines;

/* The lines of `data`, which is copied. `file` is named in errors and must outlive it, as the
 * report must. */
struct lines *lines_open(struct pb_span data, const char *file, struct report *);
void lines_close(struct lines *);
/* The next logical line; those in error are reported and left out. False at the end. */
bool lines_next(struct lines *, struct line *);

#endif
