/* tell-sinks.c - sinks listed, disabled, enabled, drained. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/suggest.h"
#include "control/verb.h"
#include "dispatch/ask.h"

static json_t *sink_object(const struct sink_status *st)
{
	json_t *since = st->since_ms > 0 ? reply_date(st->since_ms) : json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "type", "sink", "name", st->name, "plugin", st->plugin,
			 "mode", sink_mode_name(st->mode), "state", st->state, "since", since,
			 "why", reply_text(st->why), "last_failure", reply_text(st->failure),
			 "failing_ms", reply_count((uint64_t)st->failing_ms),
			 "behind", reply_count(st->behind), "stragglers", reply_count(st->stragglers),
			 "dead", reply_count(st->dead), "purged", reply_count(st->purged),
			 "in_flight", reply_count(st->in_flight));
}

void verb_sinks(struct verb_call *call)
{
	struct sink_status *list;
	size_t n;
	int failed = dispatch_sinks(call->env->dispatch, &list, &n);
	for (size_t i = 0; failed == 0 && i < n; i++)
		reply_line(call->out, sink_object(&list[i]));
	verb_done(call, failed);
	free(list);
}

/* The mode of that name, -1: there is none. */
static int find_mode(const char *name)
{
	for (int mode = SINK_ENABLED; mode <= SINK_DRAINING; mode++)
		if (strcmp(sink_mode_name((enum sink_mode)mode), name) == 0)
			return mode;
	return -1;
}

void verb_no_sink(struct verb_call *call, const char *name)
{
	struct sink_status *list = NULL;
	struct suggest near;
	char hint[SUGGEST_TEXT_SIZE];
	size_t n = 0;
	suggest_begin(&near, name);
	if (dispatch_sinks(call->env->dispatch, &list, &n) == 0)
		for (size_t i = 0; i < n; i++)
			suggest_offer(&near, list[i].name);
	reply_error(call->out, "failed", "there is no sink %.64s%s", name, suggest_text(&near, hint));
	free(list);
}

static const char *argument(const struct verb_call *call, const char *name)
{
	const char *s = json_string_value(json_object_get(call->args, name));
	return s == NULL ? "" : s;
}

/* A reason is one line: it is shown, and logged. */
static void reason_of(const struct verb_call *call, char *why, size_t size)
{
	const char *given = argument(call, "reason");
	if (*given == '\0')
		snprintf(why, size, "by user %u", (unsigned)call->uid);
	else
		snprintf(why, size, "%s", given);
	for (char *s = why; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
}

void verb_sink_set(struct verb_call *call)
{
	const char *name = argument(call, "name");
	int mode = find_mode(argument(call, "mode"));
	char why[sizeof ((struct sink_status *)0)->why];
	if (mode < 0) {
		reply_error(call->out, "usage", "\"mode\" is enabled, disabled or draining");
		return;
	}
	log_info("control: user %u asks: sink %.64s to be %s", (unsigned)call->uid, name,
		 sink_mode_name((enum sink_mode)mode));
	reason_of(call, why, sizeof why);
	int result = dispatch_sink_set(call->env->dispatch, name, (enum sink_mode)mode,
				       mode == SINK_ENABLED ? "" : why);
	if (result == 0 || result == -EALREADY) {
		reply_line(call->out, json_pack("{s:s, s:s, s:s, s:b}", "type", "sink-set", "name", name,
					       "mode", sink_mode_name((enum sink_mode)mode),
					       "changed", result == 0));
		reply_end(call->out);
	} else if (result == -ENOENT) {
		verb_no_sink(call, name);
	} else {
		verb_done(call, result);
	}
}

void verb_sink_retry(struct verb_call *call)
{
	const char *name = argument(call, "name");
	struct sink_retried did;
	log_info("control: user %u asks: sink %.64s to be tried now", (unsigned)call->uid, name);
	int result = dispatch_sink_retry(call->env->dispatch, name, &did);
	if (result == 0) {
		reply_line(call->out, json_pack("{s:s, s:s, s:o, s:b}", "type", "sink-retry", "name", name,
					       "waiting", reply_count(did.waiting), "probe", (int)did.probe));
		reply_end(call->out);
	} else if (result == -ENOENT) {
		verb_no_sink(call, name);
	} else if (result == -ESHUTDOWN) {
		reply_error(call->out, "failed", "sink %.64s is disabled: patchbay sink enable %.64s", name, name);
	} else {
		verb_done(call, result);
	}
}
