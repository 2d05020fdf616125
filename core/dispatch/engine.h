/*
 * engine.h - what struct dispatch consists of: for dispatch.c and the files that build, reload, stop and tell of it.
 *
 * The router's thread has the lists of feeds, outlets and stages once it runs: the main thread changes them by a call. Only
 * it does, so it may read them.
 */
#ifndef DISPATCH_ENGINE_H
#define DISPATCH_ENGINE_H

#include "dispatch/alarms.h"
#include "dispatch/chain.h"
#include "dispatch/commit.h"
#include "dispatch/dispatch.h"
#include "dispatch/feed.h"
#include "dispatch/outlet.h"
#include "dispatch/router.h"
#include "dispatch/retire.h"
#include "dispatch/sender.h"

struct dispatch {
	struct dispatch_env env;
	struct router router;
	struct commit commit;
	struct alarms alarms;
	struct sender submitter;	/* for all sinks with submit() */
	struct sender **writers;	/* one a sink with write() */
	size_t n_writers;
	struct feed **feeds;
	size_t n_feeds;
	struct stage **stages;
	size_t n_stages;
	struct plugin_use **uses;	/* the main thread's */
	size_t n_uses;
	struct retired retired;
	pthread_mutex_t readers;	/* names of the configuration stay while it is held */
	int64_t started_ms;
	_Atomic int64_t loaded_ms, refused_ms;	/* wall clock of the present configuration, and of a later one that was refused, 0 */
};

/* One more sink has a thread of its own. The router's thread, or before it starts. */
void dispatch_add_writer(struct dispatch *, struct sender *);
/* Run it on the router's thread and wait for it; 0, or -EAGAIN when there is no router any more. */
int dispatch_on_router(struct dispatch *, struct inbox_call *);

#endif
