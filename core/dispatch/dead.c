/* dead.c - dead letters replayed and purged, by hand or over their quotas. */
#include "dispatch/dead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/step.h"
#include "dispatch/router.h"
#include "dispatch/trail.h"

#define GONE_MAX 16384		/* rows that may be on their way out */
#define SWEEP_ROWS 256		/* looked at a second for their age */
#define OVERFLOW_EVERY 20	/* ms between two looks at what is too many, … */
#define OVERFLOW_LATER 200	/* … when none of it can go */
#define PIECES_AT_ONCE 8	/* pieces of it that go at each */

static struct dead_gone *find_gone(struct router *r, uint32_t lane, uint64_t seq)
{
	uint64_t key[2] = { lane, seq };
	struct dead_gone *gone;
	HASH_FIND(hh, r->gone, key, sizeof key, gone);
	return gone;
}

bool dead_is_purged(struct router *r, uint32_t lane, uint64_t seq)
{
	const struct dead_gone *gone = r->gone == NULL ? NULL : find_gone(r, lane, seq);
	return gone != NULL && gone->due_ms == TIMER_NEVER;
}

static struct dead_gone *add_gone(struct router *r, struct lane *lane, struct delivery_key key)
{
	struct dead_gone *gone = xcalloc(1, sizeof *gone);
	*gone = (struct dead_gone){
		.key = { key.lane, key.seq }, .save = r->saves + 1, .lane = lane, .due_ms = TIMER_NEVER,
	};
	HASH_ADD(hh, r->gone, key, sizeof gone->key, gone);
	return gone;
}

bool dead_goes(struct router *r, struct delivery_key key)
{
	return find_gone(r, key.lane, key.seq) != NULL;
}

void dead_note_due(struct router *r, struct lane *lane, struct delivery_key key, int64_t due_ms)
{
	add_gone(r, lane, key)->due_ms = due_ms;
}

bool dead_is_full(const struct router *r)
{
	return HASH_COUNT(r->gone) >= GONE_MAX;
}

static void replay(struct router *r, struct lane *lane, struct delivery_key key, const struct dead_row *row)
{
	int64_t due = router_wall(r);
	struct straggler_row again = {		/* `expire` counts from here on */
		.first_ms = due, .due_ms = due, .bytes = row->bytes, .parts = row->parts, .error = row->error,
		.response = row->response,
	};
	rows_put_straggler(&r->open.batch, key, &again, -1);
	lane_row_added(lane, straggler_cost(&again));
	lane->replayed++;
	dead_note_due(r, lane, key, due);
	step_at("dead: replay gathered");
}

static void purge(struct router *r, struct lane *lane, struct delivery_key key)
{
	space_release(r, key.seq);
	if (lane != NULL)
		lane->purged++;
	add_gone(r, lane, key);
	step_at("dead: purge gathered");
}

static void change_one(struct router *r, struct dead_change *c, struct delivery_key key)
{
	struct lane *lane = key.lane < r->n_numbers ? r->by_number[key.lane] : NULL;
	struct buf hold = BUF_INIT(BUF_MAX);
	struct dead_row row;
	if (find_gone(r, key.lane, key.seq) != NULL || rows_get_dead(r->state, key, &row, &hold) < 0) {
		buf_free(&hold);
		return;
	}
	if (c->replay && (lane == NULL || lane->leaving.is)) {
		c->removed++;
	} else if (lane != NULL && key.seq >= lane_watermark(lane)) {
		c->waiting++;
	} else {
		rows_del_dead(&r->open.batch, key);
		trail_changed(r, key, c->replay);
		if (c->replay)
			replay(r, lane, key, &row);
		else
			purge(r, lane, key);
		if (lane != NULL) {
			lane->dead--;
			lane->dead_bytes -= dead_cost(&row);
			lane->unsaved = true;	/* the watermark that passed it goes along */
		}
		c->done++;
	}
	buf_free(&hold);
}

void dead_change(struct router *r, struct dead_change *c)
{
	assert(c->n <= DEAD_CHANGE_MAX);
	for (size_t i = 0; i < c->n && !c->full; i++) {
		c->full = dead_is_full(r);
		if (!c->full)
			change_one(r, c, c->keys[i]);
	}
	if (c->done > 0)
		save_soon(r);
}

void dead_saved(struct router *r)
{
	struct dead_gone *gone, *next;
	HASH_ITER(hh, r->gone, gone, next) {
		if (gone->save > r->saves)
			continue;
		step_at("dead: change saved");
		if (gone->due_ms != TIMER_NEVER)
			stragglers_expect(gone->lane, gone->due_ms);
		HASH_DEL(r->gone, gone);
		free(gone);
	}
}

void dead_free(struct router *r)
{
	struct dead_gone *gone, *next;
	HASH_ITER(hh, r->gone, gone, next) {
		HASH_DEL(r->gone, gone);
		free(gone);
	}
}

/* Quotas. */

/* The oldest of a sink's, over its lanes. */
struct oldest {
	struct router *r;
	struct delivery_key keys[DEAD_CHANGE_MAX];
	uint64_t costs[DEAD_CHANGE_MAX];
	size_t n;
	uint64_t end;		/* of the lane at hand: its watermark */
};

static bool note_oldest(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct oldest *o = arg;
	if (key.seq >= o->end || (o->n == DEAD_CHANGE_MAX && o->keys[o->n - 1].seq <= key.seq))
		return false;
	if (find_gone(o->r, key.lane, key.seq) != NULL)
		return true;
	size_t at = o->n < DEAD_CHANGE_MAX ? o->n++ : o->n - 1;
	for (; at > 0 && o->keys[at - 1].seq > key.seq; at--) {
		o->keys[at] = o->keys[at - 1];
		o->costs[at] = o->costs[at - 1];
	}
	o->keys[at] = key;
	o->costs[at] = dead_cost(row);
	return true;
}

/* Whose dead letters count together, and what they may be. */
struct letters {
	struct lane *const *lanes;
	size_t n_lanes;
	uint64_t most, most_bytes;
	uint64_t n, bytes;
};

static bool are_too_many(const struct letters *l)
{
	return l->n > l->most || l->bytes > l->most_bytes;
}

static struct letters letters_of(struct lane *const lanes[], size_t n, uint64_t most, uint64_t most_bytes)
{
	struct letters l = { .lanes = lanes, .n_lanes = n, .most = most, .most_bytes = most_bytes };
	for (size_t i = 0; i < n; i++) {
		l.n += lanes[i]->dead;
		l.bytes += lanes[i]->dead_bytes;
	}
	return l;
}

/* What is too many goes, or a piece of it: how many did. */
static size_t purge_piece(struct router *r, const struct letters *l)
{
	struct oldest oldest = { .r = r };
	struct letters left = *l;
	for (size_t i = 0; i < l->n_lanes; i++) {
		oldest.end = lane_watermark(l->lanes[i]);
		if (l->lanes[i]->dead > 0)
			rows_each_dead(r->state, l->lanes[i]->number, 0, note_oldest, &oldest);
	}
	struct dead_change c = { .keys = oldest.keys };
	for (; c.n < oldest.n && are_too_many(&left); c.n++) {
		left.n--;
		left.bytes -= oldest.costs[c.n];
	}
	dead_change(r, &c);
	if (c.done > 0)
		log_write(PB_WARN, l->lanes[0]->sink_title, "%zu dead letters are purged, the oldest of more than "
			  "dead_max or dead_max_size", c.done);
	return c.done;
}

/* When to look again: those that no lane has passed cannot go yet. */
static int64_t purge_overflow(struct router *r, struct lane *const lanes[], size_t n, uint64_t most, uint64_t most_bytes)
{
	int64_t again = OVERFLOW_EVERY;
	for (int i = 0; i < PIECES_AT_ONCE; i++) {
		struct letters l = letters_of(lanes, n, most, most_bytes);
		if (!are_too_many(&l))
			return TIMER_NEVER;
		if (purge_piece(r, &l) > 0)
			continue;
		again = i == 0 ? OVERFLOW_LATER : OVERFLOW_EVERY;
		break;
	}
	return again;
}

static void check_overflow(struct timer *t)
{
	struct router *r = CONTAINER_OF(t, struct router, dead_timer);
	int64_t again = TIMER_NEVER;
	for (size_t i = 0; i < r->n_outlets; i++) {
		const struct outlet *o = r->outlets[i];
		int64_t wait = purge_overflow(r, o->lanes, o->n_lanes, o->dead_max, o->quota.dead_max);
		again = wait < again ? wait : again;
	}
	for (size_t i = 0; i < r->n_leaving; i++) {
		int64_t wait = purge_overflow(r, &r->leaving[i], 1, DEAD_MAX_REMOVED, r->quota_share);
		again = wait < again ? wait : again;
	}
	if (again != TIMER_NEVER)
		timer_set(&r->timers, t, router_now(r) + again);
}

void dead_add(struct lane *lane, uint64_t seq, enum dead_reason reason, const struct straggler_row *was,
	      const struct pb_event *ev)
{
	struct router *r = lane->router;
	struct dead_row row = {
		.reason = reason, .attempts = was->attempts, .first_ms = was->first_ms, .dead_ms = router_wall(r),
		.bytes = was->bytes, .parts = was->parts, .error = was->error, .response = was->response,
	};
	rows_put_dead(&r->open.batch, (struct delivery_key){ lane->number, seq }, &row);
	trail_dead(r, (struct delivery_key){ lane->number, seq }, ev, reason);
	lane->died[reason]++;
	lane->dead++;
	lane->dead_bytes += dead_cost(&row);
	save_soon(r);
	struct letters l = lane->leaving.is ? letters_of(&lane, 1, DEAD_MAX_REMOVED, r->quota_share) :
		letters_of(lane->outlet->lanes, lane->outlet->n_lanes, lane->outlet->dead_max,
			   lane->outlet->quota.dead_max);
	if (are_too_many(&l) && r->dead_timer.place == 0) {
		r->dead_timer.fire = check_overflow;
		timer_set(&r->timers, &r->dead_timer, router_now(r) + OVERFLOW_EVERY);
	}
}

/* A piece of the rows, looked at for their age. */
struct sweep {
	struct router *r;
	struct delivery_key next, keys[SWEEP_ROWS];
	size_t seen, n;
};

static bool note_old(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct sweep *s = arg;
	const struct lane *lane = key.lane < s->r->n_numbers ? s->r->by_number[key.lane] : NULL;
	int64_t keep = lane != NULL && !lane->leaving.is ? lane->outlet->dead_keep : DEAD_KEEP_REMOVED;
	s->next = (struct delivery_key){ key.lane, key.seq + 1 };
	if (keep > 0 && router_wall(s->r) - row->dead_ms > keep)
		s->keys[s->n++] = key;
	return ++s->seen < SWEEP_ROWS;
}

void dead_tick(struct router *r)
{
	struct sweep s = { .r = r, .next = r->dead_swept };
	rows_scan_dead(r->state, r->dead_swept, note_old, &s);
	r->dead_swept = s.seen < SWEEP_ROWS ? (struct delivery_key){ 0 } : s.next;
	struct dead_change c = { .keys = s.keys, .n = s.n };
	dead_change(r, &c);
	if (c.done > 0)
		log_warn("%zu dead letters are purged: older than dead_keep", c.done);
	r->dead_timer.fire = check_overflow;
	if (r->dead_timer.place == 0)
		check_overflow(&r->dead_timer);
}
