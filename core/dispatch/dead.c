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
#define OVERFLOW_EVERY 20	/* ms between two pieces of what is too many */

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
	rows_put_straggler(&r->open.batch, key, &(struct straggler_row){
		.due_ms = due, .bytes = row->bytes, .parts = row->parts, .error = row->error, .response = row->response,
	}, -1);
	lane->stragglers++;
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
	size_t n, most;
	uint64_t end;		/* of the lane at hand: its watermark */
};

static bool note_oldest(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct oldest *o = arg;
	(void)row;
	if (key.seq >= o->end || (o->n == o->most && o->keys[o->n - 1].seq <= key.seq))
		return false;
	if (find_gone(o->r, key.lane, key.seq) != NULL)
		return true;
	size_t at = o->n < o->most ? o->n++ : o->n - 1;
	while (at > 0 && o->keys[at - 1].seq > key.seq) {
		o->keys[at] = o->keys[at - 1];
		at--;
	}
	o->keys[at] = key;
	return true;
}

static uint64_t dead_of(struct lane *const lanes[], size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += lanes[i]->dead;
	return sum;
}

/* What is more than `most` goes, or a piece of it. True when there is more. */
static bool purge_overflow(struct router *r, struct lane *const lanes[], size_t n, uint64_t most)
{
	uint64_t sum = dead_of(lanes, n);
	if (sum <= most)
		return false;
	struct oldest oldest = { .r = r };
	oldest.most = sum - most < DEAD_CHANGE_MAX ? (size_t)(sum - most) : DEAD_CHANGE_MAX;
	for (size_t i = 0; i < n; i++) {
		oldest.end = lane_watermark(lanes[i]);
		if (lanes[i]->dead > 0)
			rows_each_dead(r->state, lanes[i]->number, 0, note_oldest, &oldest);
	}
	struct dead_change c = { .keys = oldest.keys, .n = oldest.n };
	dead_change(r, &c);
	if (c.done > 0)
		log_write(PB_WARN, lanes[0]->sink_title, "%zu dead letters are purged, the oldest of more than "
			  "dead_max", c.done);
	return c.done == DEAD_CHANGE_MAX;
}

static void check_overflow(struct timer *t)
{
	struct router *r = CONTAINER_OF(t, struct router, dead_timer);
	bool more = false;
	for (size_t i = 0; i < r->n_outlets; i++) {
		const struct outlet *o = r->outlets[i];
		more = purge_overflow(r, o->lanes, o->n_lanes, o->dead_max) || more;
	}
	for (size_t i = 0; i < r->n_leaving; i++)
		more = purge_overflow(r, &r->leaving[i], 1, DEAD_MAX_REMOVED) || more;
	if (more)
		timer_set(&r->timers, t, router_now(r) + OVERFLOW_EVERY);
}

void dead_added(struct lane *lane)
{
	struct router *r = lane->router;
	uint64_t most = lane->leaving.is ? DEAD_MAX_REMOVED : lane->outlet->dead_max;
	if (++lane->dead > most && r->dead_timer.place == 0) {
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
