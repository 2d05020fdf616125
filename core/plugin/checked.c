/* checked.c - one answer to "is it right?", for `check` and for `run`. */
#include "plugin/checked.h"

#include "plugin/instance.h"

/* What only the plugin itself can say. */
static void check_instance(struct config_instance *in, struct loader *loader,
			   struct report *report)
{
	struct pb_error err;
	error_init(&err);
	const struct pb_plugin *plugin = loader_find(loader, in->plugin, &err);
	if (plugin != NULL)
		instance_check(in, plugin, &err);
	options_report(in->options, in->title, &err, report);
}

struct config *checked_load(const char *path, struct loader *loader, struct report *report)
{
	struct config_plugins tables = loader_tables(loader);
	struct config *config = config_load(path, &tables, report);
	for (size_t i = 0; i < config->n_instances; i++)
		if (config->instances[i]->own_sound)
			check_instance(config->instances[i], loader, report);
	return config;
}
