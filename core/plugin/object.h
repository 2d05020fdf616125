/* object.h - one shared object, mapped, and where its descriptor is. It does not ask whose the file is. */
#ifndef PLUGIN_OBJECT_H
#define PLUGIN_OBJECT_H

#include <patchbay/plugin.h>

#define OBJECT_SYMBOL "patchbay_plugin"	/* the one that PB_PLUGIN() makes */

/* Map `path`, with all its symbols resolved, unless its file says that it is made for another ABI: then
 * nothing of it is run. *raw is its descriptor, not yet believed. Plugin `name` is for errors. The
 * object, for dlclose(); NULL after error_add(err, "plugin", …). */
void *object_open(const char *path, const char *name, const void **raw, struct pb_error *err);

#endif
