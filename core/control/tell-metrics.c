/*
 * tell-metrics.c - the verb `metrics`: everything that is counted.
 *
 * Most of it is the tables of plain members below; what has labels of its own comes after them.
 */
#include <config.h>
#include <stdio.h>
#include <string.h>

#include "control/sheet.h"
#include "control/verb.h"
#include "dispatch/dispatch.h"

#define US 1e6		/* in a second */

/* A member of a status that is served as it is. */
struct plain {
	const char *name, *kind, *help;
	size_t offset, size;
};

#define PLAIN(type, member, name, kind, help) \
	{ name, kind, help, offsetof(struct type, member), sizeof(((struct type *)0)->member) }

static const struct plain daemon_plain[] = {
	PLAIN(status, journal.bytes, "patchbay_journal_bytes", "gauge",
	      "Size of the journal on disk."),
	PLAIN(status, journal.segments, "patchbay_journal_segments", "gauge",
	      "Files that the journal consists of."),
	PLAIN(status, journal.damaged_blocks, "patchbay_journal_damaged_blocks_total", "counter",
	      "Blocks of the journal found damaged and set aside."),
	PLAIN(status, journal.damaged_bytes, "patchbay_journal_damaged_bytes_total", "counter",
	      "Bytes of the journal found damaged and set aside."),
	PLAIN(status, state_bytes, "patchbay_state_bytes", "gauge",
	      "Size of the state: progress, stragglers, dead letters, events kept for them."),
	PLAIN(status, state_damaged, "patchbay_state_damaged_rows_total", "counter",
	      "Rows of the state found damaged, each time they were met."),
	PLAIN(status, max_size, "patchbay_store_limit_bytes", "gauge",
	      "What journal and state together may have: max_size."),
	PLAIN(status, share, "patchbay_store_share_bytes", "gauge",
	      "What a sink that sets no quota may have now, beside the journal, of what waits and of dead letters each."),
	PLAIN(status, saves, "patchbay_state_saves_total", "counter", "Times the state was saved."),
	PLAIN(status, history.bytes, "patchbay_history_bytes", "gauge",
	      "Size of the history, which `patchbay trace` shows."),
	PLAIN(status, history.lost, "patchbay_history_lost_total", "counter",
	      "Entries of the history that its disk did not take; nothing else is missing."),
	PLAIN(status, inbox_bytes, "patchbay_router_inbox_bytes", "gauge",
	      "Committed events in memory that the router has not taken up yet."),
};

static const struct plain source_plain[] = {
	PLAIN(instance_status, events, "patchbay_source_accepted_total", "counter",
	      "Events of the source that were stored."),
	PLAIN(instance_status, failures, "patchbay_source_refused_total", "counter",
	      "Events of the source that were not stored: the sender was told to come back."),
	PLAIN(instance_status, duplicates, "patchbay_source_duplicates_total", "counter",
	      "Events of the source that were known already (dedupe), and so not stored again."),
	PLAIN(instance_status, keys, "patchbay_source_keys", "gauge",
	      "Ids and keys of the source's events that are remembered (dedupe)."),
	PLAIN(instance_status, forgotten, "patchbay_source_keys_forgotten_total", "counter",
	      "Ids and keys forgotten before their time, since there were dedupe_max."),
};

static const struct plain filter_plain[] = {
	PLAIN(instance_status, events, "patchbay_filter_taken_total", "counter",
	      "Events that the filter was given."),
	PLAIN(instance_status, passed, "patchbay_filter_passed_total", "counter",
	      "Events that the filter made or passed on."),
	PLAIN(instance_status, failures, "patchbay_filter_failures_total", "counter",
	      "Times the filter failed."),
	PLAIN(instance_status, waiting, "patchbay_filter_waiting", "gauge",
	      "Events that wait for the filter."),
};

static const struct plain sink_plain[] = {
	PLAIN(instance_status, events, "patchbay_sink_delivered_total", "counter",
	      "Deliveries that the sink said yes to."),
	PLAIN(instance_status, failures, "patchbay_sink_failures_total", "counter",
	      "Attempts that failed."),
	PLAIN(instance_status, in_flight, "patchbay_sink_in_flight", "gauge",
	      "Deliveries that are with the sink and not answered yet."),
	PLAIN(instance_status, backlog, "patchbay_sink_backlog_bytes", "gauge",
	      "What waits for the sink takes on disk."),
	PLAIN(instance_status, max_backlog, "patchbay_sink_backlog_limit_bytes", "gauge",
	      "What it may take: max_backlog."),
	PLAIN(instance_status, dead_bytes, "patchbay_sink_dead_letter_bytes", "gauge",
	      "What the sink's dead letters take on disk."),
	PLAIN(instance_status, dead_max, "patchbay_sink_dead_letter_limit_bytes", "gauge",
	      "What they may take: dead_max_size."),
	PLAIN(instance_status, opened, "patchbay_sink_breaker_opened_total", "counter",
	      "Times the sink was held because it failed or was down."),
};

static const struct plain lane_plain[] = {
	PLAIN(lane_status, behind, "patchbay_lane_behind", "gauge",
	      "Events stored that the lane has not passed yet, wanted by it or not."),
	PLAIN(lane_status, waiting, "patchbay_lane_waiting", "gauge",
	      "Deliveries in the lane's window in memory."),
	PLAIN(lane_status, stragglers, "patchbay_lane_stragglers", "gauge",
	      "Deliveries that failed and wait for their next attempt."),
	PLAIN(lane_status, dead, "patchbay_lane_dead_letters", "gauge",
	      "Dead letters that are kept."),
	PLAIN(lane_status, purged, "patchbay_lane_dead_purged_total", "counter",
	      "Dead letters given up: by hand, too old, or too many."),
	PLAIN(lane_status, replayed, "patchbay_lane_dead_replayed_total", "counter",
	      "Dead letters that were made stragglers again."),
	PLAIN(lane_status, resent, "patchbay_lane_replayed_total", "counter",
	      "Kept events that `patchbay replay` made stragglers of."),
	PLAIN(lane_status, catching_up, "patchbay_lane_catching_up", "gauge",
	      "1 while the lane reads what it takes from the journal."),
	PLAIN(lane_status, delivered, "patchbay_lane_delivered_total", "counter",
	      "Deliveries of the lane that were answered with a yes."),
	PLAIN(lane_status, retried, "patchbay_lane_retried_total", "counter",
	      "Failed attempts of the lane after which another was planned."),
	PLAIN(lane_status, filtered, "patchbay_lane_filtered_total", "counter",
	      "Events of the lane that a filter dropped."),
};

static uint64_t value_of(const struct plain *p, const void *from)
{
	const char *at = (const char *)from + p->offset;
	uint64_t wide;
	uint32_t narrow;
	if (p->size == sizeof wide) {
		memcpy(&wide, at, sizeof wide);
		return wide;
	}
	if (p->size == sizeof(bool))
		return *(const bool *)at;
	memcpy(&narrow, at, sizeof narrow);
	return narrow;
}

static json_t *lane_labels(const struct lane_status *lane)
{
	return sheet_labels("route", lane->route, "sink", lane->sink);
}

static void tell_instances(struct buf *out, const struct status *st, enum config_kind kind,
			   const struct plain *p, size_t n)
{
	for (; n > 0; n--, p++) {
		sheet_head(out, p->name, p->kind, p->help);
		for (size_t i = 0; i < st->n_instances; i++)
			if (st->instances[i].kind == kind)
				sheet_count(out, sheet_label(config_kind_name(kind), st->instances[i].name),
					    value_of(p, &st->instances[i]));
	}
}

#define N(table) (sizeof(table) / sizeof *(table))

static void tell_config(struct buf *out, const struct status *st)
{
	sheet_head(out, "patchbay_config_last_reload_successful", "gauge",
		   "1 unless the last reload was refused, and an older configuration stays.");
	sheet_count(out, NULL, st->refused_ms == 0);
	sheet_head(out, "patchbay_config_last_reload_success_timestamp_seconds", "gauge",
		   "When the present configuration was taken.");
	sheet_real(out, NULL, (double)st->loaded_ms / 1000);
}

static void tell_plain(struct buf *out, const struct status *st)
{
	for (size_t i = 0; i < N(daemon_plain); i++) {
		sheet_head(out, daemon_plain[i].name, daemon_plain[i].kind, daemon_plain[i].help);
		sheet_count(out, NULL, value_of(&daemon_plain[i], st));
	}
	tell_instances(out, st, CONFIG_SOURCE, source_plain, N(source_plain));
	tell_instances(out, st, CONFIG_FILTER, filter_plain, N(filter_plain));
	tell_instances(out, st, CONFIG_SINK, sink_plain, N(sink_plain));
	for (size_t i = 0; i < N(lane_plain); i++) {
		sheet_head(out, lane_plain[i].name, lane_plain[i].kind, lane_plain[i].help);
		for (size_t k = 0; k < st->n_lanes; k++)
			sheet_count(out, lane_labels(&st->lanes[k]),
				    value_of(&lane_plain[i], &st->lanes[k]));
	}
}

static void tell_daemon(struct buf *out, const struct status *st)
{
	sheet_head(out, "patchbay_build_info", "gauge", "1, with the version as a label.");
	sheet_count(out, sheet_label("version", PACKAGE_VERSION), 1);
	sheet_head(out, "patchbay_start_time_seconds", "gauge", "When the daemon was started, since 1970.");
	sheet_real(out, NULL, (double)st->started_ms / 1000);
	sheet_head(out, "patchbay_journal_events", "gauge", "Events that are in the journal.");
	sheet_count(out, NULL, st->journal.next_seq - st->journal.first_seq);
	sheet_head_histogram(out, "patchbay_commit_seconds", "Time to append a block and sync it.",
			     COMMIT_SECONDS, US);
	sheet_histogram(out, NULL, COMMIT_SECONDS, US, &st->commit_seconds);
	sheet_head_histogram(out, "patchbay_commit_bytes", "Bytes of a block.", COMMIT_BYTES, 1);
	sheet_histogram(out, NULL, COMMIT_BYTES, 1, &st->commit_bytes);
	sheet_head_histogram(out, "patchbay_commit_events", "Events of a block.", COMMIT_EVENTS, 1);
	sheet_histogram(out, NULL, COMMIT_EVENTS, 1, &st->commit_events);
}

/* Each event or delivery that will go nowhere, under the one reason why. */
static void tell_discards(struct buf *out, const struct status *st)
{
	uint64_t died[DEAD_REASONS], filtered = st->gone.filtered, refused = st->gone_refused;
	memcpy(died, st->gone.died, sizeof died);
	for (size_t i = 0; i < st->n_lanes; i++) {
		filtered += st->lanes[i].filtered;
		for (unsigned k = 0; k < DEAD_REASONS; k++)
			died[k] += st->lanes[i].died[k];
	}
	for (size_t i = 0; i < st->n_instances; i++)
		refused += st->instances[i].kind == CONFIG_SOURCE ? st->instances[i].failures : 0;
	sheet_head(out, "patchbay_discarded_total", "counter",
		   "Events refused or unrouted and deliveries not made, by reason: what is dead can be "
		   "replayed, what was lost was neither in the journal nor kept, what was untold was "
		   "about patchbay itself.");
	for (unsigned i = DEAD_REJECTED; i < DEAD_REASONS; i++)
		sheet_count(out, sheet_label("reason", dead_reason_name(i)), died[i]);
	sheet_count(out, sheet_label("reason", "filtered"), filtered);
	sheet_count(out, sheet_label("reason", "lost"), st->lost);
	sheet_count(out, sheet_label("reason", "refused"), refused);
	sheet_count(out, sheet_label("reason", "unrouted"), st->unrouted);
	sheet_count(out, sheet_label("reason", "untold"), st->untold);
}

static void tell_lanes(struct buf *out, const struct status *st)
{
	sheet_head(out, "patchbay_lane_died_total", "counter", "Deliveries that became dead letters, by reason.");
	for (size_t i = 0; i < st->n_lanes; i++)
		for (unsigned k = DEAD_REJECTED; k < DEAD_REASONS; k++) {
			const struct lane_status *lane = &st->lanes[i];
			json_t *labels = lane_labels(lane);
			json_object_set_new(labels, "reason", json_string(dead_reason_name(k)));
			sheet_count(out, labels, lane->died[k]);
		}
	sheet_head(out, "patchbay_lane_oldest_age_seconds", "gauge",
		   "Time since the acceptance of the oldest delivery that is not settled; 0 when none waits.");
	for (size_t i = 0; i < st->n_lanes; i++) {
		int64_t age = st->lanes[i].oldest_ms;
		sheet_real(out, lane_labels(&st->lanes[i]), age < 0 ? 0 : (double)age / 1000);
	}
}

static void tell_states(struct buf *out, const struct status *st)
{
	static const char *const states[] = {
		"running", "down", "probing", "disabled", "draining", "drained",
	};
	sheet_head(out, "patchbay_source_running", "gauge", "1 while the source's thread runs.");
	for (size_t i = 0; i < st->n_instances; i++)
		if (st->instances[i].kind == CONFIG_SOURCE)
			sheet_count(out, sheet_label("source", st->instances[i].name),
				    strcmp(st->instances[i].state, "running") == 0);
	sheet_head(out, "patchbay_sink_state", "gauge", "1 for the state that the sink is in.");
	for (size_t i = 0; i < st->n_instances; i++)
		for (size_t k = 0; k < N(states) && st->instances[i].kind == CONFIG_SINK; k++)
			sheet_count(out, sheet_labels("sink", st->instances[i].name, "state", states[k]),
				    strcmp(st->instances[i].state, states[k]) == 0);
}

static json_t *process_labels(const struct instance_status *in)
{
	return sheet_labels("kind", config_kind_name(in->kind), "instance", in->name);
}

static void tell_processes(struct buf *out, const struct status *st)
{
	sheet_head(out, "patchbay_isolated_restarts_total", "counter",
		   "Times that processes of a section with isolate = process ended by themselves.");
	for (size_t i = 0; i < st->n_instances; i++)
		if (st->instances[i].isolated)
			sheet_count(out, process_labels(&st->instances[i]), st->instances[i].restarts);
	sheet_head(out, "patchbay_isolated_pid", "gauge",
		   "The process of each worker of such a section; 0 while it has none.");
	for (size_t i = 0; i < st->n_instances; i++)
		for (unsigned k = 0; k < st->instances[i].n_pids; k++) {
			char worker[16];
			json_t *labels = process_labels(&st->instances[i]);
			snprintf(worker, sizeof worker, "%u", k);
			json_object_set_new(labels, "worker", json_string(worker));
			sheet_count(out, labels, (uint64_t)st->instances[i].pids[k]);
		}
}

static void tell_sinks(struct buf *out, const struct status *st)
{
	static const char *const answers[] = {
		[PB_UNTRIED] = "untried", [PB_OK] = "ok", [PB_RETRY] = "retry", [PB_REJECT] = "reject",
		[PB_DOWN] = "down", [PB_GONE] = "gone",
	};
	sheet_head(out, "patchbay_sink_answers_total", "counter", "Deliveries handed to the sink, by its answer.");
	for (size_t i = 0; i < st->n_instances; i++)
		for (size_t k = 0; k < N(answers) && st->instances[i].kind == CONFIG_SINK; k++)
			sheet_count(out, sheet_labels("sink", st->instances[i].name, "answer", answers[k]),
				    st->instances[i].answers[k]);
	sheet_head_histogram(out, "patchbay_sink_delivery_seconds",
			     "Time from an event's acceptance to the sink's yes, over all attempts.",
			     SINK_SECONDS, US);
	for (size_t i = 0; i < st->n_instances; i++)
		if (st->instances[i].kind == CONFIG_SINK)
			sheet_histogram(out, sheet_label("sink", st->instances[i].name), SINK_SECONDS,
					US, &st->instances[i].latency);
	sheet_head_histogram(out, "patchbay_sink_attempt_seconds",
			     "Time from handing a delivery over to the sink's answer, whatever it was.",
			     SINK_SECONDS, US);
	for (size_t i = 0; i < st->n_instances; i++)
		if (st->instances[i].kind == CONFIG_SINK)
			sheet_histogram(out, sheet_label("sink", st->instances[i].name), SINK_SECONDS,
					US, &st->instances[i].attempts);
}

void verb_metrics(struct verb_call *call)
{
	struct status st;
	int r = dispatch_status(call->env->dispatch, &st);
	if (r == 0) {
		tell_daemon(call->out, &st);
		tell_discards(call->out, &st);
		tell_plain(call->out, &st);
		tell_config(call->out, &st);
		tell_states(call->out, &st);
		tell_sinks(call->out, &st);
		tell_processes(call->out, &st);
		tell_lanes(call->out, &st);
		sheet_plugins(call->out, dispatch_metrics(call->env->dispatch));
	}
	verb_done(call, r);
	status_free(&st);
}
