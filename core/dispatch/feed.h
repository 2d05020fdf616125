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
	bool never;		/* PB_FAILED: nor will it be, later */
	const char *reason;
};

struct alarms;
struct feed;

/* Where a feed's commits go: to the engine's group commit and its store, or out of a process of its own to the daemon. */
struct feed_store {
	/* Make f->entry durable. 0, or nothing of it was stored: as commit_run(). f->closed has what it was made of, with its claims to be filled
	 * in, if it has some. */
	int (*run)(struct feed *);
	/* It was not stored, but may be later: wait for that, at most `ms`. */
	void (*wait_room)(struct feed *, int64_t ms);
	/* Append the mark's value, or -ENOENT. */
	int (*restore)(struct feed *, const char *key, struct buf *);
};

struct feed {
	struct pb_self self;
	struct config_instance *config;
	uint32_t number;		/* the source's, in the names table */
	const struct feed_store *store;	/* the engine's, unless set */
	struct commit *commit;
	struct state *state;
	struct alarms *alarms;		/* the built-in source's */
	struct emission open;		/* taken, not yet committed */
	struct emission closed;		/* being committed and settled */
	bool settling;			/* inside settled() */
	struct mark_entry *staged;	/* go with the next commit */
	struct buf marks;		/* those, encoded */
	struct mark_entry *marks_kept;	/* committed since the start */
	size_t max_marks;		/* of both */
	struct seen_keys *seen;		/* NULL: no `dedupe`, or not here */
	bool told;			/* `store` says what repeats: each event has a claim, which it fills in */
	int64_t dedupe_ms;
	struct seen_batch sifted;	/* what of `closed` is no repeat */
	struct buf key;			/* at hand */
	const char *held;		/* why nothing was committed: its words in the commit, NULL: it was tried */
	struct commit_entry entry;	/* our place in a group commit */
	int wake_fd;
	_Atomic bool stopping, reopen;
	_Atomic bool ended;		/* run() said PB_DONE, and all of it is committed */
	void (*wake)(void *arg);	/* told of that, from the feed's thread; NULL: nobody is */
	void *wake_arg;
	_Atomic(const char *) doing;	/* "running", "full" (waits for room), "paused" (stopped by itself), "ended", "stopped" */
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
/* Events refused, and times that the source was started again. [any] */
uint64_t feed_failures(const struct feed *);
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

/* As feed_emit() with as many marks as there are, also when it is to stop, and without a commit: for what was emitted in a process of its
 * own. */
void feed_take(struct feed *, struct pb_event *const evs[], size_t n, const struct pb_mark marks[], size_t n_marks, void *token);
/* pb_emit(), pb_commit(), pb_wait(), pb_restore(): see plugin.h. The feed's thread. */
int feed_emit(struct feed *, struct pb_event *const evs[], size_t n, const struct pb_mark *, void *token);
int feed_commit(struct feed *);
int feed_wait(struct feed *, int fd, int64_t timeout);
int feed_restore(struct feed *, const char *key, void *value, size_t size);

/* The id of the first event, where the unit's i-th repeats one; NULL: it is stored itself, or there is none. Within settled(). */
const char *receipt_first(const struct pb_receipt *, size_t i);

/* A mark that the journal has, whether the state has it yet or not; a `value` without data: it was removed. Before the
 * feed's thread runs. */
void feed_recall(struct feed *, struct pb_span key, struct pb_span value);

#endif
