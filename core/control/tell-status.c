/* tell-status.c - the verbs `status` and `ages`. */
#include <config.h>
#include <string.h>
#include <unistd.h>

#include "control/verb.h"
#include "dispatch/dispatch.h"

static json_t *journal_object(const struct journal_stat *j)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
			 "bytes", reply_count(j->bytes), "segments", reply_count(j->segments),
			 "events", reply_count(j->next_seq - j->first_seq),
			 "next", reply_count(j->next_seq),
			 "damaged_blocks", reply_count(j->damaged_blocks),
			 "damaged_bytes", reply_count(j->damaged_bytes));
}

static json_t *daemon_object(const struct status *st)
{
	int64_t up = st->taken_ms - st->started_ms;
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}",
			 "type", "daemon", "version", PACKAGE_VERSION, "pid", (int)getpid(),
			 "time", reply_date(st->taken_ms), "started", reply_date(st->started_ms),
			 "loaded", reply_date(st->loaded_ms),
			 "refused", st->refused_ms > 0 ? reply_date(st->refused_ms) : json_null(),
			 "uptime_ms", (json_int_t)(up > 0 ? up : 0),
			 "journal", journal_object(&st->journal),
			 "state_bytes", reply_count(st->state_bytes), "sink_share", reply_count(st->share),
			 "unrouted", reply_count(st->unrouted), "lost", reply_count(st->lost));
}

/* Of each worker's process; 0: it has none now. */
static json_t *pids_of(const struct instance_status *in)
{
	json_t *pids = json_array();
	for (unsigned i = 0; i < in->n_pids; i++)
		json_array_append_new(pids, json_integer(in->pids[i]));
	return pids;
}

static json_t *instance_object(const struct instance_status *in)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}",
			 "type", "instance", "kind", config_kind_name(in->kind), "name", in->name,
			 "plugin", in->plugin, "state", in->state,
			 "events", reply_count(in->events), "failures", reply_count(in->failures),
			 "in_flight", reply_count(in->in_flight),
			 "last_failure", reply_text(in->reason));
	if (in->isolated && object != NULL)
		json_object_update_new(object, json_pack("{s:o, s:o}", "pids", pids_of(in), "restarts", reply_count(in->restarts)));
	if (in->kind == CONFIG_SOURCE && object != NULL)
		json_object_set_new(object, "duplicates", reply_count(in->duplicates));
	if (in->kind == CONFIG_SINK && object != NULL)
		json_object_update_new(object, json_pack("{s:o, s:o, s:o, s:o}",
			"backlog_bytes", reply_count(in->backlog), "max_backlog", reply_count(in->max_backlog),
			"dead_bytes", reply_count(in->dead_bytes), "dead_max_size", reply_count(in->dead_max)));
	return object;
}

/* An age, or null: nothing waits. */
static json_t *age(int64_t ms)
{
	return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *lane_object(const struct lane_status *lane)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
			 "type", "lane", "route", lane->route, "sink", lane->sink,
			 "watermark", reply_count(lane->watermark),
			 "behind", reply_count(lane->behind), "waiting", reply_count(lane->waiting),
			 "stragglers", reply_count(lane->stragglers), "dead", reply_count(lane->dead),
			 "delivered", reply_count(lane->delivered),
			 "retried", reply_count(lane->retried),
			 "filtered", reply_count(lane->filtered), "oldest_ms", age(lane->oldest_ms),
			 "catching_up", (int)lane->catching_up);
}

void verb_status(struct verb_call *call)
{
	struct status st;
	int r = dispatch_status(call->env->dispatch, &st);
	if (r == 0)
		reply_line(call->out, daemon_object(&st));
	for (size_t i = 0; r == 0 && i < st.n_instances; i++)
		reply_line(call->out, instance_object(&st.instances[i]));
	for (size_t i = 0; r == 0 && i < st.n_lanes; i++)
		reply_line(call->out, lane_object(&st.lanes[i]));
	verb_done(call, r);
	status_free(&st);
}

static json_t *ages_object(const struct lane_ages *lane)
{
	json_t *limits = json_array(), *counts = json_array();
	for (unsigned i = 0; i < AGE_BUCKETS; i++) {
		json_array_append_new(counts, reply_count(lane->counts[i]));
		if (i < AGE_BUCKETS - 1)
			json_array_append_new(limits, json_integer(age_limit(i)));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b}",
			 "type", "ages", "route", lane->route, "sink", lane->sink,
			 "total", reply_count(lane->total), "oldest_ms", age(lane->oldest_ms),
			 "limits_ms", limits, "counts", counts, "estimated", (int)lane->sampled,
			 "own_time", (int)lane->own_time);
}

void verb_ages(struct verb_call *call)
{
	struct ages ages;
	int r = dispatch_ages(call->env->dispatch, &ages);
	for (size_t i = 0; r == 0 && i < ages.n; i++)
		reply_line(call->out, ages_object(&ages.lanes[i]));
	verb_done(call, r);
	ages_free(&ages);
}
