/*
 * catchup.c - one pass over the journal for all lanes that are behind.
 *
 * Lanes that have parked rows take those up first, each its own (parked.c). Lanes that can take something have their turn to say where the pass begins; whoever else is at a
 * place that it comes by rides along. A turn reads a bounded piece, so that live events,
 * answers and timers are never far.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/step.h"
#include "dispatch/router.h"
#include "event/event.h"

#define PIECE_BYTES (256u << 10)
#define PIECE_EVENTS 1024

/* What is read one way, and stops when nobody rides. */
struct pass {
	struct router *r;
	uint64_t at;		/* the next event's number */
	size_t riders;
	uint64_t joins;		/* where the next lane waits, UINT64_MAX: nowhere */
};

static bool can_take(const struct lane *lane)
{
	return !lane->live && lane->yield_next == 0 && lane->outlet->breaker.state != BREAKER_DISABLED &&
	       lane_has_room(lane) &&
	       lane->count <= lane->outlet->max_in_flight;	/* not a seek for every event */
}

static bool wants(const struct lane *lane)
{
	return !lane->from_rows && can_take(lane) && sink_takes(lane->outlet, lane->next);
}

static bool wants_rows(const struct lane *lane)
{
	return lane->from_rows && lane->untaken > 0 && can_take(lane) &&
	       sink_takes(lane->outlet, lane->untaken_from);
}

static struct lane *pick(struct router *r)
{
	for (size_t i = 0; i < r->n_lanes; i++) {
		size_t at = (r->catchup_turn + i) % r->n_lanes;
		if (!wants(r->lanes[at]) && !wants_rows(r->lanes[at]))
			continue;
		r->catchup_turn = at + 1;
		return r->lanes[at];
	}
	return NULL;
}

/* Lanes whose place is from `from` to here ride on from here: what lies between was damaged. */
static void board(struct pass *p, uint64_t from)
{
	p->joins = UINT64_MAX;
	for (size_t i = 0; i < p->r->n_lanes; i++) {
		struct lane *lane = p->r->lanes[i];
		if (lane->riding || !wants(lane) || lane->next < from)
			continue;
		if (lane->next <= p->at) {
			lane->riding = true;
			p->r->n_behind--;
			p->riders++;
		} else if (lane->next < p->joins) {
			p->joins = lane->next;
		}
	}
}

/* The pass is over, or has reached what is committed. */
static void alight(struct pass *p)
{
	bool live = p->at >= p->r->next;
	for (size_t i = 0; i < p->r->n_lanes; i++) {
		struct lane *lane = p->r->lanes[i];
		if (!lane->riding)
			continue;
		lane->riding = false;
		lane->live = live && sink_takes(lane->outlet, p->at);
		lane->next = p->at;
		if (!lane->live)
			p->r->n_behind++;
		router_moved(lane);
	}
}

/* To lanes that took something else then. */
static void offer_old(struct pass *p, const struct pb_event *ev)
{
	for (size_t i = 0; i < p->r->n_lanes; i++) {
		struct lane *lane = p->r->lanes[i];
		if (!lane->riding || !lane_took_else(lane, event_seq(ev)) || !lane_wants(lane, ev))
			continue;
		lane_offer(lane, ev);
		p->riders -= !lane->riding;
	}
}

static void offer(struct pass *p, const struct pb_event *ev)
{
	size_t n;
	if (p->r->n_old > 0)
		offer_old(p, ev);
	struct route **routes = router_match(p->r, ev, &n);
	for (size_t i = 0; i < n; i++) {
		size_t before = p->r->n_behind;
		route_offer(p->r, routes[i], ev, true);
		p->riders -= p->r->n_behind - before;
	}
}

static bool seek(struct pass *p)
{
	struct router *r = p->r;
	if (r->cursor == NULL)
		r->cursor = journal_cursor(r->journal, p->at);
	else if (r->cursor_seq != p->at)
		journal_seek(r->journal, r->cursor, p->at);
	r->cursor_seq = p->at;
	return r->cursor != NULL;
}

/* False when it is to be tried again. */
static bool take(struct pass *p, const struct record *rec)
{
	struct pb_event *ev = space_unpack(p->r, rec);
	if (ev == NULL)
		return errno != ENOMEM;
	offer(p, ev);
	event_unref(ev);
	return true;
}

/* Read on. False when that failed. */
static bool read_piece(struct pass *p)
{
	struct router *r = p->r;
	struct record rec;
	size_t bytes = 0;
	for (unsigned n = 0; n < PIECE_EVENTS && bytes < PIECE_BYTES && p->riders > 0; ) {
		int got = p->at < r->next ? journal_next(r->journal, r->cursor, &rec) : 0;
		if (got < 0) {
			log_error("cannot read the journal, trying again: %s", strerror(-got));
			r->cursor_seq = 0;
			return false;
		}
		if (got == 0) {		/* what is missing before `next` was damaged, and is counted */
			p->at = r->next;
			r->cursor_seq = 0;
			return true;
		}
		if (rec.kind != RECORD_EVENT || rec.seq < p->at)
			continue;
		if (rec.seq >= r->next) {	/* committed, but not routed yet: it will come live */
			p->at = r->next;
			r->cursor_seq = 0;
			return true;
		}
		p->at = rec.seq;
		if (p->at >= p->joins)
			board(p, p->joins);
		if (!take(p, &rec)) {
			r->cursor_seq = 0;
			return false;
		}
		p->at = r->cursor_seq = rec.seq + 1;
		bytes += rec.data.len;
		n++;
	}
	return true;
}

bool catchup_turn(struct router *r)
{
	struct lane *first = r->catchup_due ? pick(r) : NULL;
	r->catchup_due = first != NULL;
	if (first == NULL)
		return false;
	if (first->from_rows)
		return parked_take_up(first);
	struct pass p = { .r = r, .at = first->next };
	board(&p, p.at);
	bool read = seek(&p) && read_piece(&p);
	step_at("catchup: a piece read");
	alight(&p);
	return read;
}
