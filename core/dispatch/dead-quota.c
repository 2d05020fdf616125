/* dead-quota.c - dead letters that are too many, too large or too old go. */
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "dispatch/dead.h"
#include "dispatch/router.h"

#define SWEEP_ROWS 256		/* looked at a second for their age */
#define OVERFLOW_EVERY 20	/* ms between two looks at what is too many, … */
#define OVERFLOW_LATER 200	/* … when none of it can go */
#define PIECES_AT_ONCE 8	/* pieces of it that go at each */

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
	if (dead_goes(o->r, key))
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
	const char *title;
	struct lane *const *lanes;
	size_t n_lanes;
	const struct removed *removed;	/* in the place of lanes, unless NULL */
	uint64_t most, most_bytes;
};

static struct letters letters_of_sink(const struct outlet *o)
{
	return (struct letters){
		.title = o->self.title, .lanes = o->lanes, .n_lanes = o->n_lanes, .most = o->dead_max,
		.most_bytes = quota_dead_max(o),
	};
}

static struct letters letters_of_leaving(struct lane *const *lane)
{
	return (struct letters){
		.title = (*lane)->sink_title, .lanes = lane, .n_lanes = 1, .most = DEAD_MAX_REMOVED,
		.most_bytes = (*lane)->router->share.now,
	};
}

static struct letters letters_of_removed(const struct router *r, const struct removed *removed)
{
	return (struct letters){
		.title = "of a route that was removed", .removed = removed, .most = DEAD_MAX_REMOVED,
		.most_bytes = r->share.now,
	};
}

static void count(const struct letters *l, uint64_t *n, uint64_t *bytes)
{
	*n = l->removed != NULL ? l->removed->dead : 0;
	*bytes = l->removed != NULL ? l->removed->dead_bytes : 0;
	for (size_t i = 0; i < l->n_lanes; i++) {
		*n += l->lanes[i]->dead;
		*bytes += l->lanes[i]->dead_bytes;
	}
}

static bool are_too_many(const struct letters *l)
{
	uint64_t n, bytes;
	count(l, &n, &bytes);
	return n > l->most || bytes > l->most_bytes;
}

static void find_oldest(struct oldest *o, const struct letters *l)
{
	for (size_t i = 0; i < l->n_lanes; i++) {
		o->end = lane_watermark(l->lanes[i]);
		if (l->lanes[i]->dead > 0)
			rows_each_dead(o->r->state, l->lanes[i]->number, 0, note_oldest, o);
	}
	o->end = UINT64_MAX;
	if (l->removed != NULL)
		rows_each_dead(o->r->state, l->removed->number, 0, note_oldest, o);
}

/* What is too many goes, or a piece of it: how many did. */
static size_t purge_piece(struct router *r, const struct letters *l)
{
	struct oldest oldest = { .r = r };
	struct dead_change c = { .keys = oldest.keys };
	uint64_t n, bytes;
	find_oldest(&oldest, l);
	for (count(l, &n, &bytes); c.n < oldest.n && (n > l->most || bytes > l->most_bytes); c.n++) {
		n--;
		bytes -= oldest.costs[c.n];
	}
	dead_change(r, &c);
	if (c.done > 0)
		log_write(PB_WARN, l->title, "%zu dead letters are purged, the oldest of more than dead_max or "
			  "dead_max_size", c.done);
	return c.done;
}

/* When to look again: those that no lane has passed cannot go yet. */
static int64_t purge_overflow(struct router *r, struct letters l)
{
	int64_t again = OVERFLOW_EVERY;
	for (int i = 0; i < PIECES_AT_ONCE; i++) {
		if (!are_too_many(&l))
			return TIMER_NEVER;
		if (purge_piece(r, &l) > 0)
			continue;
		again = i == 0 ? OVERFLOW_LATER : OVERFLOW_EVERY;
		break;
	}
	return again;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void check_overflow(struct timer *t)
{
	struct router *r = CONTAINER_OF(t, struct router, dead_timer);
	int64_t again = TIMER_NEVER;
	for (size_t i = 0; i < r->n_outlets; i++)
		again = least(again, purge_overflow(r, letters_of_sink(r->outlets[i])));
	for (size_t i = 0; i < r->n_leaving; i++)
		again = least(again, purge_overflow(r, letters_of_leaving(&r->leaving[i])));
	for (size_t i = 0; i < r->n_removed; i++)
		again = least(again, purge_overflow(r, letters_of_removed(r, &r->removed[i])));
	if (again != TIMER_NEVER)
		timer_set(&r->timers, t, router_now(r) + again);
}

void dead_look(struct router *r)
{
	r->dead_timer.fire = check_overflow;
	if (r->dead_timer.place == 0)
		timer_set(&r->timers, &r->dead_timer, router_now(r) + OVERFLOW_EVERY);
}

void dead_added(struct lane *lane)
{
	struct lane *const lanes[] = { lane };
	struct letters l = lane->leaving.is ? letters_of_leaving(lanes) : letters_of_sink(lane->outlet);
	if (are_too_many(&l))
		dead_look(lane->router);
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
	if (r->dead_timer.place == 0) {
		r->dead_timer.fire = check_overflow;
		check_overflow(&r->dead_timer);
	}
}
