/* section.h - how a section of the file is made and ends; struct section is in options.h. */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H

#include "config/options.h"

#define SECTION_NAME_MAX 64
#define SECTION_SETTINGS_MAX 1000
#define SECTION_KEY_MAX 63

/* The section that a line "[sink team]" begins, `len` bytes. When it is none, what is wrong
 * goes to the report and the section has kind "": what stands in it is read and left out. Never
 * NULL. */
struct section *section_new(const char *line, size_t len, struct place, struct report *);
void section_free(struct section *);
/* Add a setting. A key that stands there already is reported with its first place and left out. */
void section_add(struct section *, const char *key, const char *value, struct place,
		 struct report *);
/* Is it [a-z0-9][a-z0-9_-]{0,63}? */
bool section_name_valid(const char *name);

#endif
