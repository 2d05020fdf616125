/*
 * expire.c - what waits for longer than `expire` is dead, whatever it waits for: a disabled sink's, one's that is down.
 *
 * One that was tried counts from its first failure, one that was not from when it was accepted, by the clock that runs only
 * while a daemon does (uptime.h). Lanes are looked at in turn, a bounded piece a second, and in order of events: what is in
 * memory, rows, and the journal.
 */
#include "base/log.h"
#include "dispatch/router.h"

#define LANES 1024	/* looked at in a second, at most, … */
#define ROWS 1024	/* … and rows */
#define LANES_AT_ONCE 32
#define ROWS_AT_ONCE 128

struct sweep {
	struct lane *lane;
	int64_t expire;
	uint64_t old[ROWS_AT_ONCE];
	size_t n, seen, room;
	uint64_t next;		/* where the lane's rows go on */
};

int64_t expire_age(const struct router *r, uint64_t seq, int64_t first_ms)
{
	int64_t age = uptime_age(&r->uptime, seq, router_now(r)), since = router_wall(r) - first_ms;
	return first_ms != 0 && since < age ? since : age;
}

static bool is_old(const struct lane *lane, uint64_t seq, int64_t first_ms, int64_t expire)
{
	return expire_age(lane->router, seq, first_ms) > expire;
}

/* Those that were never tried are in the order of their age. How many died. */
static size_t sweep_slots(const struct sweep *s, struct slot *first)
{
	size_t n = 0;
	for (struct slot *slot = first; slot != NULL; slot = slot->next) {
		bool waits = slot->state == SLOT_READY || slot->state == SLOT_WAITING || slot->state == SLOT_HELD;
		if (waits && is_old(s->lane, slot->seq, slot->first_ms, s->expire)) {
			settle_shed(slot, DEAD_EXPIRED);
			n++;
		} else if (waits && slot->first_ms == 0 && !slot->loose) {
			break;
		}
	}
	return n;
}

static bool sweep_row(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct sweep *s = arg;
	if (key.seq >= lane_watermark(s->lane))
		return false;
	s->next = key.seq + 1;
	if (!stragglers_is_here(s->lane, key.seq) &&
	    is_old(s->lane, key.seq, stragglers_first(s->lane->router, row), s->expire))
		s->old[s->n++] = key.seq;
	return ++s->seen < s->room;
}

static size_t sweep_rows(struct sweep *s)
{
	struct lane *lane = s->lane;
	s->n = s->seen = 0;
	rows_each_straggler(lane->router->state, lane->number, lane->expire_from, sweep_row, s);
	lane->expire_from = s->seen < s->room ? 0 : s->next;
	s->room -= s->seen;
	for (size_t i = 0; i < s->n; i++)
		shed_row(lane, s->old[i], DEAD_EXPIRED);
	return s->n;
}

/* The first event that is not too old. */
static uint64_t young_from(const struct lane *lane, int64_t expire)
{
	uint64_t low = lane->next, high = lane->router->next;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (is_old(lane, middle, 0, expire))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void sweep_lane(struct sweep *s)
{
	struct lane *lane = s->lane;
	size_t n = sweep_slots(s, lane->head) + sweep_slots(s, lane->loose_head);
	if (lane->stragglers > 0)
		n += sweep_rows(s);
	if (n > 0)
		log_write(PB_WARN, lane->sink_title, "%zu deliveries of route %s are dead (expired): they waited for "
			  "longer than expire", n, lane->route_name);
	if (lane->live || lane->yield_until != 0 || lane->next >= lane->router->next ||
	    !is_old(lane, lane->next, 0, s->expire))
		return;
	log_write(PB_WARN, lane->sink_title, "what route %s has for it in the journal from before expire is dead (expired)",
		  lane->route_name);
	yield_lane(lane, young_from(lane, s->expire), DEAD_EXPIRED);
}

/* The lane looked at last had more rows than there was room for. */
static bool goes_on(const struct router *r)
{
	const struct lane *lane = r->lanes[r->expire_turn % r->n_lanes];
	return lane->expire_from > 0 && lane->stragglers > 0 && r->expire_rows < ROWS;
}

/* Is there something left for this second? */
static bool has_turn(const struct router *r)
{
	return r->n_lanes > 0 && r->expire_rows > 0 && (r->expire_lanes > 0 || goes_on(r));
}

static struct lane *take_turn(struct router *r)
{
	if (!goes_on(r)) {
		r->expire_turn = (r->expire_turn + 1) % r->n_lanes;
		r->expire_lanes--;
	}
	return r->lanes[r->expire_turn % r->n_lanes];
}

void expire_tick(struct router *r)
{
	r->expire_lanes = r->n_lanes < LANES ? r->n_lanes : LANES;
	r->expire_rows = ROWS;
}

bool expire_turn(struct router *r)
{
	for (size_t i = 0, left = ROWS_AT_ONCE; i < LANES_AT_ONCE && left > 0 && has_turn(r); i++) {
		size_t room = r->expire_rows < left ? r->expire_rows : left;
		struct sweep s = { .lane = take_turn(r), .room = room };
		s.expire = options_int(s.lane->outlet->config->options, "expire");
		if (s.expire > 0)
			sweep_lane(&s);
		else
			s.lane->expire_from = 0;
		r->expire_rows -= room - s.room;
		left -= room - s.room;
	}
	return has_turn(r);
}
