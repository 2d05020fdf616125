/* checked.h - a configuration checked whole: what the tables say, and what the plugins say. */
#ifndef PLUGIN_CHECKED_H
#define PLUGIN_CHECKED_H

#include "config/config.h"
#include "plugin/loader.h"

/* As config_load() with the loader's tables; then each plugin's check() is asked about its sections. It
 * is asked only where all that it declares itself was read well, so that it sees no value
 * that its table rules out. What is right here may be opened. Main thread. */
struct config *checked_load(const char *path, struct loader *, struct report *);

#endif
