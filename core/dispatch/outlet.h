/*
 * outlet.h - one sink: what may be out, and whose turn it is.
 *
 * The router decides what goes out; the sender's thread hands it to the plugin. Lanes take turns.
 */
#ifndef DISPATCH_OUTLET_H
#define DISPATCH_OUTLET_H

#include <stdbool.h>

#include "base/histogram.h"
#include "dispatch/breaker.h"
#include "dispatch/bucket.h"
#include "dispatch/delivery.h"
#include "dispatch/inbox.h"
#include "dispatch/lane.h"
#include "dispatch/quota.h"
#include "dispatch/sinks.h"
#include "plugin/instance.h"

struct sender;

struct outlet {
	struct pb_self self;
	struct config_instance *config;
	struct router *router;
	struct inbox *inbox;
	struct sender *sender;
	uint32_t number;
	bool async;			/* submit() */
	bool paused;			/* it is to be closed: nothing goes out */
	bool retired;			/* of an earlier configuration: only answers to what is out */
	int64_t retired_ms;		/* monotonic: since then */
	bool late_said;			/* it has not answered all within its timeout since, which is said */
	size_t max_in_flight, max_batch, max_response;
	int64_t max_retry_after;	/* ms */
	size_t in_flight;		/* deliveries */
	struct lane **lanes;		/* that lead here */
	size_t n_lanes, turn;		/* whose turn it is */
	struct breaker breaker;
	struct timer timer;		/* the next probe */
	struct bucket bucket;		/* `rate` */
	struct timer rate_timer;	/* when the bucket has something again */
	struct outlet *pump_next;	/* the router's list of those with something to do */
	bool pumped;
	struct sink_stand stand;	/* enabled, disabled, draining */
	struct quota quota;		/* bytes, of all its lanes */
	uint64_t dead_max;		/* letters, of all its lanes */
	int64_t dead_keep;		/* ms, 0: for ever */
	uint64_t delivered, failed;
	uint64_t answers[PB_GONE + 1];	/* by code */
	uint64_t opened;		/* times the breaker opened */
	struct histogram latency;	/* from commit to the sink's yes: µs, SINK_SECONDS */
	struct histogram attempts;	/* from going out to the answer, whatever it says; likewise */
	bool failing;			/* the last answer was no success */
	bool said;			/* … and the log says so */
	int64_t said_ms;
	int64_t late_since;		/* the call that was said to be late */
	char reason[256];		/* the last failure */
};

/* Without a lane; its instance is not opened. All arguments must outlive it. */
void outlet_init(struct outlet *, struct config_instance *, struct plugin_use *,
		 const struct instance_env *, struct router *, struct inbox *);
/* Its instance must be closed and nothing be in flight. */
void outlet_fini(struct outlet *);
/* The lane leads here, and does so no more. The router's thread, or before it starts. */
void outlet_add_lane(struct outlet *, struct lane *);
void outlet_remove_lane(struct outlet *, const struct lane *);
/* It takes the place of `old`, which had its name: what was decided of the sink, how it did and what was counted is its now.
 * One that was held is tried at once. The router's thread. */
void outlet_succeed(struct outlet *, const struct outlet *old);
/* Send what may go out now. The router's thread. */
void outlet_pump(struct outlet *);
/* Say it, once, when the plugin stays in a call for longer than `timeout`. */
void outlet_watch(struct outlet *);
/* The breaker has opened: come back for the probe. */
void outlet_open_again(struct outlet *);

#endif
