/*
 * own.h - the types of patchbay's events about itself, which a route takes `from = patchbay`.
 *
 * Here so that `check` can say of a glob that it matches none of them. What each is, is in the guide for
 * operators; a test compares the two.
 */
#ifndef CONFIG_OWN_H
#define CONFIG_OWN_H

#include <stdbool.h>

/* All of them, in order of their names; ends in NULL. [any] */
const char *const *own_types(void);
/* Whether the glob matches one. [any] */
bool own_type_matches(const char *glob);

#endif
