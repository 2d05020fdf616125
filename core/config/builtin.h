/* builtin.h - the source that is in every configuration without a section: `patchbay`, events about itself. */
#ifndef CONFIG_BUILTIN_H
#define CONFIG_BUILTIN_H

#include "config/config.h"

#define BUILTIN_SOURCE "patchbay"

/* Does a route take from it? Its section's `from`, as written. */
bool builtin_wanted(const struct section *route);
/* Its instance, named by no section. */
struct config_instance *builtin_source(struct place, struct report *);

#endif
