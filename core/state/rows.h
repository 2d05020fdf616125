/*
 * rows.h - what the rows of the state say: each table's key and value, encoded and decoded.
 *
 * The one place that knows the bytes. Writers add to a batch, readers get a struct; what a
 * struct points to is the caller's on the way in, and lives in `hold` on the way out.
 */
#ifndef STATE_ROWS_H
#define STATE_ROWS_H

#include "journal/journal.h"
#include "state/state.h"

/* names: a number for each name of a kind, never given twice. Lanes are named "ROUTE SINK" (a space between). */
enum name_kind { NAME_SOURCE = 's', NAME_LANE = 'l', NAME_SINK = 'k' };
struct name_row {
	enum name_kind kind;
	uint32_t number;	/* from 1 */
	const char *name;
};
void rows_put_name(struct state_batch *, const struct name_row *);
void rows_del_name(struct state_batch *, enum name_kind, const char *name);
/* Each name in turn, until false. */
int rows_each_name(struct state *, bool (*each)(void *arg, const struct name_row *), void *arg);

/* lanes: all before the watermark is done, or is a straggler or dead */
void rows_put_lane(struct state_batch *, uint32_t lane, uint64_t watermark);
void rows_del_lane(struct state_batch *, uint32_t lane);
int rows_get_lane(struct state *, uint32_t lane, uint64_t *watermark);	/* 0, -ENOENT, -errno */
/* Each lane in turn, until false. */
int rows_each_lane(struct state *, bool (*each)(void *arg, uint32_t lane, uint64_t watermark), void *arg);

struct delivery_key {
	uint32_t lane;
	uint64_t seq;
};
#define LANE_ANY 0	/* for rows_each_straggler, rows_each_due: all lanes, one after another */
/* The key of a straggler's or dead letter's row; false: it is none. */
bool rows_read_delivery_key(struct pb_span key, struct delivery_key *);

/*
 * A straggler is due at a time, or it is parked: something else must happen first. Then `due_ms` is beyond any time, and
 * says which: all before it of its lane (key 0), or the earlier ones of one key (its hash). Rows in `due` that
 * are parked for the same thing are next to each other, in the order of their events.
 */
#define DUE_PARKED (INT64_C(1) << 62)
#define KEY_HASH_MAX ((UINT64_C(1) << 61) - 1)	/* of an order_by key's hash, which is not 0 */
static inline int64_t due_parked(uint64_t key)
{
	return DUE_PARKED + (int64_t)(key & KEY_HASH_MAX);
}
static inline bool due_is_parked(int64_t due_ms)
{
	return due_ms >= DUE_PARKED;
}
/* The key that it is parked behind, 0: for its lane. */
static inline uint64_t due_parked_key(int64_t due_ms)
{
	return (uint64_t)(due_ms - DUE_PARKED);
}
#define DUE_FIRST INT64_MIN	/* for rows_each_due: all there are */

/* stragglers and due: always written together; so a row has exactly one due row. */
struct straggler_row {
	uint32_t attempts;	/* made so far */
	int64_t first_ms;	/* wall clock of the first failure, 0: none yet */
	int64_t due_ms;		/* wall clock of the next attempt, or parked */
	int64_t wait_ms;	/* what of the wait was left when this was written; parked: of the wait until `after_ms` */
	uint64_t key;		/* hash of its order_by key, 0: none; without being parked behind it, others may wait for it */
	int64_t after_ms;	/* parked: not tried before this wall clock, 0: none */
	uint32_t bytes;		/* of its event as it is stored */
	struct pb_span parts;	/* of the events that filters made of it: how many (le16), then bit i: the i-th is delivered; empty: none */
	struct pb_span error;	/* one line */
	struct pb_span response;	/* its start */
};
/* What such a row takes on the disk, for a quota: it, and its event as if nobody else needed it. */
#define ROW_COST 256	/* keys, due row, what the store adds */
static inline uint64_t straggler_cost(const struct straggler_row *row)
{
	return ROW_COST + row->bytes + row->parts.len + row->error.len + row->response.len;
}
/* `old_due_ms` is the due time of the row that this replaces, -1 when there is none. */
void rows_put_straggler(struct state_batch *, struct delivery_key, const struct straggler_row *,
			int64_t old_due_ms);
void rows_del_straggler(struct state_batch *, struct delivery_key, int64_t due_ms);
/* Only the due row: for repairing what is not written together. */
void rows_put_due(struct state_batch *, struct delivery_key, int64_t due_ms);
void rows_del_due(struct state_batch *, struct delivery_key, int64_t due_ms);
int rows_get_straggler(struct state *, struct delivery_key, struct straggler_row *, struct buf *hold);
/* A lane's stragglers in the order they are due, from those due at `from_due_ms` on (DUE_FIRST: all), until false. Parked
 * ones come last. (Lane by lane: one with many costs the others nothing.) With LANE_ANY only DUE_FIRST. */
int rows_each_due(struct state *, uint32_t lane, int64_t from_due_ms,
		  bool (*each)(void *arg, int64_t due_ms, struct delivery_key), void *arg);
/* Those of a lane that are parked behind `park_key`, from event `from` on, in order, until false. */
int rows_each_parked(struct state *, uint32_t lane, uint64_t park_key, uint64_t from,
		     bool (*each)(void *arg, uint64_t seq), void *arg);
/* Stragglers of one lane with seq at or above `from`, in order, until false. */
int rows_each_straggler(struct state *, uint32_t lane, uint64_t from,
			bool (*each)(void *arg, struct delivery_key, const struct straggler_row *), void *arg);

/* dead */
enum dead_reason { DEAD_REJECTED = 1, DEAD_EXHAUSTED, DEAD_EXPIRED, DEAD_OVERFLOW, DEAD_FILTER, DEAD_REMOVED };
#define DEAD_REASONS (DEAD_REMOVED + 1)	/* the size of an array by reason */
/* "rejected", … */
const char *dead_reason_name(enum dead_reason);
/* The reason of that name, 0: there is none. */
enum dead_reason dead_reason_find(const char *name);
struct dead_row {
	enum dead_reason reason;
	uint32_t attempts;
	int64_t first_ms, dead_ms;	/* first failure; when it died; wall clock */
	uint32_t bytes;			/* of its event as it is stored */
	struct pb_span parts, error, response;
};
static inline uint64_t dead_cost(const struct dead_row *row)
{
	return ROW_COST + row->bytes + row->parts.len + row->error.len + row->response.len;
}
void rows_put_dead(struct state_batch *, struct delivery_key, const struct dead_row *);
void rows_del_dead(struct state_batch *, struct delivery_key);
/* 0, -ENOENT, -errno; what `row` points to is in `hold` */
int rows_get_dead(struct state *, struct delivery_key, struct dead_row *row, struct buf *hold);
/* Dead letters of all lanes from `from` on, lane by lane, until false. */
int rows_scan_dead(struct state *, struct delivery_key from,
		   bool (*each)(void *arg, struct delivery_key, const struct dead_row *), void *arg);
/* Those of one lane. */
int rows_each_dead(struct state *, uint32_t lane, uint64_t from,
		   bool (*each)(void *arg, struct delivery_key, const struct dead_row *), void *arg);

/* kept: events copied out of the journal, with the number of rows that need each */
void rows_put_kept(struct state_batch *, uint64_t seq, uint32_t rows, struct pb_span event);
void rows_del_kept(struct state_batch *, uint64_t seq);
/* 0, -ENOENT, -errno; `rows` and `event` may be NULL */
int rows_get_kept(struct state *, uint64_t seq, uint32_t *rows, struct buf *event);
/* Each in order from event `from` on, until false. */
int rows_each_kept(struct state *, uint64_t from,
		   bool (*each)(void *arg, uint64_t seq, uint32_t rows, struct pb_span event), void *arg);

/* marks: sources' positions */
void rows_put_mark(struct state_batch *, uint32_t source, struct pb_span key, struct journal_pos read_at,
		   struct pb_span value);
void rows_del_mark(struct state_batch *, uint32_t source, struct pb_span key);
int rows_get_mark(struct state *, uint32_t source, struct pb_span key, struct buf *value);
struct mark_row {
	uint32_t source;
	struct pb_span key, value;
	struct journal_pos read_at;
};
/* Each in turn, until false. */
int rows_each_mark(struct state *, bool (*each)(void *arg, const struct mark_row *), void *arg);

/* routes: what a lane takes, as its route said when it last ran; and what it took of the events before that, while
 * its watermark has not passed them. A lane that the configuration no longer has takes nothing after the last one. */
#define ROUTE_PRESENT UINT64_MAX
struct route_row {
	uint64_t until;		/* the first event that it does not count for; ROUTE_PRESENT: none */
	struct pb_span from;	/* sources' numbers, four bytes each, little-endian */
	struct pb_span globs;	/* of types; a NUL ends each */
};
void rows_put_route(struct state_batch *, uint32_t lane, const struct route_row *);
void rows_del_route(struct state_batch *, uint32_t lane, uint64_t until);
/* Each lane's in turn, the oldest first, until false. */
int rows_each_route(struct state *, bool (*each)(void *arg, uint32_t lane, const struct route_row *), void *arg);

/*
 * seen: the keys by which sources' events are known to their senders, each with the first one's id. Two rows a key: by hash,
 * the newest first, and in order.
 */
#define SEEN_HASH 16
struct seen_row {
	uint32_t source;
	unsigned char hash[SEEN_HASH];	/* of the key, under the store's secret */
	uint64_t seq;		/* the event's */
	int64_t at_ms;		/* when it was accepted, wall clock */
	struct pb_span id;	/* the event's; by rows_each_seen(): none */
};
void rows_put_seen(struct state_batch *, const struct seen_row *);
void rows_del_seen(struct state_batch *, const struct seen_row *);	/* `at_ms` and `id` do not matter */
/* The newest of that key. 0, -ENOENT, -errno; the id is in `hold` */
int rows_find_seen(struct state *, uint32_t source, const unsigned char hash[static SEEN_HASH], struct seen_row *,
		   struct buf *hold);
/* Each in order of source and event, from that on, until false. */
int rows_each_seen(struct state *, uint32_t source, uint64_t from,
		   bool (*each)(void *arg, const struct seen_row *), void *arg);
/* A row of the table for which there is not the other one of its pair. */
struct seen_stray {
	struct pb_span key;
	bool malformed;			/* nothing below is known */
	bool by_hash;			/* the row is that; it lacks the one in order */
	uint32_t source;
	uint64_t seq;
};
/* Each of them, and each row, well paired or not, of an event from `end` on, which cannot be. All of the table is read, a page at a
 * time. 0 or -errno. */
int rows_each_stray_seen(struct state *, uint64_t end, void (*each)(void *arg, const struct seen_stray *), void *arg);
/* The secret that keys are hashed with: it is made once. 0, -ENOENT, -errno */
#define SEEN_SECRET 16
void rows_put_secret(struct state_batch *, const unsigned char secret[static SEEN_SECRET]);
int rows_get_secret(struct state *, unsigned char secret[static SEEN_SECRET]);

/* sinks: what was decided of one, and how long it has failed; one without a row is enabled */
enum sink_mode { SINK_ENABLED, SINK_DISABLED, SINK_DRAINING };
/* "enabled", … */
const char *sink_mode_name(enum sink_mode);
struct sink_row {
	enum sink_mode mode;
	int64_t since_ms;	/* wall clock of the last change of mode, 0: there was none */
	uint64_t until_seq;	/* draining: the first event that it does not take */
	int64_t failing_ms;	/* so long it has done nothing but fail, 0: it does not */
	struct pb_span why;	/* one line */
};
void rows_put_sink(struct state_batch *, uint32_t sink, const struct sink_row *);
void rows_del_sink(struct state_batch *, uint32_t sink);
/* 0, -ENOENT, -errno; what `row` points to is in `hold` */
int rows_get_sink(struct state *, uint32_t sink, struct sink_row *row, struct buf *hold);

/* meta */
struct meta_row {
	uint64_t applied_seq;		/* the journal up to here is in the state… */
	struct journal_pos applied;	/* …: marks and watermarks of blocks from here on are not */
	uint64_t kept_below;		/* what rows need of events before it is in `kept` */
	bool clean;			/* the daemon stopped by itself */
	char node[37];			/* the store's own id, made once */
};
void rows_put_meta(struct state_batch *, const struct meta_row *);
int rows_get_meta(struct state *, struct meta_row *);	/* 0, -ENOENT: a new store */

/* meta, a row of its own: the clock that only runs while a daemon does, and when by it events were accepted */
struct uptime_point {
	uint64_t seq;		/* events from here on … */
	int64_t ms;		/* … were accepted then, or later */
};
struct uptime_row {
	int64_t ms;		/* the clock, when this was written */
	uint64_t next_seq;	/* what the next event was to get then */
	uint64_t begin_seq;	/* of events before it nothing is known but that they were accepted … */
	int64_t begin_ms;	/* … before this */
	struct uptime_point *points;	/* ascending in both */
	size_t n;
};
void rows_put_uptime(struct state_batch *, const struct uptime_row *);
/* At most `most` points, into `points`. 0, -ENOENT, -EBADMSG, -errno */
int rows_get_uptime(struct state *, struct uptime_row *, struct uptime_point points[], size_t most);
/* Is it that row's key? */
bool rows_is_uptime(struct pb_span key);

#endif
