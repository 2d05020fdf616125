/* trail.c - what becomes of events, as entries of the history. */
#include "dispatch/trail.h"

#include "base/span.h"
#include "event/codec.h"
#include "event/event.h"
#include "state/history.h"

/* When what this turn takes in came. */
static int64_t turn_ms(const struct router *r)
{
	return r->turn_began / 1000 + r->wall_offset;
}

static void add_event(struct router *r, enum history_kind kind, const struct pb_event *ev, int64_t at_ms)
{
	history_add(r->history, &(struct history_entry){
		.kind = kind, .at_ms = at_ms, .seq = event_seq(ev), .id = history_hash(event_id(ev)),
		.origin = event_origin(ev), .bytes = event_body(ev).len, .type = span_str(event_type(ev)),
		.sender = span_str(event_sender(ev)),
	});
}

void trail_committed(struct router *r, const struct committed *c)
{
	if (r->history == NULL)
		return;
	int64_t at_ms = c->accepted / 1000 + r->wall_offset;
	for (size_t i = 0; i < c->n; i++)
		if (c->in_memory)
			add_event(r, HISTORY_ACCEPTED, c->events[i], at_ms);
		else if (c->ids != NULL)
			history_add(r->history, &(struct history_entry){
				.kind = HISTORY_ACCEPTED, .at_ms = at_ms, .seq = c->first_seq + i, .id = c->ids[i],
			});
}

void trail_found(struct router *r, uint64_t seq, struct pb_span packed)
{
	if (r->history == NULL || seq <= history_last(r->history))
		return;
	struct pb_event *ev = codec_unpack(packed);
	if (ev == NULL)
		return;
	event_set_seq(ev, seq);
	add_event(r, HISTORY_FOUND, ev, router_wall(r));
	event_unref(ev);
}

void trail_answer(struct router *r, const struct pb_delivery *d)
{
	const struct slot *slot = d->slot;
	if (r->history == NULL || d->code == PB_UNTRIED)
		return;
	history_add(r->history, &(struct history_entry){
		.kind = d->code == PB_OK ? HISTORY_DELIVERED : HISTORY_FAILED, .at_ms = turn_ms(r),
		.seq = slot->seq, .lane = slot->lane->number, .attempt = d->attempt, .part = d->part,
		.parts = slot_parts(slot), .settled = slot->n_done == slot_parts(slot), .code = (uint64_t)d->code,
		.id = d->code == PB_OK ? 0 : history_hash(event_id(slot->event)),
		.took_us = (uint64_t)(r->turn_began - d->batch->sent), .text = span_str(d->text != NULL ? d->text : d->brief),
		.response = span_of(d->response, d->response_len),
	});
}

void trail_filtered(struct router *r, const struct slot *slot)
{
	history_add(r->history, &(struct history_entry){
		.kind = HISTORY_FILTERED, .at_ms = turn_ms(r), .seq = slot->seq, .lane = slot->lane->number,
	});
}

void trail_filter_failed(struct router *r, const struct slot *slot)
{
	history_add(r->history, &(struct history_entry){
		.kind = HISTORY_FILTER_FAILED, .at_ms = turn_ms(r), .seq = slot->seq, .lane = slot->lane->number,
		.attempt = slot->attempts, .id = history_hash(event_id(slot->event)),
		.text = span_str(slot->text),
	});
}

void trail_dead(struct router *r, struct delivery_key key, const struct pb_event *ev, enum dead_reason reason)
{
	history_add(r->history, &(struct history_entry){
		.kind = HISTORY_DEAD, .at_ms = router_wall(r), .seq = key.seq, .lane = key.lane,
		.id = ev != NULL ? history_hash(event_id(ev)) : 0, .reason = reason,
	});
}

void trail_changed(struct router *r, struct delivery_key key, bool replayed)
{
	history_add(r->history, &(struct history_entry){
		.kind = replayed ? HISTORY_REPLAYED : HISTORY_PURGED, .at_ms = router_wall(r), .seq = key.seq,
		.lane = key.lane,
	});
}

void trail_configured(struct router *r)
{
	history_add(r->history, &(struct history_entry){
		.kind = HISTORY_CONFIGURED, .at_ms = router_wall(r),
	});
}
