/*
 * config.h - a whole configuration: names to instances and routes.
 *
 * Reads the file and what it includes, fills in secrets, checks every section
 * against its option tables, resolves every name, and reports all that is wrong at
 * once. It opens nothing but configuration files and secrets; it knows plugins only through
 * the tables that `struct config_plugins` hands it.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "config/files.h"
#include "config/keep.h"
#include "config/options.h"
#include "config/rate.h"
#include "config/retry.h"

enum config_kind { CONFIG_SOURCE, CONFIG_FILTER, CONFIG_SINK, CONFIG_KINDS };
/* "source", "filter", "sink" */
const char *config_kind_name(enum config_kind);

/* How config asks for a plugin's table. */
struct config_plugins {
	void *arg;
	/* Optional: told `plugin_dir` once, before the first find(). */
	void (*folder)(void *arg, const char *plugin_dir);
	/* True when there is such a plugin and it offers this kind; *table may be NULL (no options).
	 * *most is a sink's max_batch, *repeat whether `workers` may be above 1. False after
	 * error_add(). */
	bool (*find)(void *arg, enum config_kind, const char *plugin, const struct pb_option **table,
		     uint32_t *most, bool *repeat, struct pb_error *);
};

struct config_instance {
	enum config_kind kind;
	char *name, *plugin, *title;	/* "team", "webhook", "sink team" */
	struct place place;
	struct options *options;
	struct retry retry;		/* sinks */
	struct rate rate;		/* sinks */
	bool used;			/* some route names it */
	bool builtin;			/* `patchbay`: no section, no shared object */
	bool sound;	/* nothing of its section is wrong; else `options` may be NULL */
	bool own_sound;	/* all that its plugin's table declares is as it should be */
	/* Over a reload. */
	struct config_instance *other;	/* its counterpart: config_compare() */
	struct config *owner;	/* whose it is */
	bool same;		/* the new one of two that are alike */
	bool kept;		/* the old one of them: it goes on */
	bool broken;		/* what was made of it does not run: it is made again */
	void *live;		/* what was made of it: its user's */
};

struct config_route {
	char *name, *title;		/* "runs", "route runs" */
	struct place place;
	struct options *options;	/* `events` and so on, as written */
	/* Resolved, in order; pointers into config->instances. */
	struct config_instance **from, **filters, **to;
	size_t n_from, n_filters, n_to;
	const char *const *events;	/* globs, ends in NULL */
};

struct config {
	struct options *core;		/* [patchbay] */
	struct config_instance **instances;
	size_t n_instances;
	struct config_route **routes;
	size_t n_routes;
	struct config_files *files;	/* what was read; the places' memory */
	struct config_instance **by_name;	/* the instances, sorted for config_find() */
};

/* Never NULL; with report->errors it must not be run. */
struct config *config_load(const char *path, const struct config_plugins *, struct report *);
void config_free(struct config *);
/* One section, its ${…} filled in, as an instance: what is wrong goes to the report, as `sound` says. Never
 * NULL. config_load() does it for each; the section may end before the instance. */
struct config_instance *config_instance_read(enum config_kind, struct section *,
					     const struct config_plugins *, struct report *);
void config_instance_free(struct config_instance *);
void config_route_free(struct config_route *);
struct config_instance *config_find(const struct config *, enum config_kind, const char *name);

/* `keep` of a [patchbay] that was found right. */
struct keep config_keep(const struct options *core);

/* The core's own tables. [patchbay]: state, include, plugin_dir, max_size, max_event,
 * shutdown_timeout, segment_size, log_level, control, … */
extern const struct pb_option config_core_table[];
extern const struct pb_option config_route_table[];
/* What all instances of a kind share: `plugin`, `workers`, `retry`, `order`, `timeout`,
 * `max_batch`, … */
const struct pb_option *config_common_table(enum config_kind);

#endif
