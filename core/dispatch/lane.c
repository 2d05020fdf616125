/* lane.c - one route's way to one sink: the window, its order, its watermark. */
#include "dispatch/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/memory.h"
#include "dispatch/keys.h"
#include "dispatch/outlet.h"
#include "dispatch/router.h"
#include "event/event.h"

/* A window holds what may be out and as much again, so that the sink never waits for the router. */
#define WINDOW_SPARE 16
#define WINDOW_BYTES (4u << 20)
/* Slots that are kept to be used again. None under a sanitizer, which would rather see each freed. */
#ifdef __SANITIZE_ADDRESS__
#define SLOTS_SPARE 0
#else
#define SLOTS_SPARE 2048
#endif

/* Where it goes on: the head, or, of rows, the first that does not only wait for its own to go. After a crash rows are
 * taken up in order again, so that those may be passed. */
static struct slot *first_open(const struct lane *lane, struct slot *slot)
{
	while (lane->from_rows && slot != NULL && slot->state == SLOT_SAVING)
		slot = slot->next;
	return slot;
}

/* A strict lane's head waits in its place. Others may wait behind it, for their filter. */
static void wait_for_head(struct lane *lane)
{
	const struct slot *head = first_open(lane, lane->head);
	if (head != NULL && head->state == SLOT_WAITING)
		timer_sooner(&lane->router->timers, &lane->timer, head->after);
}

static void timer_fired(struct timer *t)
{
	struct lane *lane = CONTAINER_OF(t, struct lane, timer);
	struct slot *head = first_open(lane, lane->head);
	if (head != NULL && head->state == SLOT_WAITING && head->after <= router_now(lane->router))
		slot_begin(lane->router, head);
	wait_for_head(lane);
	stragglers_due(lane);
	keys_serve(lane);
}

static void set_order(struct lane *lane, const struct outlet *o)
{
	const struct options *options = o->config->options;
	const char *order = options_str(options, "order"), *by = options_str(options, "order_by");
	free(lane->order_by);
	lane->order_by = by[0] != '\0' ? xstrdup(by) : NULL;
	lane->max_keys = (size_t)options_int(options, "max_keys");
	lane->strict = order[0] == '\0' ? !o->async && lane->order_by == NULL : strcmp(order, "strict") == 0;
}

struct lane *lane_new_leaving(struct router *router, const char *title)
{
	struct lane *lane = xcalloc(1, sizeof *lane);
	const char *blank = strchr(title, ' ');
	size_t len = blank != NULL ? (size_t)(blank - title) : strlen(title);
	*lane = (struct lane){
		.router = router, .next_due_ms = TIMER_NEVER, .timer = { .fire = timer_fired },
		.title = xstrdup(title), .route_name = xasprintf("%.*s", (int)len, title),
		.sink_title = xasprintf("sink %s", blank != NULL ? blank + 1 : ""), .leaving.is = true,
	};
	return lane;
}

struct lane *lane_new(struct router *router, struct route *route, struct outlet *outlet)
{
	char *title = xasprintf("%s %s", route->config->name, outlet->config->name);
	struct lane *lane = lane_new_leaving(router, title);
	lane->leaving.is = false;
	lane->route = route;
	lane->outlet = outlet;
	set_order(lane, outlet);
	free(title);
	return lane;
}

const char *lane_sink(const struct lane *lane)
{
	return lane->sink_title + strlen("sink ");
}

/* Nothing waits in its place any more: each goes when its row is on disk. A parked one says no time: it is tried. */
static void let_pass(struct lane *lane)
{
	for (struct slot *s = lane->head; s != NULL; s = s->next) {
		if (s->state == SLOT_WAITING && due_is_parked(s->row_due_ms))
			slot_begin(lane->router, s);
		if (s->state != SLOT_WAITING)
			continue;
		s->state = SLOT_SAVING;
		save_wait(lane->router, s, true, s->row_due_ms);
		save_soon(lane->router);
	}
}

/* What is out when the order becomes strict comes back in any order: it holds nothing back. */
static void note_unordered(struct lane *lane)
{
	for (const struct slot *s = lane->head; s != NULL; s = s->next)
		if (s->state == SLOT_FLYING)
			lane->unordered = s->seq + 1;
}

uint64_t lane_passed(const struct lane *lane)
{
	return lane->strict && lane->unordered < lane->settled_top ? lane->unordered : lane->settled_top;
}

void lane_rewire(struct lane *lane, struct route *route, struct outlet *outlet)
{
	bool was_strict = lane->strict;
	if (lane->outlet != outlet && lane->outlet != NULL)
		outlet_remove_lane(lane->outlet, lane);
	if (lane->outlet != outlet)
		outlet_add_lane(outlet, lane);
	lane->route = route;
	lane->outlet = outlet;
	set_order(lane, outlet);
	if (was_strict && !lane->strict)
		let_pass(lane);
	else if (!was_strict && lane->strict)
		note_unordered(lane);
	stragglers_look(lane);
	router_pump(lane->router, outlet);
}

/* How many slots wait and have no row, less those that have one and are at work. */
static uint64_t waiting_slots(const struct slot *first)
{
	uint64_t n = 0;
	for (const struct slot *s = first; s != NULL; s = s->next) {
		n += s->state == SLOT_WAITING && s->row_due_ms < 0;
		n -= s->row_due_ms >= 0 && (s->state == SLOT_FILTERING || s->state == SLOT_READY || s->state == SLOT_FLYING);
	}
	return n;
}

uint64_t lane_waiting(const struct lane *lane)
{
	return lane->stragglers - lane->untaken + waiting_slots(lane->head) + waiting_slots(lane->loose_head);
}

void lane_hurry(struct lane *lane)
{
	struct router *r = lane->router;
	for (struct slot *s = lane->head; s != NULL; s = s->next)
		if (s->state == SLOT_WAITING && s->after > router_now(r))
			s->after = router_now(r);
	if (lane->stragglers > 0) {
		lane->hurry_ms = router_wall(r);
		lane->hurry_from = DUE_FIRST;
		lane->next_due_ms = router_wall(r);
	}
	timer_sooner(&r->timers, &lane->timer, router_now(r));
}

static struct slot *slot_take(struct router *r)
{
	struct slot *slot = r->spare_slots;
	if (slot == NULL)
		return xcalloc(1, sizeof *slot);
	r->spare_slots = slot->next;
	r->n_spare_slots--;
	return slot;
}

static void slot_put_back(struct router *r, struct slot *slot)
{
	if (r->n_spare_slots + 1 > SLOTS_SPARE) {
		free(slot);
		return;
	}
	slot->next = r->spare_slots;
	r->spare_slots = slot;
	r->n_spare_slots++;
}

void lane_free_spare(struct router *r)
{
	for (struct slot *s = r->spare_slots, *next; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	r->spare_slots = NULL;
	r->n_spare_slots = 0;
}

static void slot_free(struct slot *slot)
{
	event_unref(slot->event);
	parts_free(&slot->parts);
	free(slot->done);
	free(slot->restored);
	free(slot->text);
	free(slot->response);
	slot_put_back(slot->lane->router, slot);
}

void lane_free(struct lane *lane)
{
	keys_forget(lane);
	for (struct slot *s = lane->head, *next; s != NULL; s = next) {
		next = s->next;
		slot_free(s);
	}
	HASH_CLEAR(hh, lane->loose);
	for (struct slot *s = lane->loose_head, *next; s != NULL; s = next) {
		next = s->next;
		slot_free(s);
	}
	struct covered *c, *more;
	HASH_ITER(hh, lane->covered, c, more) {
		HASH_DEL(lane->covered, c);
		free(c);
	}
	rules_free(lane->old);
	rules_free(lane->stored);
	free(lane->order_by);
	free(lane->title);
	free(lane->route_name);
	free(lane->sink_title);
	free(lane);
}

void lane_cover(struct lane *lane, uint64_t seq, const struct straggler_row *row)
{
	size_t parts = row != NULL ? row->parts.len : 0;
	struct covered *c = xcalloc(1, sizeof *c + parts);
	c->seq = seq;
	c->due_ms = -1;
	if (row != NULL) {
		c->attempts = row->attempts;
		c->first_ms = row->first_ms;
		c->due_ms = row->due_ms;
		c->key = row->key;
		c->cost = straggler_cost(row);
		c->parts_len = parts;
		if (parts > 0)
			memcpy(c->parts, row->parts.data, parts);
	}
	HASH_ADD(hh, lane->covered, seq, sizeof c->seq, c);
}

struct covered *lane_find_covered(const struct lane *lane, uint64_t seq)
{
	struct covered *c = NULL;
	if (lane->covered != NULL)
		HASH_FIND(hh, lane->covered, &seq, sizeof seq, c);
	return c;
}

bool lane_takes_up(const struct lane *lane, uint64_t seq)
{
	const struct covered *c = lane_find_covered(lane, seq);
	return c != NULL && c->due_ms >= 0;	/* a dead letter may have been replayed since */
}

void lane_pass_covered(struct lane *lane, const struct covered *c)
{
	if (c->due_ms < 0)
		return;
	stragglers_expect(lane, c->due_ms);
	keys_note_row(lane, c->seq, c->key, c->due_ms);
}

void lane_uncover(struct lane *lane)
{
	uint64_t place = lane->live ? lane->router->next : lane->next;
	if (lane->untaken > 0 && lane->untaken_from < place)
		place = lane->untaken_from;
	struct covered *c, *next;
	HASH_ITER(hh, lane->covered, c, next) {
		if (c->seq >= place)
			continue;
		HASH_DEL(lane->covered, c);
		lane_pass_covered(lane, c);
		free(c);
	}
}

struct covered *lane_take_covered(struct lane *lane, uint64_t seq)
{
	struct covered *c = lane_find_covered(lane, seq);
	if (c != NULL)
		HASH_DEL(lane->covered, c);
	return c;
}

void lane_push_waiting(struct lane *lane, const struct pb_event *ev, const struct covered *c)
{
	struct slot *slot = lane_push(lane, ev, SLOT_WAITING);
	slot->attempts = c->attempts;
	slot->first_ms = c->first_ms;
	slot->row_due_ms = c->due_ms;
	slot->row_cost = c->cost;
	/* Parked: what had to happen first is what lies before it here. */
	slot->after = due_is_parked(c->due_ms) ? slot->taken_ms : c->due_ms - lane->router->wall_offset;
	if (c->parts_len > 0) {
		slot->restored = xcalloc(c->parts_len, 1);
		memcpy(slot->restored, c->parts, c->parts_len);
		slot->restored_len = c->parts_len;
	}
	timer_sooner(&lane->router->timers, &lane->timer, slot->after);
}

static uint64_t watermark(const struct lane *lane, const struct slot *first)
{
	if (first != NULL && !lane->from_rows)
		return first->seq;
	return lane->live ? lane->router->next : lane->next;
}

uint64_t lane_watermark(const struct lane *lane)
{
	return watermark(lane, lane->head);
}

uint64_t lane_watermark_saved(const struct lane *lane)
{
	const struct slot *first = lane->head;
	while (first != NULL && first->state == SLOT_SAVING)
		first = first->next;
	return watermark(lane, first);
}

bool lane_has_room(const struct lane *lane)
{
	const struct outlet *o = lane->outlet;
	size_t most = o->max_in_flight > o->max_batch ? o->max_in_flight : o->max_batch;
	return keys_have_room(lane) && lane->count < 2 * most + WINDOW_SPARE &&
	       (lane->count == 0 || lane->bytes < WINDOW_BYTES);
}

static void append(struct slot **head, struct slot **tail, struct slot *slot)
{
	slot->prev = *tail;
	slot->next = NULL;
	if (*tail != NULL)
		(*tail)->next = slot;
	else
		*head = slot;
	*tail = slot;
}

static void detach(struct slot **head, struct slot **tail, struct slot *slot)
{
	if (slot->prev != NULL)
		slot->prev->next = slot->next;
	else
		*head = slot->next;
	if (slot->next != NULL)
		slot->next->prev = slot->prev;
	else
		*tail = slot->prev;
}

static struct slot *slot_new(struct lane *lane, const struct pb_event *ev, uint64_t seq,
			     enum slot_state state)
{
	struct slot *slot = slot_take(lane->router);
	*slot = (struct slot){
		.lane = lane, .seq = seq, .state = state, .event = event_ref(ev),
		.row_due_ms = -1, .taken_ms = router_turn_ms(lane->router),
	};
	return slot;
}

struct slot *lane_push(struct lane *lane, const struct pb_event *ev, enum slot_state state)
{
	struct slot *slot = slot_new(lane, ev, event_seq(ev), state);
	append(&lane->head, &lane->tail, slot);
	if (lane->head == slot)
		lane->settled_past_head = 0;
	lane->count++;
	lane->bytes += event_size(ev);
	if (state == SLOT_READY)
		lane_ready(slot);
	return slot;
}

static void add_loose(struct lane *lane, struct slot *slot)
{
	slot->loose = true;
	slot->passed = false;
	append(&lane->loose_head, &lane->loose_tail, slot);
	HASH_ADD(hh, lane->loose, seq, sizeof slot->seq, slot);
	lane->n_loose++;
	lane->loose_bytes += event_size(slot->event);
}

struct slot *lane_push_loose(struct lane *lane, const struct pb_event *ev, uint64_t seq,
			     enum slot_state state)
{
	struct slot *slot = slot_new(lane, ev, seq, state);
	add_loose(lane, slot);
	if (state == SLOT_READY)
		lane_ready(slot);
	return slot;
}

struct slot *lane_find_loose(const struct lane *lane, uint64_t seq)
{
	struct slot *slot;
	HASH_FIND(hh, lane->loose, &seq, sizeof seq, slot);
	return slot;
}

bool lane_in_window(const struct lane *lane, uint64_t seq)
{
	const struct slot *slot = lane->head;
	while (slot != NULL && slot->seq < seq)
		slot = slot->next;
	return slot != NULL && slot->seq == seq;
}

void lane_ready(struct slot *slot)
{
	struct lane *lane = slot->lane;
	if (lane->leaving.is) {
		settle_removed(lane->router, slot);
		return;
	}
	slot->state = SLOT_READY;
	if (!slot->loose && (lane->ready == NULL || slot->seq < lane->ready->seq))
		lane->ready = slot;
	router_pump(lane->router, lane->outlet);
}

static struct slot *next_strict(struct lane *lane, const struct slot *after)
{
	struct slot *slot = first_open(lane, after != NULL ? after->next : lane->head);
	if (after == NULL && lane->n_flying > 0)
		return NULL;
	return slot != NULL && slot->state == SLOT_READY ? slot : NULL;
}

struct slot *lane_next_ready(struct lane *lane, const struct slot *after)
{
	if (after == NULL || after->loose || !lane->strict)
		for (struct slot *s = lane->loose_head; s != NULL; s = s->next)
			if (s->state == SLOT_READY)
				return s;
	if (lane->strict)
		return after != NULL && after->loose ? NULL : next_strict(lane, after);
	while (lane->ready != NULL && lane->ready->state != SLOT_READY)
		lane->ready = lane->ready->next;
	return lane->ready;
}

static void leave_window(struct lane *lane, struct slot *slot)
{
	if (lane->ready == slot)
		lane->ready = slot->next;
	lane->settled_past_head = lane->head == slot ? 0 : lane->settled_past_head + 1;
	detach(&lane->head, &lane->tail, slot);
	wait_for_head(lane);
	lane->count--;
	lane->bytes -= event_size(slot->event);
}

void lane_rows_done(struct lane *lane)
{
	if (!lane->from_rows || lane->untaken > 0 || lane->count > 0)
		return;
	lane->from_rows = false;
	lane->router->catchup_due = true;
	if (lane->covered != NULL && !lane->leaving.is)
		lane_uncover(lane);	/* what waited for them comes before the journal */
}

void lane_settled(struct slot *slot)
{
	struct lane *lane = slot->lane;
	assert(slot->flying == 0);
	if (slot->seq > lane->settled_top)	/* a loose one, too: after a crash it may be ahead of the window */
		lane->settled_top = slot->seq;
	if (slot->loose) {
		detach(&lane->loose_head, &lane->loose_tail, slot);
		HASH_DEL(lane->loose, slot);
		lane->n_loose--;
		lane->loose_bytes -= event_size(slot->event);
		stragglers_room(lane);
	} else {
		leave_window(lane, slot);
	}
	keys_left(slot);
	slot_free(slot);
	lane_rows_done(lane);
	if (!lane->live)
		lane->router->catchup_due = true;
	router_moved(lane);
	router_pump(lane->router, lane->outlet);
}

void lane_loosen(struct slot *slot)
{
	struct lane *lane = slot->lane;
	assert(!slot->loose);
	leave_window(lane, slot);
	add_loose(lane, slot);
	lane_rows_done(lane);
	if (!lane->live)
		lane->router->catchup_due = true;
	router_moved(lane);
}

void lane_fall_behind(struct lane *lane, uint64_t seq)
{
	assert(lane->live || lane->riding);
	lane->live = lane->riding = false;
	lane->next = seq;
	lane->router->n_behind++;
	lane->router->catchup_due = true;
}
