/*
 * dead.h - dead letters: found, replayed, purged, and held to their quotas.
 *
 * Rows are read on any thread; they change, and their events are read, on the router's alone. A replayed one becomes a straggler
 * row that is due, in one batch, and its event stays as it is kept; a purged one gives its event up. Until
 * that batch is on disk the old row is still read there: so what has left is remembered, and nothing leaves
 * twice. A letter that its lane's watermark has not passed stays: after a crash its lane would meet it
 * again as if it were new.
 */
#ifndef DISPATCH_DEAD_H
#define DISPATCH_DEAD_H

#include <uthash.h>

#include "dispatch/ask.h"
#include "dispatch/inbox.h"

struct lane;
struct router;

/* What those without a sink in the configuration are held to: the defaults of `dead_keep`, and lane by lane of `dead_max`. */
#define DEAD_KEEP_REMOVED (INT64_C(30) * 24 * 3600 * 1000)
#define DEAD_MAX_REMOVED 100000

/* A row that goes with a save. */
struct dead_gone {
	UT_hash_handle hh;
	uint64_t key[2];		/* lane, sequence number */
	uint64_t save;			/* the save that carries it */
	struct lane *lane;		/* NULL: of an earlier configuration */
	int64_t due_ms;			/* of the straggler it became, TIMER_NEVER: purged */
};

/* As dispatch_dead_find(), with the way to run on the router's thread: inbox_call(). [any] */
typedef int dead_caller(struct inbox *, struct inbox_call *);
int dead_find(struct router *, dead_caller *, const struct dead_filter *, struct delivery_key *at, size_t most,
	      void (*each)(void *arg, const struct dead_letter *), void *arg);
/* Replay or purge those of the keys that can be, as `replay` says. Router's thread. */
void dead_change(struct router *, struct dead_change *);
/* Will the row go, and no straggler take its place? */
bool dead_is_purged(struct router *, uint32_t lane, uint64_t seq);
/* Does a row of it go, or become a straggler's, with a save that is not on disk yet? */
bool dead_goes(struct router *, struct delivery_key);
/* A straggler that is due has come into `open`, where the state has no row of it yet: it is looked at when it is on disk. */
void dead_note_due(struct router *, struct lane *, struct delivery_key, int64_t due_ms);
/* Is more on its way than may be? */
bool dead_is_full(const struct router *);
/* A delivery of the lane is dead: its row goes with the next save. `was` is what was known of it, and the event may be NULL; its
 * sink may have too many then. */
void dead_add(struct lane *, uint64_t seq, enum dead_reason, const struct straggler_row *was, const struct pb_event *);
/* dead-quota.c: the lane has one more: its sink may have too many. */
void dead_added(struct lane *);
/* Quotas have changed: look at all soon. */
void dead_look(struct router *);
/* A save is on disk: what it replayed is due. */
void dead_saved(struct router *);
/* Every second: a piece of the rows is looked at for those that are too old. */
void dead_tick(struct router *);
void dead_free(struct router *);

#endif
