/* verbs.c - a request to its verb: the table, and what all of them share. */
#include "control/verbs.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "control/verb.h"
#include "dispatch/dispatch.h"

struct verb {
	const char *name;
	bool changes;		/* more than it tells: who asked is logged */
	void (*run)(struct verb_call *);
};

void verb_done(struct verb_call *call, int result)
{
	if (result == 0)
		reply_end(call->out);
	else
		reply_error(call->out, "failed", "%s", result == -EAGAIN ?
			    "the daemon is stopping" : strerror(-result));
}

static void run_reopen(struct verb_call *call)
{
	dispatch_reopen(call->env->dispatch);
	reply_end(call->out);
}

static const struct verb verbs[] = {
	{ "ages", false, verb_ages },
	{ "dead", false, verb_dead },
	{ "dead-purge", false, verb_dead_purge },
	{ "dead-replay", false, verb_dead_replay },
	{ "metrics", false, verb_metrics },
	{ "reload", true, verb_reload },
	{ "reload-result", false, verb_reload_result },
	{ "reopen", true, run_reopen },
	{ "replay", false, verb_replay },
	{ "sink-retry", false, verb_sink_retry },
	{ "sink-set", false, verb_sink_set },
	{ "sinks", false, verb_sinks },
	{ "status", false, verb_status },
	{ "trace", false, verb_trace },
};

static void run_verb(struct verb_call *call, const char *name)
{
	const struct verb *verb = NULL;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			verb = &verbs[i];
	if (verb == NULL) {
		reply_error(call->out, "usage", "there is no verb %.64s", name);
		return;
	}
	if (verb->changes)
		log_info("control: user %u asks: %s", (unsigned)call->uid, verb->name);
	dispatch_read_begin(call->env->dispatch);
	verb->run(call);
	dispatch_read_end(call->env->dispatch);
}

static void answer(const struct control_env *env, const json_t *request, uid_t uid, struct buf *out)
{
	const char *name = json_string_value(json_object_get(request, "verb"));
	struct verb_call call = {
		.env = env, .uid = uid, .args = json_object_get(request, "args"), .out = out,
	};
	if (!json_is_object(request))
		reply_error(out, "usage", "a request is one JSON object on one line");
	else if (name == NULL)
		reply_error(out, "usage", "a request has a \"verb\", a string");
	else if (call.args != NULL && !json_is_object(call.args))
		reply_error(out, "usage", "\"args\" is an object");
	else
		run_verb(&call, name);
}

void verbs_answer(const struct control_env *env, struct pb_span request, uid_t uid, struct buf *out)
{
	size_t before = out->len;
	json_t *parsed = json_loadb(request.data, request.len, JSON_REJECT_DUPLICATES, NULL);
	answer(env, parsed, uid, out);
	json_decref(parsed);
	if (out->failed == -EMSGSIZE) {
		out->failed = 0;
		out->len = before;
		reply_error(out, "failed", "the answer is larger than the daemon gives");
	}
}
