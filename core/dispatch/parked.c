/* parked.c - a lane takes up what is parked for it. */
#include <errno.h>

#include "base/log.h"
#include "base/step.h"
#include "dispatch/keys.h"
#include "dispatch/router.h"
#include "event/event.h"

#define AT_ONCE 64

struct parked_list {
	const struct lane *lane;
	uint64_t seqs[AT_ONCE];
	size_t n;
	uint64_t next;		/* the first that is not taken; UINT64_MAX: there is none */
};

static bool collect(void *arg, uint64_t seq)
{
	struct parked_list *list = arg;
	if (shed_has(list->lane->router, (struct delivery_key){ list->lane->number, seq }))
		return true;
	if (list->n < AT_ONCE && sink_takes(list->lane->outlet, seq)) {
		list->seqs[list->n++] = seq;
		return true;
	}
	list->next = seq;
	return false;
}

/* It comes to the window's end, as its row says. */
static void push(struct lane *lane, const struct pb_event *ev, const struct straggler_row *row)
{
	struct router *r = lane->router;
	struct slot *slot = lane_push(lane, ev, SLOT_FILTERING);
	stragglers_restore(slot, row, row->due_ms);
	int64_t left = row->after_ms - router_wall(r);
	if (left > row->wait_ms)	/* the clock was set back */
		left = row->wait_ms;
	uint64_t hash = keys_hash(lane, ev);
	if (row->after_ms == 0 || left <= 0) {
		if (hash != 0)
			keys_enter(slot, hash);
		else
			slot_begin(r, slot);
		return;
	}
	slot->state = SLOT_WAITING;
	slot->after = router_now(r) + left;
	timer_sooner(&r->timers, &lane->timer, slot->after);
}

/* False: not now, look again. */
static bool take_up(struct lane *lane, uint64_t seq)
{
	struct router *r = lane->router;
	struct delivery_key key = { lane->number, seq };
	struct straggler_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	int failed = rows_get_straggler(r->state, key, &row, &hold);
	bool row_read = failed == 0;
	struct pb_event *ev = failed == 0 ? space_event(r, seq) : NULL;
	if (failed == 0 && ev == NULL)
		failed = -errno;
	if (ev != NULL)
		push(lane, ev, &row);
	bool gone = failed == -ENOENT || failed == -EBADMSG;
	if (gone)
		stragglers_drop(lane, key, due_parked(0), row_read ? &row : NULL);
	event_unref(ev);
	buf_free(&hold);
	return failed == 0 || gone;
}

bool parked_take_up(struct lane *lane)
{
	struct parked_list list = { .lane = lane, .next = UINT64_MAX };
	int failed = rows_each_parked(lane->router->state, lane->number, 0, lane->untaken_from, collect, &list);
	if (failed < 0)
		return false;
	for (size_t i = 0; i < list.n && lane_has_room(lane); i++) {
		lane->untaken_from = list.seqs[i];
		if (lane->covered != NULL)
			lane_uncover(lane);	/* what comes before it */
		if (!take_up(lane, list.seqs[i]))
			return false;
		lane->untaken--;
		lane->untaken_from = list.seqs[i] + 1;
	}
	step_at("parked: taken up");
	if (list.n == 0) {
		lane->untaken_from = list.next;
		if (list.next == UINT64_MAX)
			lane->untaken = 0;
	}
	lane_rows_done(lane);
	if (lane->covered != NULL)
		lane_uncover(lane);
	return true;
}
