/* descriptor.h - what a shared object says of itself, copied and checked before it is believed. */
#ifndef PLUGIN_DESCRIPTOR_H
#define PLUGIN_DESCRIPTOR_H

#include <stdbool.h>

#include <patchbay/plugin.h>

#include "config/config.h"

struct descriptor;

/* Is a plugin loaded that is made for this ABI? False after error_add() with both numbers and what to do. */
bool descriptor_abi_ok(const char *name, unsigned major, unsigned minor, struct pb_error *err);
/* A copy of `raw`, the plugin's symbol, in which members that the plugin does not have read as
 * zero, and a sink's max_batch is 1 at least. `name` is the file's name less ".so". NULL after
 * error_add(err, "plugin", …), one entry a fault: wrong ABI (both numbers), another name,
 * missing functions, contradictory option tables. */
struct descriptor *descriptor_new(const void *raw, const char *name, struct pb_error *err);
void descriptor_free(struct descriptor *);
/* The copy, valid until descriptor_free(). */
const struct pb_plugin *descriptor_plugin(const struct descriptor *);
/* What a copy has for a kind, as `find` of struct config_plugins tells it. False after error_add(). */
bool descriptor_face(const struct pb_plugin *, enum config_kind, const struct pb_option **table,
		     uint32_t *most, bool *repeat, struct pb_error *err);

#endif
