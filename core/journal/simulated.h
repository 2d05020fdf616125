/* simulated.h - a journal in memory that loses and reorders unsynced writes, tears blocks, fills up and fails
 * on demand: for tests and the simulation. */
#ifndef JOURNAL_SIMULATED_H
#define JOURNAL_SIMULATED_H

#include "journal/journal.h"

/* A disk outlives the journals opened on it. */
struct journal_disk;

/* An empty disk; what it loses and keeps follows from `seed`. Freed after the last journal on it. */
struct journal_disk *journal_disk_new(uint64_t seed);
void journal_disk_free(struct journal_disk *);
/* Open the journal on the disk, which it does not own. NULL: refused, or the machine died. */
struct journal *journal_simulated(struct journal_disk *, const struct journal_options *);
/* The next append fails with -error before (`written` false) or after its bytes may have reached the disk. */
void journal_disk_fail(struct journal_disk *, int error, bool written);
/* Space for this many bytes in all; UINT64_MAX: no limit, as at first. */
void journal_disk_room(struct journal_disk *, uint64_t bytes);
/* The machine dies: of what was written and not synced any part stays. The open journal must be closed (nothing more
 * is written by that) and another opened. */
void journal_disk_crash(struct journal_disk *);

/* The machine dies in the `changes`-th change from now (1: the next): a write, a sync, a new name, …; that and all
 * after it fail with -EIO until the disk is opened again. Opening may itself die of it. 0: not any more. */
void journal_disk_die(struct journal_disk *, unsigned changes);
/* Has it died, and was not opened again? */
bool journal_disk_dead(struct journal_disk *);
/* Call `died` whenever the machine dies, from within what dies of it: to let other disks of it die. */
void journal_disk_watch(struct journal_disk *, void (*died)(void *arg), void *arg);
/* Put a file there, as if it had always been; no journal is open on the disk. */
void journal_disk_put(struct journal_disk *, const char *name, struct pb_span content);

#endif
