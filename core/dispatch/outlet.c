/* outlet.c - one sink: what goes out, and when. */
#include "dispatch/outlet.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "dispatch/router.h"
#include "dispatch/sender.h"

/* One that may have many out is tried with a few first: thousands that are dead would have all of theirs. */
#define FIRST_OUT 8

static void probe_due(struct timer *t)
{
	struct outlet *o = CONTAINER_OF(t, struct outlet, timer);
	breaker_expired(&o->breaker, router_now(o->router));
	for (size_t i = 0; i < o->n_lanes; i++)
		stragglers_look(o->lanes[i]);	/* of those that are due, one may be what it is tried with */
	router_pump(o->router, o);
}

static void rate_due(struct timer *t)
{
	struct outlet *o = CONTAINER_OF(t, struct outlet, rate_timer);
	router_pump(o->router, o);
}

/* The i-th sink's part of up to a fifth: wherever one stops counting, they lie evenly. */
static unsigned spread_of(size_t i)
{
	unsigned turned = 0;
	for (size_t bit = 0; bit < 10; bit++)
		turned = turned << 1 | (unsigned)(i >> bit & 1);
	return turned / 5;
}

static struct breaker make_breaker(const struct options *options, bool async, size_t i)
{
	return (struct breaker){
		.ramp = async ? FIRST_OUT : 0,
		.failures_max = (unsigned)options_int(options, "breaker_failures"),
		.first_pause = options_int(options, "breaker_pause"),
		.longest_pause = options_int(options, "breaker_max_pause"),
		.spread = spread_of(i),
	};
}

static size_t batch_limit(const struct config_instance *in, const struct pb_sink *sink)
{
	size_t most = sink->max_batch > 0 ? sink->max_batch : 1;
	size_t wanted = (size_t)options_int(in->options, "max_batch");
	size_t out = (size_t)options_int(in->options, "max_in_flight");
	if (wanted > 0 && wanted < most)
		most = wanted;
	return options_isset(in->options, "max_in_flight") && out < most ? out : most;
}

void outlet_init(struct outlet *o, struct config_instance *in, struct plugin_use *use,
		 const struct instance_env *env, struct router *router, struct inbox *inbox)
{
	const struct pb_sink *sink = plugin_use_plugin(use)->sink;
	*o = (struct outlet){
		.config = in, .router = router, .inbox = inbox, .async = sink->submit != NULL,
		.max_batch = batch_limit(in, sink),
		.max_in_flight = (size_t)options_int(in->options, "max_in_flight"),
		.max_response = (size_t)options_int(in->options, "max_response"),
		.max_retry_after = options_int(in->options, "max_retry_after"),
		.timer = { .fire = probe_due }, .rate_timer = { .fire = rate_due },
		.breaker = make_breaker(in->options, sink->submit != NULL, router->n_outlets),
		.stand = {
			.failing_since = SINK_WORKS,
			.disable_after = options_int(in->options, "disable_after"),
		},
		.dead_max = (uint64_t)options_int(in->options, "dead_max"),
		.dead_keep = options_int(in->options, "dead_keep"),
	};
	quota_init(o);
	bucket_init(&o->bucket, &in->rate, options_int(in->options, "burst"), router_now(router));
	if (!o->async)
		o->max_in_flight = o->max_batch;
	instance_init(&o->self, in, use, env, 0);
	o->self.outlet = o;
}

void outlet_fini(struct outlet *o)
{
	instance_fini(&o->self);
	free(o->lanes);
}

void outlet_add_lane(struct outlet *o, struct lane *lane)
{
	o->lanes = xrealloc(o->lanes, o->n_lanes + 1, sizeof(struct lane *));
	o->lanes[o->n_lanes++] = lane;
}

void outlet_remove_lane(struct outlet *o, const struct lane *lane)
{
	size_t at = 0;
	while (o->lanes[at] != lane)
		at++;
	o->lanes[at] = o->lanes[--o->n_lanes];
	o->turn = 0;
}

/* Whatever was wrong may be put right. */
static void succeed_breaker(struct outlet *o, const struct breaker *old)
{
	struct breaker *b = &o->breaker;
	b->state = old->state == BREAKER_PROBING ? BREAKER_OPEN : old->state;
	b->failures = old->failures;
	b->trips = old->trips;
	b->ramp = old->ramp;
	b->until = router_now(o->router);
	outlet_open_again(o);
}

void outlet_succeed(struct outlet *o, const struct outlet *old)
{
	int64_t disable_after = o->stand.disable_after;
	o->stand = old->stand;
	o->stand.disable_after = disable_after;
	succeed_breaker(o, &old->breaker);
	if (o->bucket.tokens > old->bucket.tokens && old->bucket.rate.count > 0)
		o->bucket.tokens = old->bucket.tokens;
	atomic_store(&o->self.restarts, atomic_load(&old->self.restarts));
	o->delivered = old->delivered;
	o->failed = old->failed;
	memcpy(o->answers, old->answers, sizeof o->answers);
	o->opened = old->opened;
	o->latency = old->latency;
	o->attempts = old->attempts;
	o->failing = old->failing;
	o->said = old->said;
	o->said_ms = old->said_ms;
	memcpy(o->reason, old->reason, sizeof o->reason);
}

/* The next lane in turn that has something to send. */
static struct lane *next_lane(struct outlet *o)
{
	for (size_t i = 0; i < o->n_lanes; i++) {
		struct lane *lane = o->lanes[(o->turn + i) % o->n_lanes];
		if (lane_next_ready(lane, NULL) == NULL)
			continue;
		o->turn = (o->turn + i + 1) % o->n_lanes;
		return lane;
	}
	return NULL;
}

/* Add the slot's parts that are not delivered yet, as far as there is room. */
static void batch_add(struct batch *b, size_t most, struct slot *slot)
{
	size_t parts = slot_parts(slot);
	for (uint32_t i = 0; i < parts && b->n < most; i++) {
		if (slot_part_done(slot, i))
			continue;
		struct pb_delivery *d = &b->d[b->n];
		*d = (struct pb_delivery){
			.magic = DELIVERY_MAGIC, .attempt = slot->attempts + 1, .part = i,
			.event = slot_part(slot, i), .slot = slot, .batch = b,
		};
		b->list[b->n++] = d;
		slot->flying++;
	}
	slot->state = SLOT_FLYING;
	slot->worst = PB_OK;
	slot->lane->n_flying++;
}

static void send_from(struct outlet *o, struct lane *lane, size_t most)
{
	/* Without filters a slot is one delivery, and a batch need not be larger than what there is. */
	size_t slots = lane->count + lane->n_loose;
	if (lane->route->n_stages == 0 && slots < most)
		most = slots;
	struct batch *b = batch_new(o, most);
	b->sent = clock_fine(o->router->clock);
	struct slot *slot = NULL;
	while (b->n < most && (slot = lane_next_ready(lane, slot)) != NULL)
		batch_add(b, most, slot);
	assert(b->n > 0);
	atomic_store(&b->refs, b->n + 1);
	o->in_flight += b->n;
	o->router->in_flight += b->n;
	breaker_sent(&o->breaker);
	bucket_take(&o->bucket, b->n);
	sender_queue(o->sender, b);
}

void outlet_pump(struct outlet *o)
{
	while (!o->router->draining && !o->paused) {
		size_t room = breaker_allows(&o->breaker, o->in_flight, o->max_in_flight);
		if (room == 0 || (!o->async && o->in_flight > 0))
			return;
		struct lane *lane = next_lane(o);
		if (lane == NULL)
			return;
		int64_t now = router_now(o->router);
		size_t rated = bucket_has(&o->bucket, now);
		if (rated == 0) {
			timer_set(&o->router->timers, &o->rate_timer, now + bucket_wait(&o->bucket, now));
			return;
		}
		room = room < rated ? room : rated;
		size_t most = room < o->max_batch ? room : o->max_batch;
		/* Of several under way at once the second could overtake the first. */
		send_from(o, lane, lane->strict && o->async ? 1 : most);
	}
}

void outlet_open_again(struct outlet *o)
{
	if (o->breaker.state == BREAKER_OPEN)
		timer_set(&o->router->timers, &o->timer, o->breaker.until);
}

void outlet_watch(struct outlet *o)
{
	int64_t since = atomic_load(&o->sender->since);
	int64_t took = router_now(o->router) - since, timeout = options_int(o->config->options, "timeout");
	if (atomic_load(&o->sender->calling) != o || took <= timeout || o->late_since == since)
		return;
	o->late_since = since;
	log_write(PB_WARN, o->self.title, "the plugin has not come back from %s for %lld s: longer than timeout",
		  o->async ? "submit()" : "write()", (long long)(took / 1000));
}
