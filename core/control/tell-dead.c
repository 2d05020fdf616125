/* tell-dead.c - dead letters listed, replayed, purged: a page a request, which says where the next begins. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/span.h"
#include "control/verb.h"
#include "dispatch/ask.h"
#include "event/attributes.h"
#include "event/base64.h"
#include "event/event.h"

/* A page under way. */
struct page {
	struct verb_call *call;
	struct dead_filter filter;
	struct delivery_key at;
	size_t most;
	bool whole;			/* with response and event */
	struct delivery_key keys[DEAD_CHANGE_MAX];
	size_t n;
	struct dead_change change;
	char removed[256];		/* a lane that is not configured */
};

static const char *string_of(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

static int64_t number_of(const json_t *args, const char *name)
{
	return json_integer_value(json_object_get(args, name));
}

/* Read the arguments. False after the error was said. */
static bool page_begin(struct page *p, struct verb_call *call)
{
	const json_t *args = call->args, *at = json_object_get(args, "at");
	const char *reason = string_of(args, "reason");
	int64_t most = number_of(args, "most"), lane = number_of(at, "lane");
	*p = (struct page){
		.call = call, .most = most > 0 && most < DEAD_CHANGE_MAX ? (size_t)most : DEAD_CHANGE_MAX,
		.whole = json_is_true(json_object_get(args, "whole")),
		.filter = {
			.sink = string_of(args, "sink"), .route = string_of(args, "route"),
			.type = string_of(args, "type"), .id = string_of(args, "id"),
			.reason = reason != NULL ? dead_reason_find(reason) : 0,
			.since_ms = number_of(args, "since"), .until_ms = number_of(args, "until"),
		},
		.at = { lane > 0 && lane <= UINT32_MAX ? (uint32_t)lane : 0, (uint64_t)number_of(at, "seq") },
	};
	if (reason != NULL && p->filter.reason == 0)
		reply_error(call->out, "usage", "there is no reason %.64s: rejected, exhausted, expired, "
			    "overflow, filter, removed", reason);
	return reason == NULL || p->filter.reason != 0;
}

/* Its attributes and body as CloudEvents JSON does it, the body always in base64: byte for byte. */
static json_t *event_object(const struct pb_event *ev)
{
	static const char *const known[] = { "id", "source", "type", "subject", "datacontenttype" };
	json_t *object = json_pack("{s:s, s:o}", "specversion", "1.0", "time", reply_date(event_time(ev)));
	const char *name, *value;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if ((value = event_attr(ev, known[i])) != NULL && *value != '\0')
			json_object_set_new(object, known[i], json_string(value));
	for (size_t i = 0; event_attr_at(ev, i, &name, &value); i++)
		json_object_set_new(object, name, json_string(value));
	struct buf body = BUF_INIT(BUF_MAX);
	if (base64_encode(&body, event_body(ev)) == 0)
		json_object_set_new(object, "data_base64", json_stringn(body.data, body.len));
	buf_free(&body);
	return object;
}

static json_t *letter_object(const struct page *p, const struct dead_letter *letter)
{
	const struct dead_row *row = &letter->row;
	const struct pb_event *ev = letter->event;
	json_t *object = json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:s, s:I, s:o, s:o, s:o}",
		"type", "dead", "route", reply_text(letter->route), "sink", reply_text(letter->sink),
		"configured", (int)letter->configured, "seq", reply_count(letter->key.seq),
		"id", ev != NULL ? reply_text(event_id(ev)) : json_null(),
		"event_type", ev != NULL ? reply_text(event_type(ev)) : json_null(),
		"reason", dead_reason_name(row->reason), "attempts", (json_int_t)row->attempts,
		"first_failure", row->first_ms > 0 ? reply_date(row->first_ms) : json_null(),
		"died", reply_date(row->dead_ms), "last_error", reply_span(row->error));
	if (p->whole && object != NULL) {
		json_object_set_new(object, "response", reply_span(row->response));
		json_object_set_new(object, "event", ev != NULL ? event_object(ev) : json_null());
	}
	return object;
}

static void list_letter(void *arg, const struct dead_letter *letter)
{
	struct page *p = arg;
	p->n++;
	reply_line(p->call->out, letter_object(p, letter));
}

static void take_letter(void *arg, const struct dead_letter *letter)
{
	struct page *p = arg;
	p->keys[p->n++] = letter->key;
	if (!letter->configured && p->removed[0] == '\0')
		snprintf(p->removed, sizeof p->removed, "%s -> %s", letter->route, letter->sink);
}

/* False after the error was said. */
static bool page_found(const struct page *p, int result)
{
	const struct dead_filter *f = &p->filter;
	if (result == -ENOENT)
		reply_error(p->call->out, "failed", "no route%s%.64s leads to a sink%s%.64s, or ever did",
			    f->route != NULL ? " " : "", f->route != NULL ? f->route : "",
			    f->sink != NULL ? " " : "", f->sink != NULL ? f->sink : "");
	else if (result < 0)
		verb_done(p->call, result);
	return result >= 0;
}

static void page_end(const struct page *p, bool more)
{
	json_t *at = json_pack("{s:I, s:I}", "lane", (json_int_t)p->at.lane, "seq", (json_int_t)p->at.seq);
	reply_line(p->call->out,
		  json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "type", "page",
			    "more", (int)more, "at", at, "found", reply_count(p->n),
			    "done", reply_count(p->change.done), "removed", reply_count(p->change.removed),
			    "waiting", reply_count(p->change.waiting), "full", (int)p->change.full,
			    "removed_lane", reply_text(p->removed)));
	reply_end(p->call->out);
}

void verb_dead(struct verb_call *call)
{
	struct page p;
	if (!page_begin(&p, call))
		return;
	p.filter.events = true;
	if (p.whole)
		p.most = 1;	/* an event may be large */
	int found = dispatch_dead_find(call->env->dispatch, &p.filter, &p.at, p.most, list_letter, &p);
	if (page_found(&p, found))
		page_end(&p, found > 0);
}

static void change(struct verb_call *call, bool replay)
{
	struct page p;
	bool dry = json_is_true(json_object_get(call->args, "dry_run"));
	if (!page_begin(&p, call))
		return;
	if (!dry && p.at.lane == 0)
		log_info("control: user %u asks: dead letters %s", (unsigned)call->uid,
			 replay ? "replayed" : "purged");
	int found = dispatch_dead_find(call->env->dispatch, &p.filter, &p.at, p.most, take_letter, &p);
	if (!page_found(&p, found))
		return;
	p.change = (struct dead_change){ .replay = replay, .keys = p.keys, .n = p.n };
	int failed = dry || p.n == 0 ? 0 : dispatch_dead_change(call->env->dispatch, &p.change);
	if (failed < 0)
		verb_done(call, failed);
	else
		page_end(&p, found > 0);
}

void verb_dead_purge(struct verb_call *call)
{
	change(call, false);
}

void verb_dead_replay(struct verb_call *call)
{
	change(call, true);
}
