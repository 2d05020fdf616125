/*
 * lane.h - one route's way to one sink: a bounded window over the journal.
 *
 * The window holds what is not settled, in order; whatever is below a lane's next event and
 * not in the window is settled. A lane that has no room falls behind: it keeps its place and
 * catches up from the journal. A straggler with a row in the state leaves the window;
 * while it is at work again it is `loose`. A lane never blocks the router.
 * Everything here is the router's thread's.
 */
#ifndef DISPATCH_LANE_H
#define DISPATCH_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "dispatch/chain.h"
#include "dispatch/leave.h"
#include "dispatch/rules.h"
#include "dispatch/timer.h"
#include "state/rows.h"

struct key;
struct route;
struct outlet;
struct router;

enum slot_state {
	SLOT_HELD,		/* waits for an earlier one of its key */
	SLOT_FILTERING,		/* a chain job has it */
	SLOT_READY,		/* may be sent */
	SLOT_FLYING,		/* deliveries are with the sink */
	SLOT_WAITING,		/* strict: for its next attempt, in place */
	SLOT_SAVING,		/* settled but for its row, which is on its way to the disk */
};

/* One delivery: one event on one lane. */
struct slot {
	struct lane *lane;
	struct slot *prev, *next;	/* the window, or the list of loose ones in the order they came */
	UT_hash_handle hh;		/* lane->loose, by seq */
	uint64_t seq;
	enum slot_state state;
	bool loose;
	bool passed;			/* to be loose once its row is on disk */
	bool forgotten;			/* its row goes and none takes its place */
	const struct pb_event *event;	/* as stored */
	struct parts parts;		/* what filters made of it; empty: the event itself */
	unsigned char *done;		/* how many parts, and which are delivered; NULL: none */
	size_t n_done;
	size_t n_saved;			/* of them in its row */
	char *restored;			/* `done` of its row, until filters have made the parts */
	size_t restored_len;
	size_t flying;			/* deliveries out */
	unsigned attempts;		/* made */
	int64_t first_ms;		/* wall clock of the first failure, 0: none */
	int64_t row_due_ms;		/* due time in the row it has, -1: it has none */
	uint64_t row_cost;		/* of that row: straggler_cost() */
	uint64_t hash;			/* of its key, 0: it has none */
	struct key *key;		/* NULL: it has none, or nobody waits for it any more */
	struct slot *key_prev, *key_next;	/* of the same key, in order of events */
	int64_t taken_ms;		/* monotonic: when it came into the window */
	/* The worst answer of the deliveries that are out. */
	enum pb_code worst;
	int64_t after;
	char *text, *response;
	size_t response_len;
};

/* An event at or past the lane's place at start that has a row already: a strict lane takes it up in its place, with
 * what the row says; a relaxed one passes over it, and with a key it counts from then on. */
struct covered {
	UT_hash_handle hh;
	uint64_t seq;
	unsigned attempts;
	int64_t first_ms, due_ms;	/* wall clock; due_ms -1: it is dead */
	uint64_t key;			/* hash, 0: none */
	uint64_t cost;			/* of the row */
	size_t parts_len;
	char parts[];
};

struct lane {
	struct router *router;
	struct route *route;		/* NULL, and so is `outlet`, when it leaves */
	struct outlet *outlet;
	uint32_t number;		/* names table */
	struct rule *old;		/* what it took before its last barriers, as far as its place needs it */
	uint64_t old_until;		/* the last of those barriers, 0: there is none */
	struct rule *stored;		/* at start: what its row says that it takes */
	struct leaving leaving;
	bool strict;
	bool halves;			/* something in it may be half delivered without a row that says so */
	bool live;			/* offered events as they are committed; `next` is the router's */
	bool riding;			/* in the catch-up pass at this moment */
	uint64_t next;			/* the first event not looked at, when not live */
	struct slot *head, *tail;	/* the window */
	struct slot *ready;		/* the first in the window that may be READY; NULL: none is */
	size_t count, bytes;		/* of the window */
	struct slot *loose;		/* hash by seq */
	struct slot *loose_head, *loose_tail;
	struct covered *covered;	/* hash by seq */
	size_t loose_bytes;
	size_t n_loose, n_flying;	/* n_flying: slots FLYING */
	size_t settled_past_head;	/* settled while the head was not */
	uint64_t settled_top;		/* the last event settled: what is before it was passed */
	uint64_t unordered;		/* strict: before this one some were out when the order was not yet; 0: none */
	uint64_t published, saved;	/* watermarks: last given to a block, last in the state */
	bool unsaved;			/* something real was settled since `saved` */
	/* Parked rows: see yield.h. */
	bool from_rows;			/* each slot of the window has a row on disk, and nothing comes into it but from rows */
	uint64_t untaken;		/* parked rows that are not in the window */
	uint64_t untaken_from;		/* no event of theirs is before this one */
	uint64_t yield_until;		/* what it wants below that is to leave the journal; 0: nothing is */
	enum dead_reason yield_as;	/* as dead letters; 0: parked */
	uint64_t yield_next;		/* its place once what is being saved is on disk; 0: there is nothing on its way */
	uint64_t expire_from;		/* where the look for rows that are too old goes on */
	struct lane *dirty_next;	/* the router's list of lanes that moved */
	bool dirty;
	int64_t next_due_ms;		/* engine wall clock: when stragglers' rows are to be looked at; TIMER_NEVER: none */
	bool more_due;			/* rows are due that there was no room for */
	int64_t hurry_ms;		/* wall clock: rows written before that need not be due; 0: they have to be … */
	int64_t hurry_from;		/* … and of which due time on they are still to be looked at */
	struct timer timer;		/* strict wait in place, stragglers due, or keys to serve */
	char *order_by;			/* what makes the key: an attribute's name, or "data.FIELD"; NULL: there are none */
	size_t max_keys;
	struct key *keys;		/* of which something is not settled: hash by hash */
	struct key *keys_first, *keys_last;	/* those for which a row is to be fetched */
	bool keys_served;		/* at this moment */
	size_t n_held;			/* slots of the window HELD */
	uint64_t stragglers, dead;	/* rows … */
	uint64_t row_bytes, dead_bytes;	/* … and what they cost */
	uint64_t purged, replayed;	/* dead letters, since the start */
	uint64_t resent;		/* kept events that were replayed, likewise */
	uint64_t delivered, retried, filtered;
	uint64_t died[DEAD_REASONS];	/* since the start */
	char *title;			/* "route sink" */
	char *route_name, *sink_title;	/* "route", "sink sink" */
};

/* An empty window of the route's way to the outlet; its watermark is 0 until it is recovered. */
struct lane *lane_new(struct router *, struct route *, struct outlet *);
/* One that only leaves: it is of an earlier configuration. */
struct lane *lane_new_leaving(struct router *, const char *title);
/* Free it and the slots in its window. */
void lane_free(struct lane *);
/* Free what slots of all lanes were in: the last. */
void lane_free_spare(struct router *);
/* Lead from the route to the outlet, from now on: both may be new. What waits in it goes on as the sink's order says. */
void lane_rewire(struct lane *, struct route *, struct outlet *);
/* What waits for its next attempt is tried now, as far as it can go out. */
void lane_hurry(struct lane *);
/* How many deliveries do? */
uint64_t lane_waiting(const struct lane *);
/* The sink's name. */
const char *lane_sink(const struct lane *);
/* It has one straggler's row more, or less. */
static inline void lane_row_added(struct lane *lane, uint64_t cost)
{
	lane->stragglers++;
	lane->row_bytes += cost;
}

static inline void lane_row_gone(struct lane *lane, uint64_t cost)
{
	lane->stragglers--;
	lane->row_bytes -= cost;
}
/* All before it are settled. */
uint64_t lane_watermark(const struct lane *);
/* What it is once the open batch is on disk, in which all rows are that slots wait for: both go in one. */
uint64_t lane_watermark_saved(const struct lane *);
/* Can the window take another event? */
bool lane_has_room(const struct lane *);
/* A slot for the event at the end of the window (READY, or FILTERING). Takes a reference. */
struct slot *lane_push(struct lane *, const struct pb_event *, enum slot_state);
/* A loose slot for a straggler that is tried again. */
struct slot *lane_push_loose(struct lane *, const struct pb_event *, uint64_t seq, enum slot_state);
struct slot *lane_find_loose(const struct lane *, uint64_t seq);
/* Is a slot of the window the event's? */
bool lane_in_window(const struct lane *, uint64_t seq);
/* It may be sent: filters are through, or its wait is over. */
void lane_ready(struct slot *);
/* The next slot that may be sent now, or NULL. In a strict lane only the first of the window, or, after `after`, the one
 * that follows it; a batch is built with it. Loose ones come first. */
struct slot *lane_next_ready(struct lane *, const struct slot *after);
/* At start: the event has a row, or (NULL) is dead. */
void lane_cover(struct lane *, uint64_t seq, const struct straggler_row *);
/* Is the event one of those? It is the caller's then, to be freed. */
struct covered *lane_take_covered(struct lane *, uint64_t seq);
/* Up to where settled events may lie behind others that are not. */
uint64_t lane_passed(const struct lane *);
/* The lane, which is not strict, has passed it: a straggler comes back like any other. */
void lane_pass_covered(struct lane *, const struct covered *);
/* Likewise those that it has passed without taking them up, since its route does not want them now. */
void lane_uncover(struct lane *);
/* That of the event, or NULL; it stays the lane's. */
struct covered *lane_find_covered(const struct lane *, uint64_t seq);
/* Has the lane yet to come by the event? A strict one takes it up in its place; a relaxed one lets it wait till then,
 * since of a row that goes before its event is passed nothing would be left. */
bool lane_takes_up(const struct lane *, uint64_t seq);
/* A slot at the end of a strict lane's window for an event that has a row: it waits in its place until it is due. */
void lane_push_waiting(struct lane *, const struct pb_event *, const struct covered *);
/* Nothing is left of its parked rows: it goes on with the journal. */
void lane_rows_done(struct lane *);
/* The slot is settled: it leaves, and is freed. */
void lane_settled(struct slot *);
/* A window slot becomes a loose one: its row is on disk, but it is still at work. */
void lane_loosen(struct slot *);
/* Stop being offered events: `seq` is the first that was not taken. */
void lane_fall_behind(struct lane *, uint64_t seq);

/* The parts to send: how many, the i-th, and whether it is delivered. */
size_t slot_parts(const struct slot *);
const struct pb_event *slot_part(const struct slot *, size_t i);
bool slot_part_done(const struct slot *, size_t i);
void slot_part_delivered(struct slot *, size_t i);
/* Restore which parts are delivered from a row. */
void slot_restore_parts(struct slot *, struct pb_span bits);
struct pb_span slot_parts_bits(const struct slot *);

#endif
