/* builtin.c - the source `patchbay`. */
#include "config/builtin.h"

#include <string.h>

#include "base/memory.h"
#include "base/parse.h"
#include "config/section.h"

bool builtin_wanted(const struct section *route)
{
	char name[SECTION_NAME_MAX + 1];
	for (size_t i = 0; i < route->n; i++) {
		const char *at = route->settings[i].value;
		if (strcmp(route->settings[i].key, "from") != 0)
			continue;
		while (parse_list_next(&at, name, sizeof name) == 1)
			if (strcmp(name, BUILTIN_SOURCE) == 0)
				return true;
	}
	return false;
}

struct config_instance *builtin_source(struct place place, struct report *report)
{
	char kind[] = "source", name[] = BUILTIN_SOURCE, title[] = "source " BUILTIN_SOURCE;
	char key[] = "plugin", value[] = BUILTIN_SOURCE;
	struct setting plugin = { .key = key, .value = value, .place = place };
	struct section section = { .kind = kind, .name = name, .title = title, .place = place,
				   .settings = &plugin, .n = 1, .room = 1 };
	struct config_instance *in = xcalloc(1, sizeof *in);
	*in = (struct config_instance){
		.kind = CONFIG_SOURCE, .name = xstrdup(BUILTIN_SOURCE), .plugin = xstrdup(BUILTIN_SOURCE),
		.title = xstrdup("source " BUILTIN_SOURCE), .place = place, .used = true, .sound = true,
		.builtin = true,
		.options = options_read(&section, NULL, config_common_table(CONFIG_SOURCE), report),
	};
	return in;
}
