/*
 * feed.h - a source's thread: what it emits, and what became of it.
 *
 * Everything here is of the source's own thread, but for stopping and reopening,
 * which are asked for by flag and wake descriptor.
 */
#ifndef DISPATCH_FEED_H
#define DISPATCH_FEED_H

#include <pthread.h>
#include <stdatomic.h>

#include <uthash.h>

#include "base/buf.h"
#include "dispatch/commit.h"
#include "dispatch/seen.h"
#include "plugin/instance.h"

/* What one pb_emit() took: settled as one. */
struct unit {
	void *token;
	size_t first, n;	/* of the emission's events */
	bool failed;		/* short of memory, or too large for a block */
};

/* What was emitted since the last commit. */
struct emission {
	struct buf records;		/* framed */
	struct pb_event **events;	/* a reference each */
	struct seen_claim *claims;	/* one an event; NULL without `dedupe` */
	size_t n_events, events_room, claims_room;
	struct unit *units;
	size_t n_units, units_room;
};

/* The last position of a key, as committed by this run. */
struct mark_entry {
	UT_hash_handle hh;
	size_t value_len, key_len;
	char *value;
	char key[];
};

struct pb_receipt {
	const struct emission *emission;
	const struct unit *unit;
	enum pb_outcome outcome;
	const char *reason;
};

struct alarms;

struct feed {
	struct pb_self self;
	struct config_instance *config;
	uint32_t number;		/* the source's, in the names table */
	struct commit *commit;
	struct state *state;
	struct alarms *alarms;		/* the built-in source's */
	struct emission open;		/* taken, not yet committed */
	struct emission closed;		/* being committed and settled */
	bool settling;			/* inside settled() */
	struct mark_entry *staged;	/* go with the next commit */
	struct buf marks;		/* those, encoded */
	struct mark_entry *marks_kept;	/* committed since the start */
	struct seen_keys *seen;		/* NULL: no `dedupe` */
	int64_t dedupe_ms;
	struct seen_batch sifted;	/* what of `closed` is no repeat */
	struct buf key;			/* at hand */
	const char *held;		/* why nothing was committed: its words in the commit, NULL: it was tried */
	struct commit_entry entry;	/* our place in a group commit */
	int wake_fd;
	_Atomic bool stopping, reopen;
	_Atomic(const char *) doing;	/* "running", "full" (waits for room), "paused" (stopped by itself), "stopped" */
	_Atomic(const char *) reason;	/* the last failure, "" */
	_Atomic uint64_t restarts;
	bool stop_seen;			/* pb_wait() has said so once */
	pthread_t thread;
	bool started;
	_Atomic uint64_t accepted, refused, repeated;	/* events */
};

/* Make ready; the instance is the caller's to open. */
void feed_init(struct feed *, struct config_instance *, struct plugin_use *,
	       const struct instance_env *, unsigned worker);
void feed_fini(struct feed *);
/* It goes on where `old` stopped: marks that are not in the state yet, what was counted. Neither has a thread. */
void feed_inherit(struct feed *, const struct feed *old);
/* It was stopped, and may be opened and started again. */
void feed_rewind(struct feed *);
/* Start the thread that calls run(). 0 or -errno. */
int feed_start(struct feed *);
/* Its keys are to be remembered, if it has `dedupe`; it has its number. Router's thread, or before it runs. */
void feed_watch(const struct feed *, struct seen_keys *);
/* Ask run() to end. [any] */
void feed_stop(struct feed *);
/* [any] */
void feed_reopen(struct feed *);

/* pb_emit(), pb_commit(), pb_wait(), pb_restore(): see plugin.h. The feed's thread. */
int feed_emit(struct feed *, struct pb_event *const evs[], size_t n, const struct pb_mark *, void *token);
int feed_commit(struct feed *);
int feed_wait(struct feed *, int fd, int64_t timeout);
int feed_restore(struct feed *, const char *key, void *value, size_t size);

/* A mark that the journal has, whether the state has it yet or not; a `value` without data: it was removed. Before the
 * feed's thread runs. */
void feed_recall(struct feed *, struct pb_span key, struct pb_span value);

#endif
