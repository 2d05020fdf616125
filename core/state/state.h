/*
 * state.h - the small rows: progress, stragglers, dead letters, marks. Never bodies of live traffic.
 *
 * Everything is written by batches that are applied atomically and durably, by one
 * thread (the saver's); reading is from any thread and short. The store under it sorts keys
 * as bytes. Values carry a crc32c. Two implementations: LMDB (lmdb.c) and one in
 * memory that crashes on demand (simulated.c). What the rows say is rows.h.
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum state_table {
	STATE_NAMES, STATE_LANES, STATE_STRAGGLERS, STATE_DUE, STATE_DEAD, STATE_KEPT,
	STATE_MARKS, STATE_SEEN, STATE_SINKS, STATE_META, STATE_ROUTES, STATE_TABLES
};

#define STATE_FORMAT 1		/* the version of what is on disk */
#define STATE_KEY_MAX 511

/* Puts and deletes in order; a later one of the same key wins. */
struct state_batch {
	struct buf ops;
	size_t n;
};

/* A batch has no limit but memory; short memory ends the process. Keys and values are copied. */
void batch_init(struct state_batch *);
void batch_free(struct state_batch *);
void batch_reset(struct state_batch *);
void batch_put(struct state_batch *, enum state_table, struct pb_span key, struct pb_span value);
void batch_del(struct state_batch *, enum state_table, struct pb_span key);
/* For whoever applies one: *at begins at 0; false at the end. A delete has value.data NULL. */
bool batch_next(const struct state_batch *, size_t *at, enum state_table *, struct pb_span *key,
		struct pb_span *value);

struct state;
struct state_ops {
	int (*apply)(struct state *, const struct state_batch *);
	int (*get)(struct state *, enum state_table, struct pb_span key, struct buf *value);
	int (*scan)(struct state *, enum state_table, struct pb_span from,
		    bool (*each)(void *arg, struct pb_span key, struct pb_span value), void *arg);
	uint64_t (*bytes)(struct state *);
	uint64_t (*damaged)(struct state *);
	void (*close)(struct state *);
};

struct state {
	const struct state_ops *ops;
};

/* Open or make the state in `folder` (made 0700 when missing). `max_size` is where accepting stops: the map is
 * larger, and a reserve of disk space is held so that settling and deleting still work on a full disk.
 * NULL after error_add(); another format version is refused and nothing is changed. */
struct state *state_open(const char *folder, uint64_t max_size, struct pb_error *);

/* Who is told of damaged rows, each time one is met. */
struct state_reading {
	void (*damaged)(void *arg, enum state_table, struct pb_span key);
	void *arg;
};

/* Open the state in `folder` as it is at this moment, perhaps beside the daemon whose it is: nothing is made
 * or changed, and all is read from one snapshot, which the daemon's file has to keep until this is closed.
 * One thread. NULL after error_add() with errno ENOENT (there is none), EPROTONOSUPPORT (another format
 * version, or none that is whole), EBADMSG, EACCES, or another. */
struct state *state_open_read(const char *folder, const struct state_reading *, struct pb_error *);
/* Can all of the state be read without coming to harm? LMDB trusts its pages: reading damaged ones can end a
 * process, so one of its own tries. 0; -ENOENT: there is none; or after error_add() -EBADMSG: it is damaged;
 * another. */
int state_probe(const char *folder, struct pb_error *);
/* Write a consistent copy of the state, perhaps beside its daemon, to the existing folder `to`, durable. 0 or -errno. */
int state_copy(const char *folder, const char *to);
/* "names", … */
const char *state_table_name(enum state_table);

/* All of it, durable, or nothing. 0; -ENOSPC (nothing was applied; the reserve is used up); any other error: the process
 * must end. One thread at a time. */
static inline int state_apply(struct state *s, const struct state_batch *b)
{
	return s->ops->apply(s, b);
}

/* Append the value to `value`. 0, -ENOENT, -EBADMSG (damaged), -errno. [any] */
static inline int state_get(struct state *s, enum state_table t, struct pb_span key, struct buf *value)
{
	return s->ops->get(s, t, key, value);
}

/* Call `each` for the rows from key `from` ({NULL, 0}: the first) on, in order, until it says false. It must be quick and
 * must not call state_*. A damaged row is logged, counted and left out. 0 or -errno. [any] */
static inline int state_scan(struct state *s, enum state_table t, struct pb_span from,
			     bool (*each)(void *arg, struct pb_span key, struct pb_span value), void *arg)
{
	return s->ops->scan(s, t, from, each, arg);
}

/* Bytes in use (pages that hold something). [any] */
static inline uint64_t state_bytes(struct state *s)
{
	return s->ops->bytes(s);
}

/* Rows found damaged since open; a row counts each time it is met. [any] */
static inline uint64_t state_damaged(struct state *s)
{
	return s->ops->damaged(s);
}

static inline void state_close(struct state *s)
{
	if (s != NULL)
		s->ops->close(s);
}

#endif
