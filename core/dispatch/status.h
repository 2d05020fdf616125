/*
 * status.h - what the engine knows of itself: its instances, its lanes, their backlog by age.
 *
 * All of it is a copy, taken on the router's thread in short calls, so that whoever asks holds
 * nothing up. Names are the configuration's. Counters count since the start.
 */
#ifndef DISPATCH_STATUS_H
#define DISPATCH_STATUS_H

#include "base/histogram.h"
#include "config/config.h"
#include "dispatch/counts.h"
#include "state/history.h"
#include "journal/journal.h"
#include "state/rows.h"

struct dispatch;

#define SINK_SECONDS ((struct histogram_scale){ 8, HISTOGRAM_LIMITS })	/* µs: 256 µs to 2.4 h */
#define COMMIT_SECONDS ((struct histogram_scale){ 5, 20 })	/* µs: 32 µs to 17 s */
#define COMMIT_BYTES ((struct histogram_scale){ 8, 20 })	/* 256 B to 128 MiB */
#define COMMIT_EVENTS ((struct histogram_scale){ 0, 16 })	/* 1 to 32768 */

struct lane_status {
	const char *route, *sink;
	uint32_t number;	/* names table */
	uint64_t watermark;	/* all events before it are settled */
	uint64_t behind;	/* events stored that the lane has not passed yet */
	uint64_t waiting;	/* of them in memory: queued, in flight, or waiting in place */
	uint64_t stragglers, dead;
	uint64_t purged, replayed;	/* dead letters, since the start */
	uint64_t resent;		/* kept events that were replayed, likewise */
	uint64_t delivered, retried, filtered;
	uint64_t died[DEAD_REASONS];
	int64_t oldest_ms;	/* age of what was accepted first and is not settled; -1: nothing waits */
	bool catching_up;
};

#define STATUS_PIDS_MAX 64	/* workers */

struct instance_status {
	enum config_kind kind;
	const char *name, *plugin;
	const char *state;	/* "running", "stopped", "down", "probing", "disabled", "draining", "drained" */
	uint64_t events;	/* accepted, taken, or delivered */
	uint64_t failures;	/* refused, failed, or not delivered */
	uint64_t in_flight;
	uint64_t duplicates, keys, forgotten;	/* sources: repeats that were not stored; keys remembered; forgotten for want of room */
	bool isolated;
	int pids[STATUS_PIDS_MAX];	/* isolated: of each worker's process, 0: it has none now */
	unsigned n_pids;
	uint64_t restarts;	/* of these processes */
	char reason[256];	/* the last failure, or why the sink is not enabled; "" */
	uint64_t waiting, passed;	/* filters: jobs in the queue; events made */
	/* Sinks. */
	uint64_t backlog, max_backlog;	/* bytes on disk of what waits, and what that may be */
	uint64_t dead_bytes, dead_max;	/* likewise of its dead letters */
	uint64_t answers[PB_GONE + 1];	/* by code */
	uint64_t opened;	/* times the breaker opened */
	struct histogram_counts latency, attempts;	/* SINK_SECONDS */
};

struct status {
	int64_t taken_ms, started_ms;
	int64_t loaded_ms, refused_ms;	/* when the present configuration was taken, and a later one was not, 0: none */
	struct journal_stat journal;
	uint64_t max_size;	/* bytes that the store may have, 0: no limit */
	uint64_t share;		/* bytes that a sink may have now that sets no quota: of rows, and of dead letters */
	uint64_t state_bytes, state_damaged, saves;
	uint64_t unrouted, lost;	/* events; deliveries whose event is gone */
	struct lane_counts gone;	/* of lanes that the configuration no longer has, since the start */
	uint64_t gone_refused;		/* of its sources likewise: failures */
	uint64_t untold;	/* events about itself that found no room */
	uint64_t inbox_bytes;	/* of committed events that wait for the router */
	struct history_stat history;
	struct histogram_counts commit_seconds, commit_bytes, commit_events;
	struct instance_status *instances;
	struct lane_status *lanes;
	size_t n_instances, n_lanes;
};

/* [any thread but the router's]; -EAGAIN when the engine is not running. status_free() in any case. */
int dispatch_status(struct dispatch *, struct status *);
void status_free(struct status *);

/* Bucket i holds ages of at most age_limit(i); the last has none. */
#define AGE_BUCKETS 9
/* Milliseconds: 5 minutes and each twice the last, INT64_MAX for the last bucket. */
int64_t age_limit(unsigned i);

/* A lane's backlog. What waits in memory is counted one by one; what waits in the journal and
 * in the state likewise while it is little, and else by a sample. */
struct lane_ages {
	const char *route, *sink;
	uint64_t total, counts[AGE_BUCKETS];
	int64_t oldest_ms;	/* -1: nothing waits */
	bool sampled;		/* counts are estimated */
	bool own_time;		/* some of it is older than this run: by the event's own time, or its first failure */
};

struct ages {
	struct lane_ages *lanes;
	size_t n;
};

/* As dispatch_status(); reads the journal and the state for as long as that takes. ages_free() in any case. */
int dispatch_ages(struct dispatch *, struct ages *);
void ages_free(struct ages *);

#endif
