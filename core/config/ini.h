/*
 * ini.h - one file's text to sections, by libinih.
 *
 * libinih cuts lines at 199 bytes and section names at 49, joins indented lines,
 * takes " ;" for a comment within a value, and names no line. So it reads
 * through lines.h and is handed a short stand-in for each value and section name; what
 * they stand for is kept here. What libinih would take otherwise than written is refused first.
 */
#ifndef CONFIG_INI_H
#define CONFIG_INI_H

#include "config/options.h"

#define INI_SECTIONS_MAX 100000

struct sections {
	struct section **at;	/* in the order of the file */
	size_t n, room;
};

/* Add the sections of `text`. Values are as written: neither ${…} nor types are looked at. `file`
 * must outlive the sections. Everything wrong goes to the report. */
void ini_read(struct pb_span text, const char *file, struct sections *, struct report *);
void sections_free(struct sections *);

#endif
