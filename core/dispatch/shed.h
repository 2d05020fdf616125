/*
 * shed.h - deliveries that wait and are given up: they become dead letters, the oldest first.
 *
 * What is in memory is settled like any other; a row on disk becomes a dead letter's in one batch. Until that is on disk it is
 * still read there, so it is remembered, and nobody takes it up meanwhile. The router's thread.
 */
#ifndef DISPATCH_SHED_H
#define DISPATCH_SHED_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "state/rows.h"

struct lane;
struct outlet;
struct router;

struct shed_row {
	UT_hash_handle hh;
	uint64_t key[2];	/* lane, sequence number */
	uint64_t save;		/* the save that carries it */
	uint64_t hash;		/* of its key, which waits until then; 0: nobody does */
	int64_t due_ms;
};

/* Deliveries of the sink that cost `bytes` together, or a piece of them: first what is parked, then stragglers. How many. What is
 * out stays. */
size_t shed_oldest(struct outlet *, uint64_t bytes);
/* The lane's row of the event, which is not in memory and which the watermark has passed, becomes a dead letter's. What it cost, 0:
 * there is none. */
uint64_t shed_row(struct lane *, uint64_t seq, enum dead_reason);
/* The straggler's row goes with the open batch: it is the caller's to put that in. Nobody takes it up meanwhile. */
struct shed_row *shed_note(struct router *, struct delivery_key);
/* Is this straggler's row on its way out, or to be a dead letter's? */
bool shed_has(const struct router *, struct delivery_key);
/* A save is on disk. */
void shed_saved(struct router *);
/* The lane forgets its keys. */
void shed_forget_keys(const struct lane *);
void shed_free(struct router *);

#endif
