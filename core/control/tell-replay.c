/* tell-replay.c - kept events delivered again: a page a request, which says where the next begins. */
#include <errno.h>

#include "base/log.h"
#include "control/verb.h"
#include "dispatch/replay.h"

static const char *string_of(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

static int64_t number_of(const json_t *args, const char *name)
{
	return json_integer_value(json_object_get(args, name));
}

static void page_end(struct verb_call *call, const struct replay_page *page)
{
	reply_line(call->out, json_pack("{s:s, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o}",
		"type", "page", "more", (int)page->more, "full", (int)page->full,
		"at", (json_int_t)page->at, "end", (json_int_t)page->end,
		"oldest", page->oldest_ms > 0 ? reply_date(page->oldest_ms) : json_null(),
		"found", reply_count(page->found), "done", reply_count(page->done),
		"under_way", reply_count(page->under_way), "rows", reply_count(page->rows)));
	reply_end(call->out);
}

static void say_none(struct verb_call *call, const struct replay_filter *f, int failed)
{
	if (failed == -ENOENT)
		verb_no_sink(call, f->sink);
	else if (failed == -ESRCH && f->route != NULL)
		reply_error(call->out, "failed", "no route %.64s leads to sink %.64s", f->route, f->sink);
	else if (failed == -ESRCH)
		reply_error(call->out, "failed", "no route leads to sink %.64s", f->sink);
	else
		verb_done(call, failed);
}

void verb_replay(struct verb_call *call)
{
	const json_t *args = call->args;
	int64_t at = number_of(args, "at");
	struct replay_filter filter = {
		.sink = string_of(args, "to"), .route = string_of(args, "route"), .type = string_of(args, "type"),
		.id = string_of(args, "id"), .since_ms = number_of(args, "since"),
		.until_ms = number_of(args, "until"), .dry = json_is_true(json_object_get(args, "dry_run")),
	};
	struct replay_page page = { .at = at > 0 ? (uint64_t)at : 0 };
	if (filter.sink == NULL) {
		reply_error(call->out, "usage", "`to`, a sink, is missing");
		return;
	}
	if (!filter.dry && page.at == 0)
		log_info("control: user %u asks: events replayed to sink %.64s", (unsigned)call->uid, filter.sink);
	int failed = dispatch_replay(call->env->dispatch, &filter, &page);
	if (failed < 0)
		say_none(call, &filter, failed);
	else
		page_end(call, &page);
}
