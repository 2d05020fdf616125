/* isolate.c - the plugin that stands for one in another process. */
#include "dispatch/isolate.h"

#include <stdlib.h>

#include "base/magic.h"
#include "base/memory.h"

struct isolate_plugin {
	struct pb_plugin plugin;
	struct pb_source source;
	struct pb_filter filter;
	struct pb_sink sink;
	const struct pb_plugin *real;
	char *folder;
};

/* By this one of ours is known; the real load() is called in each process. */
static void *load_nothing(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	return self;
}

static void make_source(struct isolate_plugin *p)
{
	const struct pb_source *real = p->real->source;
	p->source = (struct pb_source){
		.size = sizeof p->source, .options = real->options, .check = real->check, .may_refuse = real->may_refuse,
		.may_repeat = real->may_repeat, .open = isolate_source_open, .close = isolate_source_close,
		.run = isolate_source_run, .settled = isolate_source_settled,
		.reopen = isolate_source_reopen,
	};
	p->plugin.source = &p->source;
}

static void make_filter(struct isolate_plugin *p)
{
	const struct pb_filter *real = p->real->filter;
	p->filter = (struct pb_filter){
		.size = sizeof p->filter, .options = real->options, .check = real->check, .open = isolate_filter_open,
		.close = isolate_filter_close, .apply = isolate_filter_apply,
	};
	p->plugin.filter = &p->filter;
}

static void make_sink(struct isolate_plugin *p)
{
	const struct pb_sink *real = p->real->sink;
	p->sink = (struct pb_sink){
		.size = sizeof p->sink, .options = real->options, .check = real->check, .max_batch = real->max_batch,
		.open = isolate_sink_open, .close = isolate_sink_close,
		.write = real->submit == NULL ? isolate_sink_write : NULL,
		.submit = real->submit != NULL ? isolate_sink_submit : NULL,
		.stop = real->submit != NULL ? isolate_sink_stop : NULL,
		.reopen = isolate_sink_reopen,
	};
	p->plugin.sink = &p->sink;
}

struct pb_plugin *isolate_plugin_new(const struct pb_plugin *real, const char *folder)
{
	struct isolate_plugin *p = xcalloc(1, sizeof *p);
	*p = (struct isolate_plugin){ .plugin = *real, .real = real, .folder = xstrdup(folder) };
	p->plugin.load = load_nothing;
	p->plugin.unload = NULL;
	if (real->source != NULL)
		make_source(p);
	if (real->filter != NULL)
		make_filter(p);
	if (real->sink != NULL)
		make_sink(p);
	return &p->plugin;
}

static struct isolate_plugin *isolate_of(const struct pb_plugin *plugin)
{
	return plugin->load == load_nothing ? CONTAINER_OF(plugin, struct isolate_plugin, plugin) : NULL;
}

void isolate_plugin_free(const struct pb_plugin *plugin)
{
	struct isolate_plugin *p = isolate_of(plugin);
	free(p->folder);
	free(p);
}

const struct pb_plugin *isolate_real(const struct pb_plugin *plugin)
{
	const struct isolate_plugin *p = isolate_of(plugin);
	return p == NULL ? NULL : p->real;
}

const struct pb_plugin *isolate_real_of(const struct pb_self *self)
{
	return isolate_of(self->plugin)->real;
}

const char *isolate_folder_of(const struct pb_self *self)
{
	return isolate_of(self->plugin)->folder;
}
