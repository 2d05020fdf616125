/*
 * feed.h - a source under test: its thread, what it emitted, what became of it.
 *
 * The first half is of the thread of run() alone. The other is guarded by the host's lock.
 */
#ifndef TESTING_FEED_H
#define TESTING_FEED_H

#include "testing/host.h"

struct mark {
	struct mark *next;
	char *key;
	char *value;
	size_t len;
	bool removed;
};

/* What one pb_emit() took: settled as one. */
struct unit {
	void *token;
	size_t first, n;	/* of the events */
	bool failed;		/* its mark is past a limit */
};

struct emission {
	struct pb_event **events;
	const char **firsts;		/* one an event: the id of the one that it repeats, or NULL */
	size_t n_events, events_room, bytes;
	struct unit *units;
	size_t n_units, units_room;
	struct mark *marks;
};

/* What outlives the instance. */
struct store {
	struct store *next;
	char *source;
	struct mark *marks;
	struct pb_event **events;
	int64_t *when;			/* each was committed: the host's clock */
	size_t n, room, emitted;
};

struct feed {
	struct pbt_instance *in;
	/* run()'s thread */
	struct emission open, closed;
	bool settling, stop_seen;
	int wake_fd, tick_fd;		/* the plugin's to poll; told when the clock moves */
	_Atomic bool stopping, reopen;
	/* the lock */
	struct store *store;
	enum pbt_store mode;
	unsigned mode_left;		/* commits; 0: from now on */
	bool held;			/* a commit waits */
	bool running, started, sleeping;
	int sleep_fd;
	int64_t sleep_until;		/* the host's clock; -1: without end */
	int result;			/* of run() */
	pthread_t thread;
};

struct pb_receipt {
	const struct emission *emission;
	const struct unit *unit;
	enum pb_outcome outcome;
	const char *reason;
};

/* Commit what is pending, and settle it. As pb_commit(). */
int feed_commit(struct feed *);
/* Set the flag and wake it. [any] */
void feed_ask_stop(struct feed *);
/* Is it asleep with nothing to wake it? Called with the lock held. */
bool feed_asleep(const struct feed *);
/* Make the descriptor readable, and take that back. [any] */
void feed_signal(int fd);
void feed_clear(int fd);

/* The last one of `key`, or NULL. */
struct mark *mark_find(struct mark *, const char *key);
/* Set it in the list, {NULL, 0} as removed. */
void mark_set(struct mark **, const char *key, struct pb_span value);
void marks_free(struct mark **);
/* Called with the lock held. Which of the emission are repeats, of what was stored within `dedupe` ms or of one
 * before them: e->firsts. */
void store_look(const struct store *, const struct emission *, int64_t dedupe, int64_t now);
/* The others become the store's, and the emission has none any more. */
void store_add(struct store *, struct emission *, int64_t now);
void store_marks(struct store *, const struct mark *);

#endif
