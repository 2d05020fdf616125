/*
 * sinks.h - a sink as operators see it: enabled, disabled or draining, and kept so over restarts.
 *
 * A disabled sink is given nothing and keeps its backlog; a receiver that is gone, or has done nothing but
 * fail for `disable_after`, disables its own. A draining one gets what was there when the draining began
 * and nothing new: its lanes fall behind, and catch up once it is enabled. Everything here is the
 * router's thread's.
 */
#ifndef DISPATCH_SINKS_H
#define DISPATCH_SINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "state/rows.h"

struct lane;
struct outlet;
struct router;
struct sink_retried;

#define SINK_WHY_SIZE 256
#define SINK_WORKS INT64_MAX	/* in failing_since */

/* Part of an outlet. */
struct sink_stand {
	enum sink_mode mode;
	int64_t since_ms;		/* wall clock of the last change, 0: there was none */
	uint64_t until_seq;		/* draining: the first event that it does not take */
	bool drained;			/* and that was said */
	int64_t failing_since;		/* monotonic ms, may be before the start; SINK_WORKS: it does not fail */
	int64_t failing_saved;		/* ms, as the row has it */
	int64_t disable_after;		/* ms, 0: never. Set at birth */
	char why[SINK_WHY_SIZE];
};

/* As the state has it, which is said when it is not enabled. At start, before lanes are placed. 0 or -errno. */
int sink_restore(struct outlet *);
/* An operator changes the mode: put its row. False when it is in that mode already. */
bool sink_set(struct outlet *, enum sink_mode, const char *why);
/* An operator says that the receiver is back: what waits for its next attempt is tried now, and one that is held as down is
 * probed. 0, -ESHUTDOWN: it is disabled. */
int sink_retry(struct outlet *, struct sink_retried *);
/* Does the sink take events from `seq` on, as far as draining goes? */
bool sink_takes(const struct outlet *, uint64_t seq);
/* Draining, and nothing is left of what was there. */
bool sink_is_drained(const struct outlet *);
/* It delivered; or it failed for the reason `why`, in a way that speaks of the receiver and not of the event. */
void sink_worked(struct outlet *);
void sink_failed(struct outlet *, const char *why);
/* The receiver says that it is gone for good. */
void sink_gone(struct outlet *, const char *why);
/* ms that it has done nothing but fail, 0: it does not. */
int64_t sink_failing(const struct outlet *);
/* Every second: what is drained is said, what goes on failing is saved. */
void sinks_tick(struct router *);
/* "running", "down", "probing", "disabled", "draining", "drained" */
const char *sink_state_name(const struct outlet *);

#endif
