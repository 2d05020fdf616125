/* instance.c - a plugin's instances: made, opened, closed. */
#include "plugin/instance.h"

#include <stdlib.h>

#include "base/magic.h"
#include "base/memory.h"

#define SELF_MAGIC 0x53454c46u

struct plugin_use {
	const struct pb_plugin *plugin;
	struct pb_self self;	/* stands for the plugin in load() */
	bool loaded;
	void *shared;
};

static void self_init(struct pb_self *self, const struct pb_plugin *plugin, const char *name,
		      const char *title, const struct instance_env *env)
{
	*self = (struct pb_self){
		.magic = SELF_MAGIC, .plugin = plugin, .name = name, .title = title, .env = env,
	};
	pthread_mutex_init(&self->lock, NULL);
	id_gen_init(&self->ids);
}

struct plugin_use *plugin_use_new(const struct pb_plugin *plugin, const struct instance_env *env)
{
	struct plugin_use *use = xcalloc(1, sizeof *use);
	use->plugin = plugin;
	self_init(&use->self, plugin, plugin->name, plugin->name, env);
	metric_set_open(&use->self.metrics, env->metrics, "plugin", plugin->name, plugin->name);
	return use;
}

bool plugin_use_load(struct plugin_use *use, struct pb_error *err)
{
	if (use->loaded || use->plugin->load == NULL)
		return true;
	use->shared = use->plugin->load(&use->self, err);
	use->loaded = use->shared != NULL;
	return use->loaded;
}

void plugin_use_free(struct plugin_use *use)
{
	if (use->loaded && use->plugin->unload != NULL)
		use->plugin->unload(use->shared);
	instance_fini(&use->self);
	free(use);
}

void *plugin_use_shared(const struct plugin_use *use)
{
	return use->shared;
}

const struct pb_plugin *plugin_use_plugin(const struct plugin_use *use)
{
	return use->plugin;
}

void instance_init(struct pb_self *self, const struct config_instance *in, struct plugin_use *use,
		   const struct instance_env *env, unsigned worker)
{
	self_init(self, use->plugin, in->name, in->title, env);
	self->kind = in->kind;
	self->options = in->options;
	self->use = use;
	self->worker = worker;
	self->shares_port = in->kind == CONFIG_SOURCE && options_int(in->options, "workers") > 1;
	metric_set_open(&self->metrics, env->metrics, config_kind_name(in->kind), in->name,
			in->plugin);
}

void instance_fini(struct pb_self *self)
{
	CHECK_OBJ(self, SELF_MAGIC);
	assert(!self->opened);
	metric_set_close(&self->metrics);
	pthread_mutex_destroy(&self->lock);
	self->magic = 0;
}

static void *call_open(struct pb_self *self, struct pb_error *err)
{
	switch (self->kind) {
	case CONFIG_SOURCE:
		return self->plugin->source->open(self, err);
	case CONFIG_FILTER:
		return self->plugin->filter->open(self, err);
	default:
		return self->plugin->sink->open(self, err);
	}
}

static void call_close(struct pb_self *self)
{
	switch (self->kind) {
	case CONFIG_SOURCE:
		self->plugin->source->close(self->state);
		break;
	case CONFIG_FILTER:
		self->plugin->filter->close(self->state);
		break;
	default:
		self->plugin->sink->close(self->state);
	}
}

bool instance_open(struct pb_self *self, struct pb_error *err)
{
	CHECK_OBJ(self, SELF_MAGIC);
	assert(!self->opened);
	if (!plugin_use_load(self->use, err))
		return false;
	self->state = call_open(self, err);
	self->opened = self->state != NULL;
	if (self->opened)
		return true;
	instance_unlisten(self);
	if (err->count == 0)
		error_add(err, NULL, "plugin %s did not open and gave no reason",
			 self->plugin->name);
	return false;
}

void instance_close(struct pb_self *self)
{
	CHECK_OBJ(self, SELF_MAGIC);
	if (self->opened)
		call_close(self);
	self->opened = false;
	self->state = NULL;
	instance_unlisten(self);
}

void instance_check(const struct config_instance *in, const struct pb_plugin *plugin,
		    struct pb_error *err)
{
	void (*check)(struct pb_self *, struct pb_error *) =
		in->kind == CONFIG_SOURCE ? plugin->source->check :
		in->kind == CONFIG_FILTER ? plugin->filter->check : plugin->sink->check;
	if (check == NULL)
		return;
	struct metrics none;
	metrics_init(&none);
	struct instance_env env = { .clock = &clock_system, .metrics = &none, .max_event = SIZE_MAX };
	struct plugin_use *use = plugin_use_new(plugin, &env);
	struct pb_self self;
	instance_init(&self, in, use, &env, 0);
	check(&self, err);
	instance_fini(&self);
	plugin_use_free(use);
	metrics_free(&none);
}
