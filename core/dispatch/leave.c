/* leave.c - lanes that the configuration no longer has. */
#include "dispatch/leave.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "base/step.h"
#include "dispatch/keys.h"
#include "dispatch/router.h"
#include "dispatch/trail.h"
#include "event/event.h"

#define PIECE_ROWS 1024		/* dead letters made in one piece */
#define PIECE_EVENTS 4096	/* looked at */
#define PIECE_BYTES (1u << 20)

static const char why[] = "its route or sink is no longer in the configuration";

static void remove_from(struct lane **list, size_t *n, const struct lane *lane)
{
	size_t at = 0;
	while (list[at] != lane)
		at++;
	list[at] = list[--*n];
}

static void let_go(struct router *r, struct slot *first)
{
	for (struct slot *s = first; s != NULL; s = s->next)
		if (s->state == SLOT_READY || s->state == SLOT_WAITING || s->state == SLOT_HELD)
			settle_removed(r, s);
}

void leave_go_on(struct lane *lane)
{
	struct router *r = lane->router;
	rules_change(lane, lane->stored, NULL, r->next);
	rules_free(lane->stored);
	lane->stored = NULL;
	lane->leaving.begun = true;
	lane->leaving.end = lane->old_until;
	if (lane->next >= lane->leaving.end && lane->stragglers == 0)
		return;
	log_warn("the configuration no longer has '%s' (route and sink): what waits there becomes dead letters "
		 "(removed)", lane->title);
}

void leave_begin(struct lane *lane, uint64_t barrier)
{
	struct router *r = lane->router;
	const struct rule *was = lane->route->rule;
	r->n_behind -= !lane->live;
	if (lane->live)
		lane->next = barrier;
	lane->live = false;
	lane->leaving = (struct leaving){ .is = true, .begun = true, .end = barrier };
	outlet_remove_lane(lane->outlet, lane);
	lane->route = NULL;
	lane->outlet = NULL;
	lane->yield_until = 0;
	lane->next_due_ms = TIMER_NEVER;
	lane->more_due = false;
	timer_clear(&r->timers, &lane->timer);
	keys_forget(lane);
	shed_forget_keys(lane);
	rules_change(lane, was, NULL, barrier);
	let_go(r, lane->head);
	let_go(r, lane->loose_head);
	router_moved(lane);
	r->leaving = xrealloc(r->leaving, r->n_leaving + 1, sizeof(struct lane *));
	r->leaving[r->n_leaving++] = lane;
}

void leave_return(struct lane *lane, struct route *route, struct outlet *outlet, uint64_t barrier)
{
	struct router *r = lane->router;
	assert(lane->leaving.save == 0);
	remove_from(r->leaving, &r->n_leaving, lane);
	lane->leaving = (struct leaving){ .is = false };
	lane_rewire(lane, route, outlet);
	rules_change(lane, NULL, route->rule, barrier);
	r->n_behind++;
	r->catchup_due = true;
	if (lane->stragglers > 0)
		stragglers_expect(lane, router_wall(r));
	int failed = lane->stragglers > 0 ? keys_note_rows(lane) : 0;
	if (failed < 0)
		log_error("cannot read the rows of '%s', some wait for the next start: %s", lane->title,
			  strerror(-failed));
	/* They may be dead by now. After that, since of those that it uncovers none is to be noted twice. */
	lane_rows_done(lane);
}

/* The last piece is on disk: the watermark may pass it. */
static void piece_is_saved(struct lane *lane)
{
	step_at("leave: a piece saved");
	if (lane->leaving.to > lane->next) {
		lane->next = lane->leaving.to;
		router_moved(lane);
	}
	lane->leaving.save = 0;
}

void leave_settle(struct router *r)
{
	for (size_t i = 0; i < r->n_leaving; i++)
		if (r->leaving[i]->leaving.save != 0 && save_is_done(r, r->leaving[i]->leaving.save))
			piece_is_saved(r->leaving[i]);
}

bool leave_is_busy(const struct router *r)
{
	for (size_t i = 0; i < r->n_leaving; i++)
		if (r->leaving[i]->leaving.save != 0)
			return true;
	return false;
}

/* One piece's work. */
struct piece {
	struct lane *lane;
	size_t made;
};

static void make_dead(struct piece *p, struct delivery_key key, const struct straggler_row *row)
{
	struct straggler_row dead = *row;
	if (dead.error.len == 0)
		dead.error = span_str(why);
	dead_add(p->lane, key.seq, DEAD_REMOVED, &dead, NULL);
	p->lane->leaving.moved++;
	p->made++;
}

static bool each_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct piece *p = arg;
	struct lane *lane = p->lane;
	/* What is at work is judged when it comes back. */
	if (lane_find_loose(lane, key.seq) != NULL || lane_in_window(lane, key.seq) || shed_has(lane->router, key))
		return true;
	rows_del_straggler(&lane->router->open.batch, key, row->due_ms);
	lane_row_gone(lane, straggler_cost(row));
	lane->untaken -= row->due_ms == due_parked(0) && lane->untaken > 0;
	struct covered *c = lane_find_covered(lane, key.seq);
	if (c != NULL)
		c->due_ms = -1;
	make_dead(p, key, row);
	return p->made < PIECE_ROWS;
}

/* False when it is to be read again. */
static bool look_at(struct piece *p, const struct record *rec)
{
	struct lane *lane = p->lane;
	struct pb_event *ev = space_unpack(lane->router, rec);
	if (ev == NULL && errno == ENOMEM)
		return false;
	struct covered *c = lane_take_covered(lane, rec->seq);
	if (ev != NULL && c == NULL && lane_wants(lane, ev))
		make_dead(p, (struct delivery_key){ lane->number, rec->seq }, &(struct straggler_row){
			.bytes = (uint32_t)rec->data.len });
	event_unref(ev);
	free(c);
	return true;
}

/* Read on from the lane's place. How far that got. */
static uint64_t read_piece(struct piece *p)
{
	struct router *r = p->lane->router;
	uint64_t at = p->lane->next, end = p->lane->leaving.end;
	struct journal_cursor *cursor = journal_cursor(r->journal, at);
	struct record rec;
	size_t bytes = 0, n = 0;
	while (at < end && n < PIECE_EVENTS && p->made < PIECE_ROWS && bytes < PIECE_BYTES) {
		int got = cursor == NULL ? -ENOMEM : journal_next(r->journal, cursor, &rec);
		if (got < 0) {
			log_error("cannot read the journal, trying again: %s", strerror(-got));
			break;
		}
		if (got == 0 || rec.seq >= end) {
			at = end;
		} else if (rec.kind == RECORD_EVENT && rec.seq >= at) {
			if (!look_at(p, &rec))
				break;
			at = rec.seq + 1;
			bytes += rec.data.len;
			n++;
		}
	}
	journal_cursor_close(r->journal, cursor);
	return at;
}

static uint64_t rows_of(const struct slot *first)
{
	uint64_t n = 0;
	for (const struct slot *s = first; s != NULL; s = s->next)
		n += s->row_due_ms >= 0;
	return n;
}

/* Not only what is at work, which may hang: that is not looked for in every turn. */
static bool has_idle_rows(const struct lane *lane)
{
	return lane->stragglers > rows_of(lane->head) + rows_of(lane->loose_head);
}

/* True when there is more to do at once. */
static bool begin_piece(struct lane *lane)
{
	struct router *r = lane->router;
	struct piece p = { .lane = lane };
	uint64_t to = lane->next;
	if (lane->dead > DEAD_MAX_REMOVED + PIECE_ROWS)
		return false;	/* the oldest are being purged */
	if (has_idle_rows(lane))
		rows_each_straggler(r->state, lane->number, 0, each_straggler, &p);
	if (p.made == 0 && lane->next < lane->leaving.end)
		to = read_piece(&p);
	if (p.made == 0 && to == lane->next)
		return false;
	lane->leaving.to = to;
	if (p.made == 0) {
		piece_is_saved(lane);	/* nothing of it needs a row */
		return lane->next < lane->leaving.end;
	}
	step_at("leave: a piece gathered");
	lane->leaving.save = r->saves + 1;
	save_soon(r);
	return false;
}

/* Letters of its that come or go with a save: one that is not on disk is not seen by the lane's successor. */
static bool has_letters_moving(const struct lane *lane)
{
	const struct router *r = lane->router;
	for (const struct dead_gone *gone = r->gone; gone != NULL; gone = gone->hh.next)
		if (gone->lane == lane)
			return true;
	for (const struct shed_row *row = r->shed; row != NULL; row = row->hh.next)
		if (row->key[0] == lane->number)
			return true;
	return false;
}

static bool has_left(const struct lane *lane)
{
	return !lane->dirty && lane->leaving.save == 0 && lane->yield_next == 0 && lane->count == 0 &&
	       lane->n_loose == 0 && lane->stragglers == 0 && lane->next >= lane->leaving.end &&
	       !has_letters_moving(lane);
}

/* For whoever looks for letters, or counts rows. */
static void note_removed(struct router *r, const struct lane *lane)
{
	r->removed = xrealloc(r->removed, r->n_removed + 1, sizeof *r->removed);
	r->removed[r->n_removed++] = (struct removed){ lane->number, lane->dead, lane->dead_bytes };
}

static void forget(struct lane *lane)
{
	struct router *r = lane->router;
	assert(!lane->dirty);
	lane->leaving.is = false;
	rules_passed(lane, ROUTE_PRESENT);
	rows_del_lane(&r->open.batch, lane->number);
	step_at("leave: the lane's row goes");
	save_soon(r);
	timer_clear(&r->timers, &lane->timer);
	r->by_number[lane->number] = NULL;
	if (lane->dead > 0)
		note_removed(r, lane);
	counts_keep(&r->gone_counts, lane);
	if (lane->leaving.moved > 0)
		log_warn("'%s' (route and sink) has left the configuration: %llu deliveries that waited there are "
			 "dead letters now (removed)", lane->title, (unsigned long long)lane->leaving.moved);
	lane_free(lane);
}

bool leave_turn(struct router *r)
{
	bool more = false;
	leave_settle(r);
	for (size_t i = 0; i < r->n_leaving && !r->leave_paused && !r->draining; ) {
		struct lane *lane = r->leaving[i];
		if (lane->leaving.begun && lane->leaving.save == 0 && lane->yield_next == 0 && !r->start_unsaved)
			more = begin_piece(lane) || more;
		if (lane->leaving.begun && has_left(lane)) {
			r->leaving[i] = r->leaving[--r->n_leaving];
			forget(lane);
		} else {
			more = more || lane->dirty;	/* not after this turn */
			i++;
		}
	}
	return more;
}
