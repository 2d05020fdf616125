/*
 * host-part.h - what the files of the isolated section's process share.
 *
 * The plugin runs on the engine's own code, a feed, a sender or a stage, with the daemon in the place of the router. The main thread
 * reads what the daemon says; each thread writes what it has to say itself.
 */
#ifndef CORE_HOST_PART_H
#define CORE_HOST_PART_H

#include <stdatomic.h>

#include "dispatch/chain.h"
#include "dispatch/feed.h"
#include "dispatch/outlet.h"
#include "dispatch/sender.h"
#include "plugin/link.h"
#include "plugin/loader.h"

struct host {
	struct link link;		/* `in` is the main thread's, `out` whoever's has `sending` */
	pthread_mutex_t sending;
	struct loader *loader;
	struct config_instance *config;
	struct metrics metrics;
	struct instance_env env;
	struct plugin_use *use;
	struct pb_self *self;		/* of the feed, outlet or stage */
	struct told *told;		/* of metrics: what the daemon knows */
	size_t n_told;
	/* A source's. */
	struct feed feed;
	pthread_mutex_t lock;		/* guards what the feed's thread waits for: these */
	pthread_cond_t came;
	bool running;			/* the main thread reads for all; before that, for itself */
	bool waits;			/* for a receipt, or a mark */
	int64_t token;			/* of the last commit */
	int result;			/* of what was waited for */
	char reason[512];
	struct buf mark;
	struct buf keys;		/* the feed's thread's */
	/* A sink's or filter's. */
	struct inbox inbox;
	struct outlet outlet;
	struct sender sender;
	struct stage stage;
	struct stage *stages[1];
	struct waiting {		/* deliveries of a batch that is not whole */
		const struct pb_event *event;
		unsigned attempt;
		uint32_t token;
	} *waiting;
	size_t n_waiting, waiting_room;
	pthread_t answers;		/* the thread that sends them */
	_Atomic size_t open;		/* deliveries and events that are not answered */
	_Atomic bool leaving;
	_Atomic int64_t job;		/* the filter's token: one at a time */
};

/* Pack it and send it. The daemon's end being closed ends the process. [any] */
void host_send(struct host *, const struct message *);
/* The daemon is gone, or talks nonsense: there is nothing left to do. */
void host_end(const char *why) __attribute__((noreturn));
/* The next message: 1, to be freed; 0: none yet. Main thread. */
int host_next(struct host *, struct message *);
/* Wait up to `ms` for something to read, and read it. Main thread. */
void host_fill(struct host *, int ms);
/* Whose the plugin's `self` is. */
struct host *host_of(const struct pb_self *);

/* host-source.c: make ready for open(); run(); what concerns it, true when the message did; until its thread has ended. */
void host_source_init(struct host *, unsigned worker);
bool host_source_start(struct host *);
bool host_source_take(struct host *, const struct message *);
void host_source_stop(struct host *);
void host_source_fini(struct host *);
/* host-deliver.c: the same for sinks and filters. */
void host_deliver_init(struct host *, unsigned worker);
bool host_deliver_start(struct host *);
bool host_deliver_take(struct host *, const struct message *);
void host_deliver_stop(struct host *);
void host_deliver_fini(struct host *);

#endif
