/* trace-look.c - how one event stands on each lane, on the router's thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/span.h"
#include "dispatch/router.h"
#include "dispatch/trace.h"
#include "event/event.h"

#define BUDGET 1024	/* of a call: a route or lane takes one, a look into the state … */
#define ROWS_COST 32

static char *text_of(struct pb_span span)
{
	return span.len > 0 ? strndup(span.data, span.len) : NULL;
}

static struct slot *find_slot(struct lane *lane, uint64_t seq, uint64_t *ahead)
{
	struct slot *slot = lane_find_loose(lane, seq);
	*ahead = 0;
	if (slot != NULL)
		return slot;
	for (slot = lane->head; slot != NULL && slot->seq < seq; slot = slot->next)
		++*ahead;
	return slot != NULL && slot->seq == seq ? slot : NULL;
}

static void look_at_slot(const struct slot *slot, struct trace_lane *to)
{
	static const enum trace_where where[] = {
		[SLOT_HELD] = TRACE_HELD, [SLOT_FILTERING] = TRACE_FILTERING, [SLOT_READY] = TRACE_READY, [SLOT_FLYING] = TRACE_FLYING,
		[SLOT_WAITING] = TRACE_WAITING, [SLOT_SAVING] = TRACE_SAVING,
	};
	const struct router *r = slot->lane->router;
	to->where = where[slot->state];
	to->attempts = slot->attempts;
	if (slot->state == SLOT_WAITING)
		to->due_ms = slot->after + r->wall_offset;
	if (slot->text != NULL)
		to->error = xstrdup(slot->text);
}

static void look_at_straggler(const struct straggler_row *row, struct trace_lane *to)
{
	bool parked = due_is_parked(row->due_ms);
	to->where = !parked ? TRACE_WAITING : row->due_ms == due_parked(0) ? TRACE_PARKED : TRACE_HELD;
	to->attempts = row->attempts;
	to->due_ms = parked ? row->after_ms : row->due_ms;
	to->error = text_of(row->error);
}

static void look_at_dead(const struct dead_row *row, struct trace_lane *to)
{
	to->where = TRACE_DEAD;
	to->attempts = row->attempts;
	to->reason = row->reason;
	to->dead_ms = row->dead_ms;
	to->error = text_of(row->error);
}

/* Does the state have a row of it? */
static bool look_at_rows(struct router *r, uint64_t seq, struct trace_lane *to)
{
	struct delivery_key key = { to->number, seq };
	struct straggler_row straggler;
	struct dead_row dead;
	struct buf hold = BUF_INIT(BUF_MAX);
	bool waits = rows_get_straggler(r->state, key, &straggler, &hold) == 0;
	bool died = !waits && rows_get_dead(r->state, key, &dead, &hold) == 0 &&
		    !dead_is_purged(r, key.lane, seq);
	if (waits)
		look_at_straggler(&straggler, to);
	else if (died)
		look_at_dead(&dead, to);
	buf_free(&hold);
	return waits || died;
}

/* The first of its key; or, parked, the first that its lane has. */
static uint64_t waits_behind(const struct lane *lane, const struct slot *slot, enum trace_where where, uint64_t seq)
{
	uint64_t first = 0;
	while (slot != NULL && where == TRACE_HELD && slot->key_prev != NULL)
		slot = slot->key_prev;
	if (where == TRACE_HELD && slot != NULL)
		first = slot->seq;
	else if (where == TRACE_PARKED)
		first = lane->head != NULL ? lane->head->seq : lane->untaken_from;
	return first < seq ? first : 0;
}

static void look_at_sink(const struct outlet *o, struct trace_lane *to)
{
	const char *state = sink_state_name(o);
	to->attempts_max = (uint32_t)o->config->retry.n + 1;
	to->held = strcmp(state, "running") != 0 ? state : NULL;
}

static void add_lane(struct trace_event *ev, const struct trace_lane *lane)
{
	ev->lanes = xrealloc(ev->lanes, ev->n_lanes + 1, sizeof *ev->lanes);
	ev->lanes[ev->n_lanes++] = *lane;
}

/* Has the lane not come to the event yet? */
static bool is_ahead(const struct router *r, const struct lane *lane, uint64_t seq)
{
	if (lane->leaving.is && seq >= lane->leaving.end)
		return false;
	return seq >= (lane->live ? r->next : lane->next);
}

/* How much of the budget that took. */
static int look_at_lane(struct router *r, struct lane *lane, struct trace_event *ev)
{
	struct trace_lane now = { .number = lane->number, .where = TRACE_SETTLED };
	const struct rule *rule = lane_rule(lane, ev->seq);
	bool has_rows = lane->stragglers + lane->dead > 0;
	struct slot *slot = find_slot(lane, ev->seq, &now.ahead);
	now.wanted = ev->type != NULL && rule != NULL && rule_takes(rule, ev->origin, ev->type);
	bool has_row = slot == NULL && has_rows && look_at_rows(r, ev->seq, &now);
	if (!now.wanted && slot == NULL && !has_row)
		return has_rows ? ROWS_COST : 1;
	if (slot != NULL) {
		look_at_slot(slot, &now);
	} else if (!has_row && is_ahead(r, lane, ev->seq)) {
		now.where = TRACE_BACKLOG;
		now.ahead = ev->seq - lane_watermark(lane);
	}
	now.behind = waits_behind(lane, slot, now.where, ev->seq);
	if (lane->outlet != NULL)
		look_at_sink(lane->outlet, &now);
	now.route = xstrdup(lane->route_name);
	now.sink = xstrdup(lane_sink(lane));
	add_lane(ev, &now);
	return has_rows ? ROWS_COST : 1;
}

static void look_at_route(const struct route *route, struct trace_event *ev)
{
	ev->routes = xrealloc(ev->routes, ev->n_routes + 1, sizeof *ev->routes);
	struct trace_route *to = &ev->routes[ev->n_routes++];
	*to = (struct trace_route){ .name = xstrdup(route->config->name) };
	enum rule_verdict verdict = rule_verdict(route->rule, ev->origin, ev->type);
	to->matches = verdict == RULE_TAKES;
	if (verdict == RULE_NOT_FROM)
		to->why = xasprintf("`from` does not name its source, %s",
				    ev->source != NULL ? ev->source : "which is not known");
	else if (verdict == RULE_NOT_EVENTS)
		to->why = xasprintf("nothing in `events` matches its type, %s", ev->type);
}

/* Lanes of earlier configurations have dead letters, which say so. */
static void look_at_removed(struct router *r, uint32_t number, struct trace_event *ev)
{
	struct trace_lane now = { .number = number };
	if (look_at_rows(r, ev->seq, &now))
		add_lane(ev, &now);
}

bool trace_look(struct router *r, struct trace_event *ev, struct trace_place *at)
{
	int budget = BUDGET;
	for (; ev->type != NULL && at->route < r->n_routes && budget > 0; at->route++, budget--)
		look_at_route(r->routes[at->route], ev);
	for (; at->lane < r->n_lanes && budget > 0; at->lane++)
		budget -= look_at_lane(r, r->lanes[at->lane], ev);
	for (; at->leaving < r->n_leaving && budget > 0; at->leaving++)
		budget -= look_at_lane(r, r->leaving[at->leaving], ev);
	for (; at->removed < r->n_removed && budget > 0; at->removed++, budget -= ROWS_COST)
		look_at_removed(r, r->removed[at->removed].number, ev);
	return budget <= 0;
}
