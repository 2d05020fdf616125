/*
 * seen.h - repeats are known: the keys of events that sources with `dedupe` have taken, each with the first one's id.
 *
 * What is in the state is looked up there, on the source's thread, when an event is emitted; what is newer is
 * in memory, until it has been saved. Whether an event is a repeat is decided for good by who leads the
 * commit: blocks are made one after another, so what was in an earlier one is on disk, or it is not
 * there; and of two in one block the second goes with the first, whatever becomes of it. Nobody is told yes for
 * an event that is not on disk, and nobody waits.
 *
 * In the journal a key stands before its event, so that what the state lacks is made good at start. A key is
 * its hash under a secret of the store's: a sender cannot make two of them meet.
 */
#ifndef DISPATCH_SEEN_H
#define DISPATCH_SEEN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <uthash.h>

#include "base/buf.h"
#include "state/rows.h"

struct clock;
struct commit_entry;

#define SEEN_WAITING_MAX (256u << 10)	/* keys in memory that are not saved yet; at that no more are taken */

/* One event's key on its way through a commit. Begin with {0}. */
struct seen_claim {
	bool keyed;
	bool sure;		/* `first` was on disk when the event was emitted: it is not in the records */
	unsigned char hash[SEEN_HASH];
	uint64_t looked;	/* seen.dropped when it was looked for */
	size_t begin, end;	/* of the event's records, with its key's */
	char *first;		/* the id of the one it repeats; NULL: none */
};

/* What one source's thread commits at a time, for seen_sift(). The thread's own, as its commit_entry is. */
struct seen_batch {
	uint32_t source;
	int64_t within_ms;
	struct seen_claim *claims;
	struct pb_event *const *events;	/* all, and their records, as emitted */
	size_t n;
	struct pb_span records;
	/* What is left without repeats, if there were any. */
	struct buf rest;
	struct pb_event **stored;
	size_t room;
};

/* A key in memory. */
struct seen_entry {
	UT_hash_handle hh;
	unsigned char key[4 + SEEN_HASH];	/* source, hash */
	bool hashed;			/* else one that is newer has taken its place */
	const struct pb_event *event;	/* while its block is being written */
	struct seen_entry *next;
	uint64_t seq;
	int64_t at_ms;
	char id[];
};

/* A source whose keys there are. The router's. */
struct seen_source {
	uint32_t number;
	int64_t within_ms;		/* 0: none any more */
	uint64_t most;
	uint64_t rows;			/* in the state */
	uint64_t swept;			/* rows of events before this are gone, or go with a save */
	uint64_t forgotten;		/* for want of room */
};

struct seen_keys {
	pthread_mutex_t lock;		/* guards `entries`, what is listed, `dropped` */
	struct seen_entry *entries;
	struct seen_entry *first, **last;	/* in the order of their events */
	struct seen_entry *unsaved;	/* the first one that is in no batch yet; NULL: none */
	size_t n;			/* listed */
	uint64_t dropped;		/* times that entries went since they were saved */
	struct seen_entry *writing, **writing_last;	/* of the block being written: its leader's */
	size_t writing_n;
	_Atomic size_t waiting;		/* listed, in no batch yet */
	unsigned char secret[SEEN_SECRET];
	struct state *state;
	const struct clock *clock;
	int64_t wall_offset;
	struct seen_source *sources;	/* these are the router's */
	size_t n_sources;
	bool due;			/* some are too old, or too many */
};

/* Nothing is known, and no source watched. */
void seen_init(struct seen_keys *, struct state *, const struct clock *, int64_t wall_offset);
/* No thread may use it any more. */
void seen_fini(struct seen_keys *);
/* A source's `dedupe` (0: off) and `dedupe_max`. Router's thread, or before it runs. */
void seen_watch(struct seen_keys *, uint32_t source, int64_t within_ms, uint64_t most);
/* As if no source was watched; those that still are follow at once. */
void seen_watch_none(struct seen_keys *);
/* Before any thread runs, all sources being watched: count the rows, and read the secret, or make it: then *made, and it must
 * be on disk before an event is. 0 or -errno. */
int seen_start(struct seen_keys *, struct state_batch *, bool *made);

/* A source's thread: is this key known? Fills in the claim; `first` is set when it is, and the event need not be stored. */
void seen_look(struct seen_keys *, uint32_t source, int64_t within_ms, struct pb_span key, struct seen_claim *);
/* Who leads a commit, before a block is written at `now_ms` (seen_now()): the entry's events, records and count become what
 * is left of its seen_batch without repeats. 0; -ENOMEM; -ENOBUFS: too much waits to be saved. On failure, and
 * when the block is not written, seen_undo(). */
int seen_sift(struct seen_keys *, struct commit_entry *, int64_t now_ms);
/* The block is on disk, and its events have their numbers. */
void seen_written(struct seen_keys *);
void seen_undo(struct seen_keys *);
/* Engine wall clock. [any] */
int64_t seen_now(const struct seen_keys *);
/* Forget what claims hold. */
void seen_claims_clear(struct seen_claim *, size_t n);
void seen_batch_free(struct seen_batch *);

/* At start, for an event of the journal's that has a key: it is remembered if that is still wanted. */
void seen_recall(struct seen_keys *, const unsigned char hash[static SEEN_HASH], const struct pb_event *, int64_t at_ms);
/* Router's thread, with no save under way: what was written before event `until` goes into the batch, and what is too old or
 * too many goes. */
void seen_gather(struct seen_keys *, struct state_batch *, uint64_t until);
/* What a batch had of events before `until` is in the state. */
void seen_saved(struct seen_keys *, uint64_t until);
/* Is there something for a batch? */
bool seen_wants(const struct seen_keys *);
/* Do so many wait that a save is urgent? */
bool seen_presses(const struct seen_keys *);
/* Every second: are some too old, or too many? */
void seen_tick(struct seen_keys *);
/* Keys remembered of a source, and how many were forgotten for want of room. */
void seen_count(struct seen_keys *, uint32_t source, uint64_t *keys, uint64_t *forgotten);

#endif
