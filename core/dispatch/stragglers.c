/*
 * stragglers.c - deliveries that failed and wait: those that are due come back into their lanes.
 *
 * They wait in the state, in the order they are due, lane by lane, so that a lane with many takes
 * nothing from another. A lane asks for a few at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "dispatch/keys.h"
#include "dispatch/router.h"
#include "event/event.h"

#define AT_ONCE 256
#define BYTES_AT_ONCE (4u << 20)
#define LOOK_AGAIN 1000		/* ms, when a lane has no room for more and nothing of it moves */

struct due_list {
	struct lane *lane;
	int64_t now;
	uint64_t seqs[AT_ONCE];
	int64_t due[AT_ONCE];
	size_t n, room;
	bool early;			/* due or not */
	int64_t next_ms;		/* when the first that is not taken is due */
};

bool stragglers_is_here(const struct lane *lane, uint64_t seq)
{
	return lane_find_loose(lane, seq) != NULL || lane_in_window(lane, seq) || lane_takes_up(lane, seq) ||
	       shed_has(lane->router, (struct delivery_key){ lane->number, seq });
}

size_t stragglers_have_room(const struct lane *lane)
{
	enum breaker_state state = lane->outlet->breaker.state;
	bool full = lane->n_loose >= AT_ONCE || (lane->n_loose > 0 && lane->loose_bytes >= BYTES_AT_ONCE);
	if (state == BREAKER_PROBING)
		return lane->n_loose == 0;
	return state == BREAKER_CLOSED && !full ? AT_ONCE - lane->n_loose : 0;
}

static bool collect(void *arg, int64_t due_ms, struct delivery_key key)
{
	struct due_list *list = arg;
	if (due_is_parked(due_ms))
		return false;		/* no clock brings them back */
	if ((due_ms > list->now && !list->early) || list->n == list->room) {
		list->next_ms = due_ms;
		return false;
	}
	/* What is at work already, or waits in its place, comes back by itself. */
	if (!stragglers_is_here(list->lane, key.seq)) {
		list->seqs[list->n] = key.seq;
		list->due[list->n++] = due_ms;
	}
	return true;
}

/* The time that the daemon did not run does not count, nor does a clock that was set meanwhile: a row that an
 * earlier run wrote keeps the age that it had. */
int64_t stragglers_first(const struct router *r, const struct straggler_row *row)
{
	int64_t written = row->due_ms - row->wait_ms;
	if (row->first_ms == 0 || due_is_parked(row->due_ms) || (written >= r->started_wall && written <= router_wall(r)))
		return row->first_ms;
	return r->started_wall - (written - row->first_ms);
}

void stragglers_restore(struct slot *slot, const struct straggler_row *row, int64_t due_ms)
{
	slot->attempts = row->attempts;
	slot->first_ms = stragglers_first(slot->lane->router, row);
	slot->row_due_ms = due_ms;
	slot->hash = due_is_parked(due_ms) ? due_parked_key(due_ms) : row->key;
	slot->row_cost = straggler_cost(row);
	if (row->error.len > 0)
		slot->text = strndup(row->error.data, row->error.len);
	if (row->parts.len > 0) {
		slot->restored = xcalloc(row->parts.len, 1);
		memcpy(slot->restored, row->parts.data, row->parts.len);
		slot->restored_len = row->parts.len;
	}
}

void stragglers_drop(struct lane *lane, struct delivery_key key, int64_t due_ms, const struct straggler_row *row)
{
	struct router *r = lane->router;
	log_write(PB_ERROR, lane->outlet->self.title,
		  "event %llu of route %s cannot be delivered: it is neither in the journal nor kept",
		  (unsigned long long)key.seq, lane->route->config->name);
	rows_del_straggler(&r->open.batch, key, due_ms);
	shed_note(r, key);
	lane_row_gone(lane, row != NULL ? straggler_cost(row) : 0);
	keys_row_gone(lane, row != NULL ? row->key : 0, due_ms);
	r->lost++;
	r->save_pending = true;
}

bool stragglers_bring_back(struct lane *lane, uint64_t seq, int64_t due_ms)
{
	struct router *r = lane->router;
	struct delivery_key key = { lane->number, seq };
	struct straggler_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	int failed = rows_get_straggler(r->state, key, &row, &hold);
	if (failed == 0) {
		struct pb_event *ev = space_event(r, seq);
		failed = ev == NULL ? -errno : 0;
		if (failed == -ENOENT || failed == -EBADMSG) {
			stragglers_drop(lane, key, due_ms, &row);
		} else if (ev != NULL) {
			struct slot *slot = lane_push_loose(lane, ev, seq, SLOT_FILTERING);
			stragglers_restore(slot, &row, due_ms);
			event_unref(ev);
			if (slot->hash != 0)
				keys_back(slot);
			else
				slot_begin(r, slot);
			step_at("straggler: brought back");
		}
	}
	buf_free(&hold);
	return failed == 0 || failed == -ENOENT || failed == -EBADMSG;
}

/* Was its row written since the lane was told to hurry? Then that was tried. */
static bool is_newer(const struct lane *lane, uint64_t seq)
{
	struct straggler_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	bool newer = rows_get_straggler(lane->router->state, (struct delivery_key){ lane->number, seq }, &row, &hold) == 0 &&
		     row.due_ms - row.wait_ms >= lane->hurry_ms;
	buf_free(&hold);
	return newer;
}

/* The rows at hand, which may be large together: as far as there is room. False: one of them is to be read again. */
static bool bring_back_list(struct lane *lane, struct due_list *list, size_t *taken)
{
	bool all = true;
	size_t i = 0;
	*taken = 0;
	for (; i < list->n && (lane->n_loose == 0 || lane->loose_bytes < BYTES_AT_ONCE); i++) {
		if (list->due[i] > list->now && is_newer(lane, list->seqs[i]))
			continue;
		all = stragglers_bring_back(lane, list->seqs[i], list->due[i]) && all;
		++*taken;
	}
	if (i < list->n)	/* the rest when there is room */
		list->next_ms = list->due[i];
	return all;
}

/* The same whether they are due or not, in their order, once; after that those that are due, as ever. */
static void hurry(struct lane *lane, int64_t now)
{
	struct due_list list = {
		.lane = lane, .now = now, .next_ms = TIMER_NEVER, .room = stragglers_have_room(lane), .early = true,
	};
	size_t taken;
	if (list.room == 0) {
		list.next_ms = lane->hurry_from;
	} else if (rows_each_due(lane->router->state, lane->number, lane->hurry_from, collect, &list) == 0) {
		bring_back_list(lane, &list, &taken);
		if (taken == 0 && list.next_ms == lane->hurry_from)
			list.next_ms++;		/* many of one time, all of them newer */
	}
	lane->more_due = list.next_ms != TIMER_NEVER;
	if (lane->more_due)
		lane->hurry_from = list.next_ms;
	else
		lane->hurry_ms = 0;
	lane->next_due_ms = TIMER_NEVER;
	stragglers_expect(lane, lane->more_due ? now + LOOK_AGAIN : now);
}

void stragglers_due(struct lane *lane)
{
	struct router *r = lane->router;
	int64_t now = router_wall(r);
	enum breaker_state state = lane->outlet->breaker.state;
	if (state == BREAKER_DISABLED || state == BREAKER_OPEN)
		lane->hurry_ms = 0;
	if (lane->next_due_ms == TIMER_NEVER || state == BREAKER_DISABLED || state == BREAKER_OPEN)
		return;		/* they are looked at when the sink is enabled, or to be probed */
	if (lane->next_due_ms > now) {
		stragglers_expect(lane, lane->next_due_ms);
		return;
	}
	if (lane->hurry_ms != 0) {
		hurry(lane, now);
		return;
	}
	struct due_list list = {
		.lane = lane, .now = now, .next_ms = TIMER_NEVER, .room = stragglers_have_room(lane),
	};
	size_t taken;
	bool again = rows_each_due(r->state, lane->number, DUE_FIRST, collect, &list) < 0;
	again = !bring_back_list(lane, &list, &taken) || again;
	lane->next_due_ms = TIMER_NEVER;
	lane->more_due = list.next_ms <= now;
	if (again)
		stragglers_expect(lane, now + LOOK_AGAIN);
	if (list.next_ms != TIMER_NEVER)
		stragglers_expect(lane, list.next_ms > now ? list.next_ms : now + LOOK_AGAIN);
}

void stragglers_room(struct lane *lane)
{
	struct router *r = lane->router;
	if (lane->n_loose > AT_ONCE / 2 || lane->loose_bytes > BYTES_AT_ONCE / 2)
		return;
	if (lane->keys_first != NULL && !lane->keys_served)
		timer_sooner(&r->timers, &lane->timer, router_now(r));
	if (!lane->more_due)
		return;
	lane->more_due = false;
	stragglers_expect(lane, router_wall(r));
}

void stragglers_expect(struct lane *lane, int64_t due_ms)
{
	struct router *r = lane->router;
	if (lane->leaving.is || due_is_parked(due_ms))
		return;
	if (due_ms < lane->next_due_ms)
		lane->next_due_ms = due_ms;
	timer_sooner(&r->timers, &lane->timer, lane->next_due_ms - r->wall_offset);
}

void stragglers_look(struct lane *lane)
{
	if (lane->next_due_ms != TIMER_NEVER)
		stragglers_expect(lane, lane->next_due_ms);
}
