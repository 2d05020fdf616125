/* verbs.c - the verbs, one entry each in the table near the end. */
#include "control/verbs.h"

#include <config.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "dispatch/dispatch.h"

#define TEXT_MAX 512

/* One request under way. */
struct call {
	const struct control_env *env;
	const json_t *args;	/* an object or NULL */
	struct buf *out;
};

struct verb {
	const char *name;
	bool changes;		/* more than it tells: who asked is logged */
	void (*run)(struct call *);
};

/* As a JSON string, cut to TEXT_MAX; bytes that are not UTF-8 become '?'. */
static json_t *text(const char *s)
{
	char clean[TEXT_MAX];
	size_t left = strnlen(s, sizeof clean), n = 0;
	while (n < left) {
		size_t len = utf8_length(s + n, left - n);
		if (len > 0)
			memcpy(clean + n, s + n, len);
		else
			clean[n] = '?';
		n += len > 0 ? len : 1;
	}
	return json_stringn(clean, n);
}

static json_t *date(int64_t wall_ms)
{
	char s[TIME_TEXT_SIZE];
	time_format(wall_ms, s);
	return json_string(s);
}

static json_t *count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static int add_text(const char *s, size_t len, void *out)
{
	return buf_add(out, s, len);
}

/* One line of the answer; takes `object` over. */
static void add_line(struct buf *out, json_t *object)
{
	bool added = object != NULL &&
		     json_dump_callback(object, add_text, out, JSON_COMPACT) == 0;
	buf_add_char(out, '\n');
	if (!added && out->failed == 0)
		out->failed = -ENOMEM;
	json_decref(object);
}

void verbs_error(struct buf *out, const char *code, const char *fmt, ...)
{
	char message[TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof message, fmt, args);
	va_end(args);
	add_line(out, json_pack("{s:o, s:s}", "error", text(message), "code", code));
}

static void add_end(struct buf *out)
{
	add_line(out, json_pack("{s:b}", "end", 1));
}

static json_t *journal_object(const struct journal_stat *j)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
			 "bytes", count(j->bytes), "segments", count(j->segments),
			 "events", count(j->next_seq - j->first_seq), "next", count(j->next_seq),
			 "damaged_blocks", count(j->damaged_blocks),
			 "damaged_bytes", count(j->damaged_bytes));
}

static json_t *daemon_object(const struct status *st)
{
	int64_t up = st->taken_ms - st->started_ms;
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:b}",
			 "type", "daemon", "version", PACKAGE_VERSION, "pid", (int)getpid(),
			 "time", date(st->taken_ms), "started", date(st->started_ms),
			 "uptime_ms", (json_int_t)(up > 0 ? up : 0),
			 "journal", journal_object(&st->journal),
			 "state_bytes", count(st->state_bytes), "unrouted", count(st->unrouted),
			 "lost", count(st->lost), "full", (int)st->full);
}

static json_t *instance_object(const struct instance_status *in)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}",
			 "type", "instance", "kind", config_kind_name(in->kind), "name", in->name,
			 "plugin", in->plugin, "state", in->state, "events", count(in->events),
			 "failures", count(in->failures), "in_flight", count(in->in_flight),
			 "last_failure", text(in->reason));
}

static json_t *lane_object(const struct lane_status *lane)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
			 "type", "lane", "route", lane->route, "sink", lane->sink,
			 "watermark", count(lane->watermark), "behind", count(lane->behind),
			 "waiting", count(lane->waiting), "stragglers", count(lane->stragglers),
			 "dead", count(lane->dead), "delivered", count(lane->delivered),
			 "retried", count(lane->retried), "filtered", count(lane->filtered),
			 "catching_up", (int)lane->catching_up);
}

static void add_status(struct buf *out, const struct status *st)
{
	add_line(out, daemon_object(st));
	for (size_t i = 0; i < st->n_instances; i++)
		add_line(out, instance_object(&st->instances[i]));
	for (size_t i = 0; i < st->n_lanes; i++)
		add_line(out, lane_object(&st->lanes[i]));
	add_end(out);
}

static void run_status(struct call *call)
{
	struct status st;
	int r = dispatch_status(call->env->dispatch, &st);
	if (r == 0)
		add_status(call->out, &st);
	else
		verbs_error(call->out, "failed", "%s",
			    r == -EAGAIN ? "the daemon is stopping" : strerror(-r));
	status_free(&st);
}

static void run_reopen(struct call *call)
{
	dispatch_reopen(call->env->dispatch);
	add_end(call->out);
}

static const struct verb verbs[] = {
	{ "reopen", true, run_reopen },
	{ "status", false, run_status },
};

static void run_verb(struct call *call, const char *name, uid_t uid)
{
	const struct verb *verb = NULL;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			verb = &verbs[i];
	if (verb == NULL) {
		verbs_error(call->out, "usage", "there is no verb %.64s", name);
		return;
	}
	if (verb->changes)
		log_info("control: user %u asks: %s", (unsigned)uid, verb->name);
	verb->run(call);
}

static void answer(const struct control_env *env, const json_t *request, uid_t uid, struct buf *out)
{
	const char *name = json_string_value(json_object_get(request, "verb"));
	struct call call = { .env = env, .args = json_object_get(request, "args"), .out = out };
	if (!json_is_object(request))
		verbs_error(out, "usage", "a request is one JSON object on one line");
	else if (name == NULL)
		verbs_error(out, "usage", "a request has a \"verb\", a string");
	else if (call.args != NULL && !json_is_object(call.args))
		verbs_error(out, "usage", "\"args\" is an object");
	else
		run_verb(&call, name, uid);
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
		verbs_error(out, "failed", "the answer is larger than the daemon gives");
	}
}
