/* tell-trace.c - the verb `trace`: where an event is, and what became of it. */
#include <string.h>

#include "base/span.h"
#include "control/verb.h"
#include "dispatch/trace.h"
#include "event/event.h"

static json_t *date_or_null(int64_t ms)
{
	return ms > 0 ? reply_date(ms) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text != NULL ? reply_text(text) : json_null();
}

static const char *code_name(uint64_t code)
{
	static const char *const names[] = {
		[PB_OK] = "ok", [PB_RETRY] = "retry", [PB_REJECT] = "reject", [PB_DOWN] = "down",
		[PB_GONE] = "gone",
	};
	const char *name = code < sizeof names / sizeof *names ? names[code] : NULL;
	return name != NULL ? name : "another";
}

static const char *step_name(enum history_kind kind)
{
	static const char *const names[HISTORY_KINDS] = {
		[HISTORY_ACCEPTED] = "accepted", [HISTORY_FOUND] = "found", [HISTORY_DELIVERED] = "attempt",
		[HISTORY_FAILED] = "attempt", [HISTORY_FILTERED] = "filtered",
		[HISTORY_FILTER_FAILED] = "filter failed", [HISTORY_DEAD] = "dead",
		[HISTORY_REPLAYED] = "replayed", [HISTORY_PURGED] = "purged",
	};
	return names[kind] != NULL ? names[kind] : "";
}

static void add_span(json_t *object, const char *name, struct pb_span text)
{
	if (text.len > 0)
		json_object_set_new(object, name, reply_span(text));
}

static json_t *step_object(const struct history_entry *e)
{
	bool attempt = e->kind == HISTORY_DELIVERED || e->kind == HISTORY_FAILED;
	json_t *object = json_pack("{s:o, s:s}", "at", reply_date(e->at_ms), "what", step_name(e->kind));
	if (attempt || e->kind == HISTORY_FILTER_FAILED)
		json_object_set_new(object, "attempt", reply_count(e->attempt));
	if (attempt) {
		json_object_set_new(object, "answer", json_string(e->kind == HISTORY_DELIVERED ? "ok" :
								  code_name(e->code)));
		json_object_set_new(object, "took_us", reply_count(e->took_us));
	}
	if (attempt && e->parts > 1) {
		json_object_set_new(object, "part", reply_count(e->part + 1));
		json_object_set_new(object, "parts", reply_count(e->parts));
	}
	if (e->kind == HISTORY_DEAD)
		json_object_set_new(object, "reason", json_string(dead_reason_name((enum dead_reason)e->reason)));
	add_span(object, "text", e->text);
	add_span(object, "response", e->response);
	return object;
}

/* How what is settled ended, as the history has it. */
static const char *ending(const struct trace_event *ev, const struct trace_lane *lane)
{
	const char *end = "settled";
	for (size_t i = 0; i < lane->n_steps; i++) {
		const struct history_entry *e = &ev->steps[lane->first_step + i].entry;
		if (e->kind == HISTORY_DELIVERED && e->settled)
			end = "delivered";
		else if (e->kind == HISTORY_FILTERED || e->kind == HISTORY_PURGED)
			end = step_name(e->kind);
	}
	return end;
}

static json_t *now_object(const struct trace_event *ev, const struct trace_lane *lane)
{
	bool settled = lane->where == TRACE_SETTLED, open = !settled && lane->where != TRACE_DEAD;
	json_t *now = json_pack("{s:s}", "state", settled ? ending(ev, lane) : trace_where_name(lane->where));
	if (!settled)
		json_object_set_new(now, "attempts", reply_count(lane->attempts));
	if (open && lane->attempts_max > 0)
		json_object_set_new(now, "attempts_max", reply_count(lane->attempts_max));
	if (open && lane->held != NULL)
		json_object_set_new(now, "sink", json_string(lane->held));
	if (lane->where == TRACE_BACKLOG || lane->where == TRACE_READY)
		json_object_set_new(now, "ahead", reply_count(lane->ahead));
	if (lane->behind > 0)
		json_object_set_new(now, "behind", reply_count(lane->behind));
	if (lane->due_ms > 0)
		json_object_set_new(now, "due", reply_date(lane->due_ms));
	if (lane->where == TRACE_DEAD) {
		json_object_set_new(now, "reason", json_string(dead_reason_name(lane->reason)));
		json_object_set_new(now, "died", date_or_null(lane->dead_ms));
	}
	if (lane->error != NULL)
		json_object_set_new(now, "last_error", reply_text(lane->error));
	return now;
}

static json_t *lane_object(const struct trace_event *ev, const struct trace_lane *lane)
{
	json_t *steps = json_array();
	for (size_t i = 0; i < lane->n_steps; i++)
		json_array_append_new(steps, step_object(&ev->steps[lane->first_step + i].entry));
	return json_pack("{s:o, s:o, s:I, s:b, s:o, s:o}", "route", text_or_null(lane->route),
			 "sink", text_or_null(lane->sink), "lane", (json_int_t)lane->number,
			 "wanted", (int)lane->wanted, "now", now_object(ev, lane), "history", steps);
}

static json_t *routes_array(const struct trace_event *ev)
{
	json_t *routes = json_array();
	for (size_t i = 0; i < ev->n_routes; i++) {
		const struct trace_route *route = &ev->routes[i];
		json_array_append_new(routes, json_pack("{s:o, s:b, s:o}", "name", reply_text(route->name),
							"matches", (int)route->matches,
							"why_not", text_or_null(route->why)));
	}
	return routes;
}

/* What the event itself says, or what the history has of it. */
static void add_event(json_t *object, const struct trace_event *ev)
{
	const struct pb_event *event = ev->event;
	if (event != NULL) {
		json_object_set_new(object, "id", reply_text(event_id(event)));
		json_object_set_new(object, "bytes", reply_count(event_body(event).len));
		json_object_set_new(object, "subject", reply_text(event_subject(event)));
		json_object_set_new(object, "time", reply_date(event_time(event)));
		return;
	}
	for (size_t i = 0; i < ev->n_steps; i++)
		if (ev->steps[i].entry.kind == HISTORY_ACCEPTED && ev->steps[i].entry.type_number > 0)
			json_object_set_new(object, "bytes", reply_count(ev->steps[i].entry.bytes));
}

static json_t *event_object(const struct trace_event *ev)
{
	json_t *lanes = json_array();
	for (size_t i = 0; i < ev->n_lanes; i++)
		json_array_append_new(lanes, lane_object(ev, &ev->lanes[i]));
	json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "type", "event",
		"seq", reply_count(ev->seq), "source", text_or_null(ev->source),
		"sender", text_or_null(ev->sender),
		"event_type", text_or_null(ev->type), "accepted", date_or_null(ev->accepted_ms),
		"accepted_before", (int)ev->by_then,
		"configured", ev->reconfigured ? reply_date(ev->configured_ms) : json_null(),
		"stored", ev->event == NULL ? json_null() : json_string(ev->kept ? "kept" : "journal"),
		"routes", routes_array(ev), "lanes", lanes);
	if (object != NULL)
		add_event(object, ev);
	return object;
}

static json_t *history_object(const struct trace *t)
{
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:b}", "type", "history", "there", (int)t->has_history,
			 "error", t->history_failed < 0 ? json_string(strerror(-t->history_failed)) : json_null(),
			 "begins", date_or_null(t->history.begins_ms),
			 "missing", reply_count(t->history.lost), "unwritten", reply_count(t->unwritten),
			 "cut", (int)t->cut);
}

void verb_trace(struct verb_call *call)
{
	const char *id = json_string_value(json_object_get(call->args, "id"));
	json_int_t seq = json_integer_value(json_object_get(call->args, "seq"));
	struct trace t;
	if (id == NULL && seq <= 0) {
		reply_error(call->out, "usage", "needs an \"id\", or a \"seq\"");
		return;
	}
	int failed = dispatch_trace(call->env->dispatch, id, (uint64_t)seq, &t);
	for (size_t i = 0; i < t.n && failed == 0; i++)
		reply_line(call->out, event_object(&t.events[i]));
	if (failed == 0)
		reply_line(call->out, history_object(&t));
	verb_done(call, failed);
	trace_free(&t);
}
