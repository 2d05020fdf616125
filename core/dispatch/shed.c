/* shed.c - waiting deliveries become dead letters. */
#include "dispatch/shed.h"

#include <stdlib.h>

#include "base/memory.h"
#include "dispatch/keys.h"
#include "dispatch/router.h"

#define PIECE 1024	/* rows at once */

bool shed_has(const struct router *r, struct delivery_key d)
{
	uint64_t key[2] = { d.lane, d.seq };
	struct shed_row *row = NULL;
	if (r->shed != NULL)
		HASH_FIND(hh, r->shed, key, sizeof key, row);
	return row != NULL;
}

struct shed_row *shed_note(struct router *r, struct delivery_key d)
{
	struct shed_row *row = xcalloc(1, sizeof *row);
	*row = (struct shed_row){ .key = { d.lane, d.seq }, .save = r->saves + 1 };
	HASH_ADD(hh, r->shed, key, sizeof row->key, row);
	return row;
}

void shed_saved(struct router *r)
{
	struct shed_row *row, *next;
	HASH_ITER(hh, r->shed, row, next) {
		if (row->save > r->saves)
			continue;
		HASH_DEL(r->shed, row);
		if (row->hash != 0)
			keys_row_gone(r->by_number[row->key[0]], row->hash, row->due_ms);
		free(row);
	}
}

void shed_forget_keys(const struct lane *lane)
{
	struct shed_row *row, *next;
	HASH_ITER(hh, lane->router->shed, row, next)
		if (row->key[0] == lane->number)
			row->hash = 0;
}

void shed_free(struct router *r)
{
	struct shed_row *row, *next;
	HASH_ITER(hh, r->shed, row, next) {
		HASH_DEL(r->shed, row);
		free(row);
	}
}

/* One piece's work. */
struct piece {
	struct router *r;
	enum dead_reason reason;
	const struct lane *lane;	/* the one at hand */
	uint64_t left;			/* bytes that are to go */
	size_t n;			/* that died */
	struct { uint64_t seq; struct lane *lane; } oldest[PIECE];
	size_t n_oldest;
};

static void count(struct piece *p, uint64_t cost)
{
	p->left -= cost < p->left ? cost : p->left;
	p->n++;
}

static void shed_slot(struct piece *p, struct slot *slot)
{
	if (slot->state != SLOT_READY && slot->state != SLOT_WAITING && slot->state != SLOT_HELD)
		return;
	count(p, slot->row_cost);
	settle_shed(slot, p->reason);
}

/* Does a key of the lane's know of the row? One that is still ahead of it is none's. */
static bool is_known(struct lane *lane, uint64_t seq)
{
	struct covered *c = lane_take_covered(lane, seq);
	free(c);
	return c == NULL;
}

uint64_t shed_row(struct lane *lane, uint64_t seq, enum dead_reason reason)
{
	struct router *r = lane->router;
	struct delivery_key key = { lane->number, seq };
	struct straggler_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	uint64_t cost = 0;
	if (rows_get_straggler(r->state, key, &row, &hold) == 0) {
		struct shed_row *shed = shed_note(r, key);
		shed->due_ms = row.due_ms;
		shed->hash = is_known(lane, seq) ? row.key : 0;
		cost = straggler_cost(&row);
		rows_del_straggler(&r->open.batch, key, row.due_ms);
		lane_row_gone(lane, cost);
		if (row.due_ms == due_parked(0)) {
			lane->untaken--;
			lane_rows_done(lane);
		}
		dead_add(lane, seq, reason, &row, NULL);
	}
	buf_free(&hold);
	return cost;
}

static void shed_counted(struct piece *p, struct lane *lane, uint64_t seq)
{
	uint64_t cost = shed_row(lane, seq, p->reason);
	if (cost > 0)
		count(p, cost);
}

/* Keep the lowest numbers of all lanes, in order. False: this lane has no lower ones. */
static bool note(struct piece *p, struct lane *lane, uint64_t seq)
{
	if (seq >= lane_watermark(lane) || (p->n_oldest == PIECE && p->oldest[PIECE - 1].seq <= seq))
		return false;
	if (shed_has(p->r, (struct delivery_key){ lane->number, seq }))
		return true;
	size_t at = p->n_oldest < PIECE ? p->n_oldest++ : PIECE - 1;
	for (; at > 0 && p->oldest[at - 1].seq > seq; at--)
		p->oldest[at] = p->oldest[at - 1];
	p->oldest[at].seq = seq;
	p->oldest[at].lane = lane;
	return true;
}

static bool note_parked(void *arg, uint64_t seq)
{
	struct piece *p = arg;
	return note(p, (struct lane *)p->lane, seq);
}

/* Parked ones come by themselves; what is at work with a sink is no one's to end. */
static bool note_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct piece *p = arg;
	if (row->due_ms == due_parked(0) || lane_in_window(p->lane, key.seq))
		return key.seq < lane_watermark(p->lane);
	return note(p, (struct lane *)p->lane, key.seq);
}

static void shed_windows(struct piece *p, const struct outlet *o)
{
	for (size_t i = 0; i < o->n_lanes; i++)
		for (struct slot *s = o->lanes[i]->head; s != NULL && o->lanes[i]->from_rows && p->left > 0;
		     s = s->next)
			shed_slot(p, s);
}

static void shed_parked(struct piece *p, const struct outlet *o)
{
	for (size_t i = 0; i < o->n_lanes; i++) {
		p->lane = o->lanes[i];
		if (p->lane->untaken > 0)
			rows_each_parked(p->r->state, p->lane->number, 0, p->lane->untaken_from, note_parked, p);
	}
	for (size_t i = 0; i < p->n_oldest && p->left > 0; i++)
		shed_counted(p, p->oldest[i].lane, p->oldest[i].seq);
}

static void shed_stragglers(struct piece *p, const struct outlet *o)
{
	for (size_t i = 0; i < o->n_lanes; i++) {
		p->lane = o->lanes[i];
		if (p->lane->stragglers > 0)
			rows_each_straggler(p->r->state, p->lane->number, 0, note_straggler, p);
	}
	for (size_t i = 0; i < p->n_oldest && p->left > 0; i++) {
		struct slot *slot = lane_find_loose(p->oldest[i].lane, p->oldest[i].seq);
		if (slot != NULL)
			shed_slot(p, slot);
		else
			shed_counted(p, p->oldest[i].lane, p->oldest[i].seq);
	}
}

size_t shed_oldest(struct outlet *o, uint64_t bytes)
{
	struct piece *p = xcalloc(1, sizeof *p);
	p->r = o->router;
	p->reason = DEAD_OVERFLOW;
	p->left = bytes;
	shed_windows(p, o);
	if (p->left > 0)
		shed_parked(p, o);
	if (p->left > 0 && p->n_oldest == 0)
		shed_stragglers(p, o);
	size_t n = p->n;
	p->r->open.sheds = p->r->open.sheds || n > 0;
	free(p);
	return n;
}
