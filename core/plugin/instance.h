/*
 * instance.h - one configured instance of a plugin: its values, its metrics, its life.
 *
 * `struct pb_self` is what a plugin holds. This folder opens and closes it and knows what
 * the configuration says; what a source emits or a sink answers is dispatch's, hung
 * in by `feed`, `outlet` and `stage`, which this folder never looks into.
 */
#ifndef PLUGIN_INSTANCE_H
#define PLUGIN_INSTANCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/metric.h"
#include "config/config.h"

/* What all instances are given. */
struct instance_env {
	const struct clock *clock;
	struct metrics *metrics;
	size_t max_event;	/* bytes of the largest body taken */
	const char *program;	/* runs a section that has a process of its own; NULL: this very program */
	/* In a process of its own: asks the daemon for the socket, and keeps it by instance_take_listener(). NULL: it is made here. */
	int (*listen)(struct pb_self *, const char *option, size_t i, struct pb_error *);
};

/* One plugin in use: what its load() made, shared by its instances. */
struct plugin_use;

struct feed;
struct outlet;
struct stage;

struct listening {
	int fd;
	char *text;		/* the address, as configured */
	dev_t dev;		/* of the socket file we made, so that only ours is removed */
	ino_t ino;		/* 0: there is none */
};

/* Sockets that listen while nobody has them: between the instance that opened them and the one that takes over. */
struct listen_pool {
	struct pooled *at;
	size_t n;
};

struct pb_self {
	unsigned magic;
	const struct pb_plugin *plugin;
	enum config_kind kind;
	const char *name;		/* the section's; the plugin's own in load() */
	const char *title;		/* "sink team", for the log */
	const struct options *options;	/* NULL in load() */
	const struct instance_env *env;
	struct plugin_use *use;
	unsigned worker;		/* 0.. of `workers` */
	const struct pb_self *first;	/* worker 0, whose addresses the others share; NULL: it is alone, or this is it */
	bool shares_port;		/* several workers listen: SO_REUSEPORT */
	bool opened;
	void *state;			/* what open() returned */
	struct metric_set metrics;
	_Atomic int pid;		/* of its own process, 0: it has none now */
	_Atomic uint64_t restarts;	/* of that */
	pthread_mutex_t lock;		/* guards ids and listeners */
	struct id_gen ids;
	struct listening *listeners;	/* closed with the instance */
	size_t n_listeners;
	struct listen_pool *pool;	/* where instance_listen() looks first; NULL: nowhere. Set for instance_open() */
	struct feed *feed;		/* a source's */
	struct outlet *outlet;		/* a sink's */
	struct stage *stage;		/* a filter's */
};

/* The plugin as its instances share it: one object a plugin, kept by its users' count.
 * plugin_use_load() calls load() once, before the first open(). */
struct plugin_use *plugin_use_new(const struct pb_plugin *, const struct instance_env *);
/* False after pb_error(). */
bool plugin_use_load(struct plugin_use *, struct pb_error *);
/* unload(), after the last close(). */
void plugin_use_free(struct plugin_use *);
void *plugin_use_shared(const struct plugin_use *);
const struct pb_plugin *plugin_use_plugin(const struct plugin_use *);

/* Make ready for open(); `in` and `env` must outlive it. */
void instance_init(struct pb_self *, const struct config_instance *in, struct plugin_use *,
		   const struct instance_env *env, unsigned worker);
/* What instance_init() made; the instance must be closed. */
void instance_fini(struct pb_self *);
/* open(); false after pb_error(). Main thread. */
bool instance_open(struct pb_self *, struct pb_error *);
/* close(), when it is open. Main thread. */
void instance_close(struct pb_self *);
/* The plugin's check() for a section, without opening anything. */
void instance_check(const struct config_instance *, const struct pb_plugin *, struct pb_error *);

/* A fresh id. [any] */
void instance_new_id(struct pb_self *, char id[static ID_TEXT_SIZE]);
/* As pb_event_set(): an id that is set is the sender's. */
int instance_event_set(struct pb_event *, const char *name, const char *value);
/* As pb_event_new(), pb_event_copy() and pb_render(). [any] */
struct pb_event *instance_event_new(struct pb_self *, struct pb_span body);
struct pb_event *instance_event_copy(struct pb_self *, const struct pb_event *from, struct pb_span body);
char *instance_render(const struct pb_self *, const char *option, const struct pb_event *, size_t *len,
		      const char **missing);

/* As pb_listen(). */
int instance_listen(struct pb_self *, const char *option, size_t i, struct pb_error *);
/* A listening socket that is closed with the instance, and was made by another process. */
void instance_take_listener(struct pb_self *, const char *option, size_t i, int fd);
/* The instance's sockets go to the pool, and go on listening there: who connects waits. Before instance_close(). Main thread. */
void instance_hand_over(struct pb_self *, struct listen_pool *);
/* All that was taken from the pool is there again, the instance having been closed. */
void listen_pool_return(struct listen_pool *);
/* The end: what nobody took is closed. */
void listen_pool_close(struct listen_pool *);
/* Close what instance_listen() opened, and remove the socket files that are still ours. */
void instance_unlisten(struct pb_self *);

#endif
