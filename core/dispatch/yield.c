/* yield.c - rows in the journal's place. */
#include "dispatch/yield.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/step.h"
#include "dispatch/router.h"
#include "dispatch/trail.h"
#include "event/event.h"

/* A piece: so many bytes or events that are read, or rows that are written. */
#define PIECE_BYTES (1u << 20)
#define PIECE_EVENTS 4096
#define PIECE_ROWS 1024

struct piece {
	struct router *r;
	uint64_t at;		/* the next event's number */
	size_t rows;
};

void yield_lane(struct lane *lane, uint64_t until, enum dead_reason as)
{
	lane->yield_until = until;
	lane->yield_as = as;
	lane->router->yield.due = true;
}

static bool yields(const struct lane *lane, uint64_t seq)
{
	return lane->yield_until > seq && lane->next <= seq;
}

void yield_found(struct lane *lane, uint64_t seq)
{
	if (lane->untaken == 0 || seq < lane->untaken_from)
		lane->untaken_from = seq;
	lane->untaken++;
	lane->from_rows = true;
	if (lane->next <= seq && seq < lane->router->next)
		lane->next = seq + 1;
}

static void put_parked(struct lane *lane, uint64_t seq, struct straggler_row *row)
{
	struct delivery_key key = { lane->number, seq };
	row->due_ms = due_parked(0);
	rows_put_straggler(&lane->router->open.batch, key, row, -1);
	lane_row_added(lane, straggler_cost(row));
	if (lane->untaken++ == 0)
		lane->untaken_from = seq;
}

/* What the lane wants, and has no row yet; or, strict, one to be tried in its place. */
static void put_one(struct piece *p, struct lane *lane, const struct pb_event *ev, const struct record *rec)
{
	struct delivery_key key = { lane->number, rec->seq };
	struct covered *c = lane_find_covered(lane, rec->seq);
	struct straggler_row row = { .bytes = (uint32_t)rec->data.len };
	struct buf hold = BUF_INIT(BUF_MAX);
	if (c != NULL && (c->due_ms < 0 || !lane->strict))
		return;
	if (c != NULL && rows_get_straggler(p->r->state, key, &row, &hold) == 0) {
		row.first_ms = c->first_ms;
		row.after_ms = due_is_parked(c->due_ms) ? row.after_ms : c->due_ms;
	}
	if (c != NULL) {
		rows_del_straggler(&p->r->open.batch, key, c->due_ms);
		lane_row_gone(lane, c->cost);
	}
	if (lane->yield_as == 0)
		put_parked(lane, rec->seq, &row);
	else
		dead_add(lane, rec->seq, lane->yield_as, &row, ev);
	if (c != NULL) {	/* what counts of the row when the lane has passed it */
		c->due_ms = lane->yield_as == 0 ? due_parked(0) : -1;
		c->key = 0;
	}
	p->rows++;
	buf_free(&hold);
}

/* False when it is to be tried again. */
static bool take(struct piece *p, const struct record *rec)
{
	struct pb_event *ev = space_unpack(p->r, rec);
	if (ev == NULL)
		return errno != ENOMEM;
	size_t n;
	struct route **routes = router_match(p->r, ev, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < routes[i]->n_lanes; k++)
			if (yields(routes[i]->lanes[k], rec->seq) && !lane_took_else(routes[i]->lanes[k], rec->seq))
				put_one(p, routes[i]->lanes[k], ev, rec);
	for (size_t i = 0; p->r->n_old > 0 && i < p->r->n_lanes; i++)
		if (yields(p->r->lanes[i], rec->seq) && lane_took_else(p->r->lanes[i], rec->seq) &&
		    lane_wants(p->r->lanes[i], ev))
			put_one(p, p->r->lanes[i], ev, rec);
	event_unref(ev);
	return true;
}

static bool seek(struct piece *p)
{
	struct router *r = p->r;
	if (r->yield.cursor != NULL && r->yield.cursor_seq == p->at)
		return true;
	journal_cursor_close(r->journal, r->yield.cursor);
	r->yield.cursor = journal_cursor(r->journal, p->at);
	return r->yield.cursor != NULL;
}

/* From the lowest place up to `end`, as far as a piece goes. */
static void read_piece(struct piece *p, uint64_t end)
{
	struct router *r = p->r;
	struct record rec;
	size_t bytes = 0;
	bool read = seek(p);
	for (unsigned n = 0; read && p->at < end && n < PIECE_EVENTS && bytes < PIECE_BYTES && p->rows < PIECE_ROWS; ) {
		int got = journal_next(r->journal, r->yield.cursor, &rec);
		if (got > 0 && (rec.kind != RECORD_EVENT || rec.seq < p->at))
			continue;
		if (got < 0)
			log_error("cannot read the journal, trying again: %s", strerror(-got));
		if (got == 0 || (got > 0 && rec.seq >= end))
			p->at = end;	/* what is missing before was damaged, and is counted */
		read = got > 0 && rec.seq < end && take(p, &rec);
		if (!read)
			break;
		p->at = rec.seq + 1;
		bytes += rec.data.len;
		n++;
	}
	r->yield.cursor_seq = read ? p->at : UINT64_MAX;
}

/* One that has caught up meanwhile may need nothing of it any more. If it does, it takes in nothing until its window has rows. */
static bool has_passed(struct lane *lane)
{
	if (lane_watermark(lane) < lane->yield_until && lane->live)
		lane_fall_behind(lane, lane->router->next);
	else if (lane_watermark(lane) >= lane->yield_until)
		lane->yield_until = 0;
	return lane->yield_until == 0;
}

/* Where the piece begins, and where all that lanes are to give up ends. */
static bool find_range(struct router *r, uint64_t *from, uint64_t *end)
{
	bool any = false;
	*from = UINT64_MAX;
	*end = 0;
	for (size_t i = 0; i < r->n_lanes; i++) {
		struct lane *lane = r->lanes[i];
		if (has_passed(lane))
			continue;
		any = true;
		*from = lane->next < *from ? lane->next : *from;
		*end = lane->yield_until > *end ? lane->yield_until : *end;
	}
	return any;
}

/* The lanes that were in the piece, or had nothing but their window to give up. */
static void pass_on(struct piece *p)
{
	for (size_t i = 0; i < p->r->n_lanes; i++) {
		struct lane *lane = p->r->lanes[i];
		if (has_passed(lane) || (lane->next >= p->at && lane->next < lane->yield_until))
			continue;
		settle_park(lane);
		lane->yield_next = p->at < lane->yield_until ? p->at : lane->yield_until;
		if (lane->yield_next < lane->next)
			lane->yield_next = lane->next;
		lane->unsaved = true;
		p->r->open.yields = true;
	}
}

void yield_turn(struct router *r)
{
	uint64_t end;
	struct piece p = { .r = r };
	if (r->draining || r->start_unsaved || r->open.yields)
		return;
	r->yield.due = find_range(r, &p.at, &end);
	if (!r->yield.due) {
		r->space_due = true;	/* all is given up: what follows from it? */
		return;
	}
	if (end > r->next)
		end = r->next;
	if (p.at < end)
		read_piece(&p, end);
	pass_on(&p);
	if (!r->open.yields)
		return;
	step_at("yield: parked rows gathered");
	save_soon(r);
}

static void move_on(struct lane *lane)
{
	if (lane->yield_next == 0)
		return;
	lane->next = lane->yield_next;
	lane->yield_next = 0;
	if (lane->next >= lane->yield_until)
		lane->yield_until = 0;
	if (!lane->from_rows)
		lane->settled_top = 0;
	lane->from_rows = lane->count > 0 || lane->untaken > 0;
	if (lane->covered != NULL && !lane->leaving.is)
		lane_uncover(lane);	/* before what comes after it */
	router_moved(lane);
}

void yield_saved(struct router *r)
{
	step_at("yield: saved, lanes not moved");
	for (size_t i = 0; i < r->n_lanes; i++)
		move_on(r->lanes[i]);
	for (size_t i = 0; i < r->n_leaving; i++)
		move_on(r->leaving[i]);
	r->catchup_due = r->yield.due = true;
	step_at("yield: lanes moved");
}
