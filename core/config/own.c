/* own.c - the types of patchbay's events about itself. */
#include "config/own.h"

#include <string.h>

#include "base/parse.h"

static const char *const types[] = {
	"patchbay.config.reloaded",
	"patchbay.delivery.dead",
	"patchbay.journal.damaged",
	"patchbay.sink.blocking",
	"patchbay.sink.disabled",
	"patchbay.sink.down",
	"patchbay.sink.draining",
	"patchbay.sink.enabled",
	"patchbay.sink.filling",
	"patchbay.sink.overflow",
	"patchbay.sink.room",
	"patchbay.sink.up",
	"patchbay.store.filling",
	"patchbay.store.full",
	"patchbay.store.room",
	NULL
};

const char *const *own_types(void)
{
	return types;
}

bool own_type_matches(const char *glob)
{
	for (const char *const *type = types; *type != NULL; type++)
		if (glob_match(glob, *type))
			return true;
	return false;
}
