/* dead.c - deliveries die; dead letters are replayed and purged. */
#include "dispatch/dead.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/step.h"
#include "dispatch/router.h"
#include "dispatch/trail.h"

#define GONE_MAX 16384		/* rows that may be on their way out */

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

static void letter_gone(struct lane *lane, const struct dead_row *row)
{
	lane->dead--;
	lane->dead_bytes -= dead_cost(row);
	lane->unsaved = true;	/* the watermark that passed it goes along */
}

static void removed_letter_gone(struct router *r, uint32_t number, const struct dead_row *row)
{
	for (size_t i = 0; i < r->n_removed; i++) {
		if (r->removed[i].number != number)
			continue;
		r->removed[i].dead--;
		r->removed[i].dead_bytes -= dead_cost(row);
	}
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
		if (lane != NULL)
			letter_gone(lane, &row);
		else
			removed_letter_gone(r, key.lane, &row);
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
	dead_added(lane);
}
