/*
 * dispatch.h - the engine: what is accepted is committed, routed, delivered, settled.
 *
 * Sources' threads emit and commit (feed.c, commit.c). One thread, the router's, owns
 * routes, lanes, slots and outlets and takes turns (router.c): it matches what was
 * committed, hands deliveries to the sinks' threads (outlet.c), settles their answers
 * (settle.c), and catches lanes up from the journal (catchup.c). A saver thread writes
 * the state (saver.c). The rest hands over to the router through its inbox and never
 * touches what it owns. Nothing here knows a transport, a file format or the INI.
 */
#ifndef DISPATCH_DISPATCH_H
#define DISPATCH_DISPATCH_H

#include "config/config.h"
#include "journal/journal.h"
#include "plugin/instance.h"
#include "plugin/loader.h"
#include "state/state.h"

struct dispatch;

struct dispatch_env {
	struct instance_env instance;
	struct journal *journal;
	struct state *state;
	size_t memory;			/* bytes of committed events kept for the router */
	int64_t shutdown_ms;		/* what is in flight at a stop gets this long */
};

/* Build the engine for a checked configuration, and bring the state up to the journal. Both and what `env`
 * points to must outlive it. NULL after error_add(). */
struct dispatch *dispatch_new(const struct config *, struct loader *, const struct dispatch_env *,
			      struct pb_error *);
/* Open every instance (sinks, filters, then sources). False with everything wrong in the report; what
 * was opened is closed again. Main thread. */
bool dispatch_open(struct dispatch *, struct report *);
/* Start the threads. 0 or -errno. */
int dispatch_start(struct dispatch *);
/* Stop: sources first, then what is in flight within shutdown_ms, the rest stays on disk; who was late is
 * logged. True when all stopped in time. Main thread. */
bool dispatch_stop(struct dispatch *);
/* Close what is open and free; after dispatch_stop(), or when it was never started. */
void dispatch_free(struct dispatch *);
/* SIGHUP: every instance opens again by name what it holds. [any] */
void dispatch_reopen(struct dispatch *);

/* What the engine knows of itself, taken at one moment. Names are the configuration's. */
struct lane_status {
	const char *route, *sink;
	uint64_t watermark;	/* all events before it are settled */
	uint64_t behind;	/* events stored that the lane has not passed yet */
	uint64_t waiting;	/* of them in memory: queued, in flight, or waiting in place */
	uint64_t stragglers, dead;
	uint64_t delivered, retried, filtered;	/* since the start */
	bool catching_up;
};
struct instance_status {
	enum config_kind kind;
	const char *name, *plugin;
	const char *state;	/* "running", "full", "paused", "stopped", "down", "probing", "disabled" */
	uint64_t events;	/* accepted, taken, or delivered since the start */
	uint64_t failures;	/* refused, failed, or not delivered since the start */
	uint64_t in_flight;
	char reason[256];	/* the last failure, "" */
};
struct status {
	int64_t taken_ms, started_ms;
	struct journal_stat journal;
	uint64_t state_bytes, unrouted, lost;
	bool full;		/* nothing is accepted for want of space */
	struct instance_status *instances;
	struct lane_status *lanes;
	size_t n_instances, n_lanes;
};
/* [any thread but the router's]; -EAGAIN when the engine is not running. */
int dispatch_status(struct dispatch *, struct status *);
void status_free(struct status *);

#endif
