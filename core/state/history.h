/*
 * history.h - what became of each event, for as long as there is room: a ring of small files.
 *
 * It answers "where is my event", and is no promise: nothing of it is synced, what a full or broken disk refuses is
 * counted and missing, and whoever likes may delete it. The router's thread adds entries, which costs a few dozen
 * nanoseconds each; they gather in chunks, which a thread of its own writes, so that no disk holds anybody
 * up. It is read from the files, by anyone. It knows numbers and text, not events or lanes.
 */
#ifndef STATE_HISTORY_H
#define STATE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/plugin.h>

struct clock;
struct history;

#define HISTORY_MIN (1u << 20)	/* bytes: less than that keeps nothing */
#define HISTORY_TEXT_MAX 256	/* bytes kept of a type, an answer's line, a response */

enum history_kind {
	HISTORY_TIME = 1,	/* inside: what follows happened then */
	HISTORY_TYPE,		/* inside: a number for a type, its source and who sent it */
	HISTORY_ACCEPTED,	/* the event is on disk, and was routed */
	HISTORY_FOUND,		/* the same, seen in the journal at a start: it was accepted before */
	HISTORY_DELIVERED,	/* an attempt that was answered ok */
	HISTORY_FAILED,		/* one that was answered otherwise */
	HISTORY_FILTERED,	/* the route's filters dropped it */
	HISTORY_FILTER_FAILED,	/* or could not handle it */
	HISTORY_DEAD,
	HISTORY_REPLAYED,
	HISTORY_PURGED,
	HISTORY_CONFIGURED,	/* a configuration came into force */
	HISTORY_LOST,		/* `count` entries were not written */
	HISTORY_KINDS
};

/* What of it means something depends on the kind. Text is cut to HISTORY_TEXT_MAX. */
struct history_entry {
	enum history_kind kind;
	int64_t at_ms;		/* wall clock */
	uint64_t seq;		/* the event's number in the journal */
	uint64_t id;		/* history_hash() of the event's id; 0: not known here */
	uint64_t origin;	/* ACCEPTED, FOUND: the source's number in the state's names; 0: not known */
	uint64_t bytes;		/* ACCEPTED, FOUND: of the body */
	uint64_t lane;		/* its number in the state's names */
	uint64_t attempt;	/* from 1 */
	uint64_t part, parts;	/* which of how many events that filters made of it; from 0 */
	uint64_t code;		/* enum pb_code */
	uint64_t took_us;
	uint64_t settled;	/* DELIVERED: nothing is left to be delivered on the lane */
	uint64_t reason;	/* DEAD: enum dead_reason */
	uint64_t count;
	struct pb_span type;	/* ACCEPTED, FOUND: the event's type; empty: not known */
	struct pb_span sender;	/* ACCEPTED, with a type: who sent it; empty: not known */
	struct pb_span text;	/* an answer's line */
	struct pb_span response;	/* its start */
	uint64_t type_number;	/* inside */
};

/* A history in `folder`, which is made when there is something to write, of at most `max` bytes; less than HISTORY_MIN, or no
 * memory: NULL, which all below accept. What is wrong with the folder is said when writing fails. */
struct history *history_open(const char *folder, uint64_t max, const struct clock *);
/* Write what was flushed, end the thread, free it. */
void history_close(struct history *);
/* Start its thread; without it history_step() writes. 0 or -errno. */
int history_start(struct history *);

/* The number of the last event that it had when it was opened, 0: none. */
uint64_t history_last(const struct history *);
/* What it has is of another store, whose numbers will be given again: it goes. Before it is started. */
void history_forget(struct history *);
/* FNV-1a of 64 bits; never 0. [any] */
uint64_t history_hash(const char *id);
/* Add an entry, copied; at_ms does not go back much. One thread, the router's. */
void history_add(struct history *, const struct history_entry *);
/* What was added is to be written now. The router's thread. */
void history_flush(struct history *);

/* What its thread does, once: write what was handed over. False when there was nothing. */
bool history_step(struct history *);
/* Wait until what was flushed is in the files, `ms` at most. False: it is not. [any but its own and the router's] */
bool history_sync(struct history *, int64_t ms);

struct history_stat {
	uint64_t bytes;		/* in the files */
	uint64_t lost;		/* entries that were not written, since it was opened */
};
/* [any] */
void history_stat(struct history *, struct history_stat *);
const char *history_folder(const struct history *);

/* What reading found. */
struct history_found {
	int64_t begins_ms;	/* the time of the oldest entry; 0: there is none */
	uint64_t files, bytes, entries;
	uint64_t damaged;	/* pieces that are no valid chunk: a torn end, or damage */
	uint64_t lost;		/* entries that it says were not written */
};
/* Each entry in the folder's files, oldest first, until false; what it points to is gone when `each` returns. It may be written
 * meanwhile. 0, also when there is no folder; -errno. [any] */
int history_read(const char *folder, bool (*each)(void *arg, const struct history_entry *), void *arg,
		 struct history_found *);

#endif
