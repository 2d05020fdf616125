/* replay.c - the journal read again for one sink. */
#include "dispatch/replay.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/step.h"
#include "dispatch/engine.h"
#include "dispatch/trail.h"
#include "event/codec.h"
#include "event/event.h"
#include "state/records.h"

#define PAGE_MS 50		/* for one page, … */
#define PAGE_ROWS 1024		/* … or so many deliveries found */
#define PIECE_MS 2		/* of the router's time for one call, … */
#define PIECE_ROWS 256		/* … or so many, whichever comes first */

struct replay_call {
	struct inbox_call call;
	struct router *r;
	const struct replay_filter *filter;
	struct replay_page *page;
	const struct outlet *outlet;	/* the sink's */
	uint64_t done, most;		/* rows put by this call; deliveries found at which it ends */
	int result;
};

static bool leads(const struct replay_call *c, const struct route *route)
{
	return c->filter->route == NULL || strcmp(c->filter->route, route->config->name) == 0;
}

/* The sink, and some lane to it. 0, -ENOENT, -ESRCH. */
static int find_sink(struct replay_call *c)
{
	struct router *r = c->r;
	for (size_t i = 0; i < r->n_outlets; i++)
		if (strcmp(r->outlets[i]->config->name, c->filter->sink) == 0)
			c->outlet = r->outlets[i];
	if (c->outlet == NULL)
		return -ENOENT;
	for (size_t i = 0; i < c->outlet->n_lanes; i++)
		if (leads(c, c->outlet->lanes[i]->route))
			return 0;
	return -ESRCH;
}

static bool has_row(struct router *r, struct delivery_key key)
{
	struct buf hold = BUF_INIT(BUF_MAX);
	struct straggler_row straggler;
	struct dead_row dead;
	bool has = dead_goes(r, key) || rows_get_straggler(r->state, key, &straggler, &hold) != -ENOENT ||
		   rows_get_dead(r->state, key, &dead, &hold) != -ENOENT;
	buf_free(&hold);
	return has;
}

static void deliver_again(struct replay_call *c, struct lane *lane, const struct record *rec)
{
	struct router *r = c->r;
	struct delivery_key key = { lane->number, rec->seq };
	struct replay_page *page = c->page;
	page->found++;
	if (rec->seq >= lane_watermark(lane)) {
		page->under_way++;
	} else if (has_row(r, key)) {
		page->rows++;
	} else if (!c->filter->dry) {
		int64_t due = router_wall(r);
		struct straggler_row row = { .first_ms = due, .due_ms = due, .bytes = (uint32_t)rec->data.len };
		rows_put_straggler(&r->open.batch, key, &row, -1);
		lane_row_added(lane, straggler_cost(&row));
		lane->resent++;
		lane->unsaved = true;	/* the watermark that passed it goes along */
		dead_note_due(r, lane, key, due);
		r->open.replays = true;
		c->done++;
		step_at("replay: a row gathered");
		trail_changed(r, key, true);
	}
}

static bool event_fits(const struct replay_filter *f, const struct pb_event *ev)
{
	return (f->type == NULL || glob_match(f->type, event_type(ev))) &&
	       (f->id == NULL || strcmp(f->id, event_id(ev)) == 0);
}

/* By what routes say now. */
static void take(struct replay_call *c, const struct record *rec)
{
	struct pb_event *ev = codec_unpack(rec->data);
	size_t n = 0;
	struct route **routes = NULL;
	if (ev != NULL && event_fits(c->filter, ev))
		routes = router_match(c->r, ev, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < routes[i]->n_lanes && leads(c, routes[i]); k++)
			if (routes[i]->lanes[k]->outlet == c->outlet)
				deliver_again(c, routes[i]->lanes[k], rec);
	event_unref(ev);
}

static bool time_fits(const struct replay_filter *f, int64_t ms)
{
	return ms >= f->since_ms && (f->until_ms == 0 || ms < f->until_ms);
}

/* False: this piece ends here. */
static bool next(struct replay_call *c, struct journal_cursor *cursor, int64_t *block_ms)
{
	struct record rec;
	struct replay_page *page = c->page;
	int got = journal_next(c->r->journal, cursor, &rec);
	if (got > 0 && rec.kind == RECORD_TIME)
		*block_ms = time_of(rec.data);
	if (got > 0 && rec.kind != RECORD_EVENT)
		return true;
	if (got <= 0 || rec.seq >= page->end) {
		page->more = false;
		c->result = got < 0 ? got : 0;
		return false;
	}
	if (rec.seq < page->at)
		return true;
	if (page->oldest_ms == 0)
		page->oldest_ms = *block_ms;
	page->full = dead_is_full(c->r);
	if (page->full)
		return false;
	if (time_fits(c->filter, *block_ms))
		take(c, &rec);
	page->at = rec.seq + 1;
	return true;
}

static void run_piece(struct inbox_call *call)
{
	struct replay_call *c = (struct replay_call *)call;
	struct router *r = c->r;
	struct replay_page *page = c->page;
	struct journal_stat stat;
	int64_t until = clock_mono(r->clock) + PIECE_MS, block_ms = 0;
	c->result = find_sink(c);
	if (c->result < 0)
		return;
	journal_stat(r->journal, &stat);
	/* What is below `kept_below` is about to go. */
	uint64_t first = stat.first_seq > r->kept_below ? stat.first_seq : r->kept_below;
	if (page->at < first)
		page->at = first;
	page->end = r->next;
	page->more = true;
	struct journal_cursor *cursor = journal_cursor(r->journal, page->at);
	uint64_t most = page->found + PIECE_ROWS < c->most ? page->found + PIECE_ROWS : c->most;
	while (cursor != NULL && page->found < most && next(c, cursor, &block_ms))
		if (clock_mono(r->clock) > until)
			break;
	journal_cursor_close(r->journal, cursor);
	if (c->done == 0)
		return;
	save_soon(r);
	save_call(r, call);
}

int replay_run(struct router *r, int (*on_router)(struct inbox *, struct inbox_call *),
	       const struct replay_filter *filter, struct replay_page *page)
{
	int64_t until = clock_mono(r->clock) + PAGE_MS;
	uint64_t most = page->found + PAGE_ROWS;
	page->full = false;
	do {
		struct replay_call c = {
			.call.run = run_piece, .r = r, .filter = filter, .page = page, .most = most,
		};
		int failed = on_router(&r->inbox, &c.call);
		page->done += c.done;
		if (c.done > 0)
			step_at("replay: a piece saved");
		if (failed == 0)
			failed = c.result;
		if (failed < 0)
			return failed;
	} while (page->more && !page->full && page->found < most && clock_mono(r->clock) < until);
	return 0;
}

int dispatch_replay(struct dispatch *d, const struct replay_filter *filter, struct replay_page *page)
{
	return replay_run(&d->router, inbox_call, filter, page);
}
