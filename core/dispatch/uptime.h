/*
 * uptime.h - the clock that `expire` goes by: it runs while a daemon does, and no one sets it.
 *
 * It goes on where the last run left it, and with it what is known of when events were accepted; so a store that
 * was down for a week finds nothing in it a week older. Saved once a minute while anything waits, and at a stop:
 * after a crash it has lost a minute at most, and everything is as much younger. The router's thread's.
 */
#ifndef DISPATCH_UPTIME_H
#define DISPATCH_UPTIME_H

#include "dispatch/timeline.h"
#include "state/state.h"

struct uptime {
	int64_t offset;			/* it, less the monotonic clock: ms */
	int64_t saved;			/* when it was saved last; by it */
	struct timeline accepted;	/* events, by it */
};

/* As the state has it, or a new one, at monotonic `now`; `next` is what the next event gets. 0 or -errno. */
int uptime_restore(struct uptime *, struct state *, uint64_t next, int64_t now);
/* A block that begins with event `seq` was accepted at monotonic `now`. */
void uptime_note(struct uptime *, uint64_t seq, int64_t now);
/* How long ago the event was accepted, at least. */
int64_t uptime_age(const struct uptime *, uint64_t seq, int64_t now);
/* Is it time to save it, if anything waits? */
bool uptime_is_due(const struct uptime *, int64_t now);
void uptime_put(struct uptime *, struct state_batch *, uint64_t next, int64_t now);

#endif
