/*
 * api.h - the functions that plugins call, one file a section of plugin.h.
 *
 * Each is a thin step from the public name to what dispatch, plugin and event offer; nothing is decided here.
 */
#ifndef API_API_H
#define API_API_H

#include <patchbay/plugin.h>

#include "base/error.h"
#include "plugin/instance.h"

#endif
