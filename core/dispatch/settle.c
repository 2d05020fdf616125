/*
 * settle.c - what an answer means for a delivery, its lane and its sink.
 *
 * A slot is judged when the last of its deliveries that are out is answered, by the worst of
 * the answers. What fails in a relaxed lane gets a row and leaves; in a strict lane it waits in its place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/span.h"
#include "base/step.h"
#include "dispatch/alarms.h"
#include "dispatch/keys.h"
#include "dispatch/router.h"
#include "dispatch/schedule.h"
#include "dispatch/status.h"
#include "dispatch/trail.h"
#include "event/codec.h"
#include "event/event.h"

#define AGED_MS 1000
#define SAID_EVERY 60000		/* ms between two lines of a sink that works by turns */
#define AGED_PASSED 256

/* From best to worst: which answer decides when a slot's deliveries are answered differently. */
static int rank(enum pb_code code)
{
	switch (code) {
	case PB_OK:
		return 0;
	case PB_UNTRIED:
		return 1;
	case PB_REJECT:
		return 2;
	case PB_RETRY:
		return 3;
	case PB_GONE:
		return 4;
	default:
		return 5;
	}
}

static struct delivery_key key_of(const struct slot *slot)
{
	return (struct delivery_key){ slot->lane->number, slot->seq };
}

static uint32_t slot_bytes(const struct slot *slot)
{
	return (uint32_t)codec_size(slot->event);
}

/* The row that the slot has, if any, goes. */
static void forget_row(struct router *r, struct slot *slot)
{
	if (slot->row_due_ms < 0)
		return;
	rows_del_straggler(&r->open.batch, key_of(slot), slot->row_due_ms);
	slot->row_due_ms = -1;
	lane_row_gone(slot->lane, slot->row_cost);
}

/* `wait` ms before it is tried again, if it is parked not before that. */
static void put_row_due(struct router *r, struct slot *slot, int64_t due, int64_t wait)
{
	struct straggler_row row = {
		.attempts = slot->attempts, .first_ms = slot->first_ms, .due_ms = due, .wait_ms = wait,
		.key = slot->hash, .after_ms = due_is_parked(due) && wait > 0 ? router_wall(r) + wait : 0,
		.bytes = slot_bytes(slot), .parts = slot_parts_bits(slot), .error = span_str(slot->text),
		.response = { slot->response, slot->response_len },
	};
	rows_put_straggler(&r->open.batch, key_of(slot), &row, slot->row_due_ms);
	if (slot->row_due_ms >= 0)
		lane_row_gone(slot->lane, slot->row_cost);
	slot->row_cost = straggler_cost(&row);
	lane_row_added(slot->lane, slot->row_cost);
	slot->row_due_ms = due;
	slot->n_saved = slot->n_done;
	save_soon(r);
}

/* `parked`: not before all that its lane has before it. */
static void put_row(struct router *r, struct slot *slot, int64_t wait, bool parked)
{
	put_row_due(r, slot, parked ? due_parked(0) : router_wall(r) + wait, wait);
}

void settle_park_key(struct router *r, struct slot *slot)
{
	put_row_due(r, slot, due_parked(slot->hash), 0);
	slot->state = SLOT_SAVING;
	save_wait(r, slot, true, TIMER_NEVER);
}

static bool is_parked(const struct slot *slot)
{
	return slot->row_due_ms == due_parked(0);
}

void settle_park(struct lane *lane)
{
	struct router *r = lane->router;
	for (struct slot *s = lane->head; s != NULL; s = s->next) {
		bool has_row = s->row_due_ms >= 0 && (!lane->strict || s->passed || is_parked(s));
		int64_t wait = s->state == SLOT_WAITING ? s->after - router_now(r) : 0;
		if (s->state != SLOT_SAVING && !has_row)
			put_row(r, s, wait > 0 ? wait : 0, true);
	}
}

static void tell_dead(struct router *r, const struct slot *slot, enum dead_reason reason)
{
	if (event_origin(slot->event) == r->alarms_origin)
		return;
	alarms_tell(r->alarms, "patchbay.delivery.dead", router_wall(r), "id", event_id(slot->event),
		    "type", event_type(slot->event), "route", slot->lane->route_name,
		    "sink", lane_sink(slot->lane), "reason", dead_reason_name(reason),
		    "error", slot->text, NULL);
}

static void tell_sink(struct router *r, const struct outlet *o, const char *type, const char *why)
{
	alarms_tell(r->alarms, type, router_wall(r), "sink", o->config->name, "error", why, NULL);
}

static void put_dead(struct router *r, struct slot *slot, enum dead_reason reason)
{
	forget_row(r, slot);
	dead_add(slot->lane, slot->seq, reason, &(struct straggler_row){
		.attempts = slot->attempts, .first_ms = slot->first_ms,
		.bytes = slot_bytes(slot), .parts = slot_parts_bits(slot), .error = span_str(slot->text),
		.response = { slot->response, slot->response_len },
	}, slot->event);
	keys_unhold(slot);
	slot->state = SLOT_SAVING;
	save_wait(r, slot, true, TIMER_NEVER);
	step_at("settle: dead letter's row gathered");
}

void settle_shed(struct slot *slot, enum dead_reason reason)
{
	assert(slot->state == SLOT_READY || slot->state == SLOT_WAITING || slot->state == SLOT_HELD);
	put_dead(slot->lane->router, slot, reason);
}

static void make_dead(struct router *r, struct slot *slot, enum dead_reason reason)
{
	log_write(PB_WARN, slot->lane->sink_title, "event %s (%s) of route %s is dead (%s): %s",
		  event_id(slot->event), event_type(slot->event), slot->lane->route_name,
		  dead_reason_name(reason), slot->text != NULL ? slot->text : "no reason given");
	tell_dead(r, slot, reason);
	put_dead(r, slot, reason);
}

void settle_removed(struct router *r, struct slot *slot)
{
	slot->lane->leaving.moved++;
	put_dead(r, slot, DEAD_REMOVED);
}

static void delivered(struct router *r, struct slot *slot)
{
	keys_settled(slot);
	if (slot->row_due_ms < 0) {
		lane_settled(slot);
		return;
	}
	forget_row(r, slot);
	space_release(r, slot->seq);
	step_at("settle: straggler delivered");
	if (slot->lane->strict || slot->lane->from_rows || slot->hash != 0)
		save_soon(r);		/* the lane waits for it, or for its room */
	slot->forgotten = true;
	slot->state = SLOT_SAVING;
	save_wait(r, slot, true, TIMER_NEVER);
}

/* It failed; when is it tried again? */
static void retry(struct router *r, struct slot *slot, const struct retry *waits, int64_t max_after)
{
	struct lane *lane = slot->lane;
	int64_t expire = options_int(lane->outlet->config->options, "expire");
	int64_t wait = schedule_wait(waits, slot->attempts, slot->after, max_after, &r->random);
	if (wait < 0 || (expire > 0 && expire_age(r, slot->seq, slot->first_ms) + wait > expire)) {
		make_dead(r, slot, wait < 0 ? DEAD_EXHAUSTED : DEAD_EXPIRED);
		return;
	}
	lane->retried++;
	bool in_place = lane->strict && !slot->loose && !slot->passed;
	put_row(r, slot, wait, in_place && is_parked(slot));
	step_at("settle: straggler's row gathered");
	if (in_place) {
		slot->state = SLOT_WAITING;
		slot->after = router_now(r) + wait;
		timer_sooner(&r->timers, &lane->timer, slot->after);
		return;
	}
	slot->state = SLOT_SAVING;
	save_wait(r, slot, true, slot->row_due_ms);
}

static void failed(struct router *r, struct slot *slot, enum pb_code code)
{
	const struct outlet *o = slot->lane->outlet;
	slot->attempts++;
	if (slot->first_ms == 0)
		slot->first_ms = router_wall(r);
	if (code == PB_REJECT)
		make_dead(r, slot, DEAD_REJECTED);
	else if (slot->lane->leaving.is)
		settle_removed(r, slot);
	else
		retry(r, slot, &o->config->retry, o->max_retry_after);
}

/* None of its attempts is used up. */
static void wait_on(struct slot *slot)
{
	slot->lane->halves = slot->lane->halves || slot->n_done != slot->n_saved;
	lane_ready(slot);
}

/* All that was out is answered. */
static void judge(struct router *r, struct slot *slot)
{
	slot->lane->n_flying--;
	step_at("settle: answered");
	if (slot->n_done == slot_parts(slot))
		delivered(r, slot);
	else if (slot->worst == PB_RETRY || slot->worst == PB_REJECT)
		failed(r, slot, slot->worst);
	else
		wait_on(slot);
}

/* Keep the words of the worst answer. */
static void note_answer(struct slot *slot, struct pb_delivery *d)
{
	if (d->code == PB_OK || rank(d->code) < rank(slot->worst))
		return;
	slot->worst = d->code;
	slot->after = d->after;
	if (d->text == NULL)
		return;
	free(slot->text);
	free(slot->response);
	slot->text = d->text;
	slot->response = d->response;
	slot->response_len = d->response_len;
	d->text = d->response = NULL;
}

static void note_down(struct router *r, struct outlet *o, const char *what, const char *why)
{
	log_write(PB_WARN, o->self.title, "%s: %s", what, why);
	tell_sink(r, o, "patchbay.sink.down", why);
	o->opened++;
}

static void note_alive(struct router *r, struct outlet *o)
{
	if (!breaker_alive(&o->breaker, o->max_in_flight))
		return;
	log_write(PB_INFO, o->self.title, "is up again");
	tell_sink(r, o, "patchbay.sink.up", NULL);
}

/* The first failure and the first success after it are worth a line; not every one, if they alternate. */
static void note_fails(struct router *r, struct outlet *o, const char *why)
{
	o->failed++;
	if (o->failing || o->breaker.state != BREAKER_CLOSED)
		return;
	o->failing = true;
	o->said = o->said_ms == 0 || router_now(r) - o->said_ms >= SAID_EVERY;
	if (!o->said)
		return;
	o->said_ms = router_now(r);
	log_write(PB_WARN, o->self.title, "a delivery failed: %s", why);
}

static void note_works(struct outlet *o)
{
	o->delivered++;
	if (o->failing && o->said)
		log_write(PB_INFO, o->self.title, "delivers again");
	o->failing = false;
	o->reason[0] = '\0';	/* what status shows is a present fault */
}

/* What the answer says of the sink as a whole. */
static void note_sink(struct router *r, struct outlet *o, const struct pb_delivery *d)
{
	int64_t after = d->after < o->max_retry_after ? d->after : o->max_retry_after;
	const char *why = d->text != NULL ? d->text : "no reason given";
	switch (d->code) {
	case PB_DOWN:
		sink_failed(o, why);
		if (breaker_down(&o->breaker, router_now(r), after))
			note_down(r, o, "is down, held until it answers", why);
		break;
	case PB_GONE:
		sink_gone(o, why);
		break;
	case PB_RETRY:
		sink_failed(o, why);
		if (o->breaker.failures_max == 0)	/* it answers, and that is all that is asked */
			note_alive(r, o);
		else if (breaker_failed(&o->breaker, router_now(r)))
			note_down(r, o, "fails again and again, held until it works", why);
		break;
	case PB_UNTRIED:
		break;
	default:
		note_alive(r, o);
	}
	if (d->code <= PB_GONE)
		o->answers[d->code]++;
	if (d->code == PB_OK) {
		note_works(o);
		sink_worked(o);
	} else if (d->code != PB_UNTRIED) {
		note_fails(r, o, why);
	}
	if (d->code != PB_OK && d->text != NULL) {
		strncpy(o->reason, d->text, sizeof o->reason - 1);
		o->reason[sizeof o->reason - 1] = '\0';
	}
}

/* How long it took: this attempt, and with a yes all of it since the event was accepted. */
static void measure(struct router *r, struct outlet *o, const struct pb_delivery *d)
{
	const struct pb_event *ev = d->slot->event;
	int64_t accepted = event_accepted(ev);
	if (d->code == PB_UNTRIED)
		return;
	histogram_add(&o->attempts, SINK_SECONDS, r->turn_began - d->batch->sent);
	if (d->code != PB_OK)
		return;
	if (accepted == 0)
		accepted = (router_accepted(r, ev, NULL) - r->wall_offset) * 1000;
	histogram_add(&o->latency, SINK_SECONDS, r->turn_began - accepted);
}

/* A whole batch that came back untouched: not again at once. */
static void note_batch(struct router *r, struct outlet *o, struct batch *b, enum pb_code code)
{
	b->progress = b->progress || code != PB_UNTRIED;
	if (++b->settled < b->n || b->progress || r->draining)
		return;
	if (o->breaker.state == BREAKER_CLOSED) {
		snprintf(o->reason, sizeof o->reason, "answered none of %zu deliveries", b->n);
		log_write(PB_WARN, o->self.title, "%s; held for a moment, then given them again", o->reason);
	}
	breaker_untried(&o->breaker, router_now(r));
}

void settle_answer(struct router *r, struct pb_delivery *d)
{
	CHECK_OBJ(d, DELIVERY_MAGIC);
	struct slot *slot = d->slot;
	struct batch *b = d->batch;
	struct outlet *o = b->outlet;
	o->in_flight--;
	r->in_flight--;
	if (!o->retired) {
		note_sink(r, o, d);
		measure(r, o, d);
		note_batch(r, o, b, d->code);
		outlet_open_again(o);
	}
	r->wake_due = r->wake_due || (o->retired && o->in_flight == 0);
	if (d->code == PB_OK) {
		slot_part_delivered(slot, d->part);
		slot->lane->delivered++;
	}
	trail_answer(r, d);
	note_answer(slot, d);
	router_pump(r, o);
	if (--slot->flying == 0)
		judge(r, slot);
	free(d->text);
	free(d->response);
	batch_unref(b);
}

static void filter_failed(struct router *r, struct slot *slot, const struct chain_job *job)
{
	free(slot->text);
	slot->text = strdup(job->reason);
	slot->attempts++;
	if (slot->first_ms == 0)
		slot->first_ms = router_wall(r);
	slot->after = 0;
	trail_filter_failed(r, slot);
	if (job->failed == -EAGAIN && slot->lane->leaving.is)
		settle_removed(r, slot);
	else if (job->failed == -EAGAIN)
		retry(r, slot, &slot->lane->outlet->config->retry, 0);
	else
		make_dead(r, slot, DEAD_FILTER);
}

void settle_chained(struct router *r, struct chain_job *job)
{
	job->route->jobs--;
	r->wake_due = r->wake_due || (job->route->retired && job->route->jobs == 0);
	for (size_t i = 0; i < job->n_slots; i++) {
		struct slot *slot = job->slots[i];
		if (job->failed != 0) {
			filter_failed(r, slot, job);
			continue;
		}
		if (job->in.n == 0) {
			slot->lane->filtered++;
			trail_filtered(r, slot);
			delivered(r, slot);
			continue;
		}
		for (size_t k = 0; k < job->in.n; k++)
			parts_add(&slot->parts, event_ref(job->in.list[k]));
		slot_restore_parts(slot, (struct pb_span){ slot->restored, slot->restored_len });
		slot->n_saved = slot->n_done;
		lane_ready(slot);
	}
	chain_job_free(job);
}

/* It waited in its place, since its lane was strict when its row was written: now it waits as a straggler. */
static void wait_elsewhere(struct router *r, struct slot *slot)
{
	int64_t left = slot->after - router_now(r);
	put_row(r, slot, left > 0 ? left : 0, false);
	slot->state = SLOT_SAVING;
	save_wait(r, slot, true, slot->row_due_ms);
}

/* It leaves the window when its row is on disk, and waits for its answer as a straggler. */
static void pass(struct router *r, struct slot *slot)
{
	slot->passed = true;
	save_wait(r, slot, false, TIMER_NEVER);
}

/* What others have passed gets a row, so that the watermark may pass it too, and a crash repeats only it. What
 * nothing has passed needs none: a lane that is held writes nothing. */
static void age_window(struct router *r, struct lane *lane, int64_t since)
{
	for (struct slot *s = lane->head; s != NULL && s->seq < lane_passed(lane); s = s->next) {
		if (s->state == SLOT_SAVING || s->passed || s->taken_ms > since)
			continue;
		if (s->state == SLOT_HELD) {
			keys_park(s);
		} else if (s->state == SLOT_WAITING) {
			wait_elsewhere(r, s);
		} else if (s->row_due_ms < 0 || is_parked(s)) {
			put_row(r, s, 0, false);
			pass(r, s);
		}
	}
}

void settle_passed(struct lane *lane)
{
	if (lane->n_held > 0 && !lane->live && lane->count > lane->outlet->max_in_flight)
		keys_make_room(lane);
	if (!lane->strict && lane->settled_past_head >= AGED_PASSED &&
	    (lane->head->row_due_ms < 0 || is_parked(lane->head)))
		age_window(lane->router, lane, lane->head->taken_ms);
}

/* What is half delivered while its sink is held may stay so for days: what arrived goes into a row. */
static void save_halves(struct router *r, struct slot *first)
{
	for (struct slot *s = first; s != NULL; s = s->next) {
		bool fresh = s->row_due_ms < 0;
		if (s->n_done == s->n_saved || s->state != SLOT_READY)
			continue;
		put_row(r, s, 0, is_parked(s));
		if (fresh && !s->lane->strict)
			pass(r, s);
	}
}

void settle_aged(struct lane *lane)
{
	struct router *r = lane->router;
	age_window(r, lane, router_now(r) - AGED_MS);
	if (!lane->halves || lane->outlet->breaker.state == BREAKER_CLOSED)
		return;
	lane->halves = false;
	save_halves(r, lane->head);
	save_halves(r, lane->loose_head);
}

void settle_passed_all(struct router *r)
{
	for (size_t i = 0; i < r->n_lanes; i++)
		age_window(r, r->lanes[i], INT64_MAX);
}
