/* recover.h - at start: numbers for names, lanes' places, and the state brought up to the journal. */
#ifndef DISPATCH_RECOVER_H
#define DISPATCH_RECOVER_H

#include "dispatch/feed.h"
#include "dispatch/names.h"
#include "dispatch/router.h"

/* What needs a number. */
struct recover {
	struct router *router;
	struct feed **feeds;
	size_t n_feeds;
};

/* Number sources, lanes and sinks (new names get new numbers, kept for good), read each lane's place, bring marks and
 * watermarks up to the journal's end. Routes' rules are made. False after error_add(). Before any thread runs. */
bool recover_run(struct recover *, struct pb_error *);

/* Every instance is open, so the configuration stands: the lanes that it no longer has begin to leave. 0 or -errno. */
int recover_close_removed(struct router *);

/* What the route takes, its sources being numbered. */
struct rule *recover_rule(struct names *, const struct config_route *);

#endif
