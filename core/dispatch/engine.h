/* engine.h - what struct dispatch consists of: for dispatch.c, stop.c and status.c only. */
#ifndef DISPATCH_ENGINE_H
#define DISPATCH_ENGINE_H

#include "dispatch/alarms.h"
#include "dispatch/chain.h"
#include "dispatch/commit.h"
#include "dispatch/dispatch.h"
#include "dispatch/feed.h"
#include "dispatch/outlet.h"
#include "dispatch/router.h"
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
	struct plugin_use **uses;
	size_t n_uses;
	int64_t started_ms;
};

#endif
