/* router.c - the router's turns. */
#include "dispatch/router.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/step.h"
#include "base/thread.h"
#include "dispatch/keys.h"
#include "dispatch/trail.h"
#include "event/event.h"
#include "state/history.h"

#define TIMERS_AT_ONCE 16

void router_init(struct router *r, const struct clock *clock, struct journal *journal,
		 struct state *state, size_t memory)
{
	struct journal_stat stat;
	journal_stat(journal, &stat);
	*r = (struct router){
		.clock = clock, .journal = journal, .state = state, .next = stat.next_seq,
		.routed = stat.end, .wall_offset = clock_wall(clock) - clock_mono(clock),
		.started_wall = clock_wall(clock),
		.kept_below = stat.first_seq,
	};
	r->last_save = r->last_event = clock_mono(clock);
	r->turn_began = clock_fine(clock);
	seen_init(&r->seen, state, clock, r->wall_offset);
	timeline_init(&r->timeline, r->next, router_wall(r));
	tick_begin(r);
	inbox_init(&r->inbox, memory);
	saver_init(&r->saver, state, &r->inbox);
	id_gen_init(&r->random);
	save_init(&r->open);
	save_init(&r->saving);
	pthread_mutex_init(&r->drained_lock, NULL);
	cond_init(&r->drained_cond);
}

void route_free(struct route *route)
{
	free(route->rule);
	free(route->lanes);
	free(route->stages);
	free(route);
}

void router_fini(struct router *r)
{
	struct intake got;
	inbox_take(&r->inbox, &got);
	intake_free(&got);
	for (size_t i = 0; i < r->n_lanes; i++)
		lane_free(r->lanes[i]);
	for (size_t i = 0; i < r->n_leaving; i++)
		lane_free(r->leaving[i]);
	for (size_t i = 0; i < r->n_routes; i++)
		route_free(r->routes[i]);
	free(r->routes);
	free(r->lanes);
	free(r->leaving);
	free(r->by_number);
	free(r->removed);
	counts_free(&r->gone_counts);
	free(r->outlets);
	router_matches_free(r);
	journal_cursor_close(r->journal, r->cursor);
	journal_cursor_close(r->journal, r->yield.cursor);
	timers_free(&r->timers);
	marks_free(r);
	free(r->keyed_by);
	space_free(r);
	lane_free_spare(r);
	seen_fini(&r->seen);
	shed_free(r);
	dead_free(r);
	save_free(&r->open);
	save_free(&r->saving);
	saver_fini(&r->saver);
	inbox_fini(&r->inbox);
	if (r->watermarks.moved != NULL)
		watermarks_fini(&r->watermarks);
	pthread_mutex_destroy(&r->drained_lock);
	pthread_cond_destroy(&r->drained_cond);
}

int64_t router_now(const struct router *r)
{
	return clock_mono(r->clock);
}

int64_t router_turn_ms(const struct router *r)
{
	return r->turn_began / 1000;
}

int64_t router_wall(const struct router *r)
{
	return clock_mono(r->clock) + r->wall_offset;
}

int64_t router_accepted(const struct router *r, const struct pb_event *ev, bool *own)
{
	int64_t us = event_accepted(ev);
	bool known = us != 0 || timeline_knows(&r->timeline, event_seq(ev));
	if (own != NULL)
		*own = !known;
	if (us != 0)
		return us / 1000 + r->wall_offset;
	int64_t latest = timeline_at(&r->timeline, event_seq(ev));
	return known || event_time(ev) > latest ? latest : event_time(ev);
}

void router_pump(struct router *r, struct outlet *o)
{
	if (o == NULL || o->pumped || o->retired)
		return;
	o->pumped = true;
	o->pump_next = r->to_pump;
	r->to_pump = o;
}

void router_moved(struct lane *lane)
{
	struct router *r = lane->router;
	r->last_event = router_turn_ms(r);
	r->save_pending = lane->unsaved = true;
	if (lane->dirty)
		return;
	lane->dirty = true;
	lane->dirty_next = r->dirty;
	r->dirty = lane;
}

/* The lane takes the event or falls behind; the slot, if it has filters to pass first. */
static struct slot *take_event(struct lane *lane, const struct pb_event *ev)
{
	if (!lane_has_room(lane) || !sink_takes(lane->outlet, event_seq(ev))) {
		keys_make_room(lane);
		lane_fall_behind(lane, event_seq(ev));
		return NULL;
	}
	struct covered *c = lane_take_covered(lane, event_seq(ev));
	if (c != NULL) {
		if (lane->strict && c->due_ms >= 0)
			lane_push_waiting(lane, ev, c);
		else
			lane_pass_covered(lane, c);
		free(c);
		return NULL;
	}
	uint64_t key = keys_hash(lane, ev);
	if (key != 0) {
		keys_enter(lane_push(lane, ev, SLOT_FILTERING), key);
		return NULL;
	}
	bool filters = lane->route->n_stages > 0;
	struct slot *slot = lane_push(lane, ev, filters ? SLOT_FILTERING : SLOT_READY);
	return filters ? slot : NULL;
}

static void submit(struct router *r, struct route *route, const struct pb_event *ev, struct slot *const slots[],
		   size_t n)
{
	if (n > 0)
		chain_submit(chain_job_new(route, &r->inbox, ev, slots, n));
}

void lane_offer(struct lane *lane, const struct pb_event *ev)
{
	struct slot *slot = take_event(lane, ev);
	submit(lane->router, lane->route, ev, &slot, slot != NULL);
}

void route_offer(struct router *r, struct route *route, const struct pb_event *ev, bool riding)
{
	struct slot *slots[64];
	size_t n = 0;
	for (size_t i = 0; i < route->n_lanes; i++) {
		struct lane *lane = route->lanes[i];
		if (riding ? !lane->riding || lane_took_else(lane, event_seq(ev)) : !lane->live)
			continue;
		slots[n] = take_event(lane, ev);
		n += slots[n] != NULL;
		if (n == sizeof slots / sizeof slots[0]) {
			submit(r, route, ev, slots, n);
			n = 0;
		}
	}
	submit(r, route, ev, slots, n);
}

void slot_begin(struct router *r, struct slot *slot)
{
	struct route *route = slot->lane->route;
	if (route->n_stages == 0 || slot->parts.list != NULL) {
		lane_ready(slot);
		return;
	}
	slot->state = SLOT_FILTERING;
	submit(r, route, slot->event, &slot, 1);
}

/* Some events are only in the journal: every lane gets them from there. */
static void all_fall_behind(struct router *r, uint64_t seq)
{
	for (size_t i = 0; i < r->n_lanes; i++)
		if (r->lanes[i]->live)
			lane_fall_behind(r->lanes[i], seq);
}

static void route_events(struct router *r, struct committed *c)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t n;
		struct route **routes = router_match(r, c->events[i], &n);
		r->next = c->first_seq + i;
		for (size_t j = 0; j < n; j++)
			route_offer(r, routes[j], c->events[i], false);
		r->unrouted += n == 0;
		event_unref(c->events[i]);
	}
}

static void route_committed(struct router *r, struct committed *c)
{
	step_at("route: taken in");
	trail_committed(r, c);
	if (c->n > 0 && !c->in_memory)
		all_fall_behind(r, r->next);
	else
		route_events(r, c);
	if (c->n > 0) {
		r->next = c->first_seq + c->n;
		timeline_note(&r->timeline, c->first_seq, c->accepted / 1000 + r->wall_offset);
		uptime_note(&r->uptime, c->first_seq, c->accepted / 1000);
	}
	save_mark(r, c->end, buf_span(&c->marks));
	if (c->marks.len > 0 || seen_wants(&r->seen)) {
		r->save_pending = true;
		r->last_event = router_now(r);
	}
	if (seen_presses(&r->seen))
		save_soon(r);
	r->routed = c->end;
	step_at("route: matched");
	buf_free(&c->marks);
	free(c->ids);
	free(c);
}

/* The lanes' progress, for the next block. */
static void publish(struct router *r)
{
	while (r->dirty != NULL) {
		struct lane *lane = r->dirty;
		r->dirty = lane->dirty_next;
		lane->dirty = false;
		settle_passed(lane);
		uint64_t mark = lane_watermark(lane);
		step_at("watermark: to be published");
		if (mark != lane->published)
			watermarks_move(&r->watermarks, lane->number, mark);
		lane->published = mark;
	}
}

static void pump(struct router *r)
{
	while (r->to_pump != NULL) {
		struct outlet *o = r->to_pump;
		r->to_pump = o->pump_next;
		o->pumped = false;
		outlet_pump(o);
	}
}

static void take_in(struct router *r)
{
	struct intake got;
	inbox_take(&r->inbox, &got);
	r->turn_began = clock_fine(r->clock);
	if (got.saved)
		save_finished(r, got.saved_result);
	for (struct pb_delivery *d = got.answers, *next; d != NULL; d = next) {
		next = d->next;
		settle_answer(r, d);
	}
	for (struct chain_job *job = got.chained, *next; job != NULL; job = next) {
		next = job->next;
		settle_chained(r, job);
	}
	if (got.committed != NULL)
		space_grew(r);
	for (struct committed *c = got.committed, *next; c != NULL; c = next) {
		next = c->next;
		route_committed(r, c);
	}
	for (struct inbox_call *call = got.calls, *next; call != NULL; call = next) {
		next = call->next;
		call->run(call);
		if (!call->later)
			inbox_called(&r->inbox, call);
	}
}

/* Not all at once: what thousands of sinks wait for may be due in one moment, and each can cost a look at the disk. */
static void fire_timers(struct router *r)
{
	struct timer *t;
	for (int n = 0; n < TIMERS_AT_ONCE && (t = timers_due(&r->timers, router_now(r))) != NULL; n++)
		t->fire(t);
}

static void note_drained(struct router *r)
{
	if (!r->draining || r->in_flight > 0)
		return;
	pthread_mutex_lock(&r->drained_lock);
	r->drained = true;
	pthread_cond_signal(&r->drained_cond);
	pthread_mutex_unlock(&r->drained_lock);
}

int64_t router_turn(struct router *r)
{
	take_in(r);
	fire_timers(r);
	bool more = !r->draining && catchup_turn(r);
	more = leave_turn(r) || more;
	more = tick_turn(r) || more;
	pump(r);
	publish(r);
	note_drained(r);
	if (r->wake_due && r->wake != NULL)
		r->wake(r->wake_arg);
	r->wake_due = false;
	int64_t save = save_turn(r), next = timers_next(&r->timers);
	if (more || r->to_pump != NULL)
		return 0;
	if (save < next)
		next = save;
	if (next == TIMER_NEVER)
		return -1;
	int64_t wait = next - router_now(r);
	return wait > 0 ? wait : 0;
}

static void *run(void *arg)
{
	struct router *r = arg;
	while (!atomic_load(&r->stop)) {
		int64_t wait = router_turn(r);
		if (wait != 0)
			inbox_wait(&r->inbox, wait);
	}
	router_turn(r);
	saver_stop(&r->saver);
	save_last(r);
	history_flush(r->history);
	inbox_close(&r->inbox);
	return NULL;
}

int router_start(struct router *r)
{
	int failed = thread_start(&r->thread, "router", run, r);
	r->started = failed == 0;
	return failed;
}
