/*
 * trust.h - may code from this file run as the daemon?
 *
 * Only if nobody but root and the daemon's user could have put it there: each folder
 * and link on the way, and what links lead to, belongs to one of them and cannot be
 * written by its group or others. A sticky folder (/tmp) may stand above the last one.
 */
#ifndef PLUGIN_TRUST_H
#define PLUGIN_TRUST_H

#include <stdbool.h>

#include <patchbay/plugin.h>

/* Is the regular file `path`, with all that leads to it, safe? False after error_add(err,
 * "plugin", …) that names the first path that is not. */
bool trust_file(const char *path, struct pb_error *err);

#endif
