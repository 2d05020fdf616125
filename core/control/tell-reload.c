/* tell-reload.c - the verbs `reload` and `reload-result`. */
#include <errno.h>

#include "control/reloads.h"
#include "control/verb.h"

void verb_reload(struct verb_call *call)
{
	if (call->env->reloads == NULL) {
		reply_error(call->out, "failed", "this daemon does not reload");
		return;
	}
	uint64_t number = reloads_ask(call->env->reloads);
	reply_line(call->out, json_pack("{s:s, s:o}", "type", "reload", "number", reply_count(number)));
	reply_end(call->out);
}

void verb_reload_result(struct verb_call *call)
{
	json_int_t number = json_integer_value(json_object_get(call->args, "number"));
	bool right, done;
	if (call->env->reloads == NULL || number <= 0) {
		reply_error(call->out, "usage", "\"number\" is that of a reload");
		return;
	}
	done = reloads_result(call->env->reloads, (uint64_t)number, &right, call->out);
	reply_line(call->out, json_pack("{s:s, s:I, s:b, s:b}", "type", "reload", "number", number, "done", (int)done,
				       "right", (int)(done && right)));
	reply_end(call->out);
}
