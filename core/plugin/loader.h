/*
 * loader.h - shared objects to descriptors, and nothing that is not trustworthy.
 *
 * A plugin is named, never a path: NAME is PLUGIN_DIR/NAME.so. It is loaded only if
 * the file and each folder above it belong to root or the daemon's user and nobody else can write
 * them (a sticky folder may stand above), all its symbols resolve, and its descriptor
 * checks out before any member past `size` is read.
 */
#ifndef PLUGIN_LOADER_H
#define PLUGIN_LOADER_H

#include <patchbay/plugin.h>

#include "config/config.h"

struct loader;

/* Plugins are taken from `plugin_dir`; NULL: from where the first configuration that loads
 * says, and until then from the built-in folder. Never NULL. Main thread, as all of this. */
struct loader *loader_open(const char *plugin_dir);
/* Every plugin stays mapped until then; instances must be closed. */
void loader_close(struct loader *);
/* The folder that plugins are taken from now. */
const char *loader_folder(const struct loader *);
/* The descriptor of plugin `name`, loaded at first use: a copy, in which members newer than the
 * plugin read as zero and a sink's max_batch is 1 at least. NULL after error_add(err, "plugin",
 * …): no such plugin (nearest name), not a plugin, wrong ABI with both numbers, unsafe file or
 * folder, contradictory option table. */
const struct pb_plugin *loader_find(struct loader *, const char *name, struct pb_error *err);
/* For config_load(). */
struct config_plugins loader_tables(struct loader *);
/* Call for each plugin found in the folder, by name; a broken one comes with descriptor NULL
 * and its error. 0, or -errno when the folder cannot be read. */
int loader_each(struct loader *, void (*each)(void *arg, const char *name, const struct pb_plugin *,
					      const struct pb_error *), void *arg);

#endif
