/* recover.h - at start: numbers for names, lanes' places, and the state brought up to the journal. */
#ifndef DISPATCH_RECOVER_H
#define DISPATCH_RECOVER_H

#include "dispatch/feed.h"
#include "dispatch/router.h"

/* What needs a number. */
struct recover {
	struct router *router;
	struct feed **feeds;
	size_t n_feeds;
};

/* Number sources, lanes and sinks (new names get new numbers, kept for good), read each lane's place, bring marks and
 * watermarks up to the journal's end, and close the lanes that the configuration no longer has: their stragglers are dead with reason
 * `removed`. Routes' `from` is filled in. False after error_add(). Before any thread runs. */
bool recover_run(struct recover *, struct pb_error *);

#endif
