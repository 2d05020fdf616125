/* simulated.h - a state in memory that forgets an unsynced apply, fills up and fails on demand. */
#ifndef STATE_SIMULATED_H
#define STATE_SIMULATED_H

#include "state/state.h"

/* A disk outlives the states opened on it. */
struct state_disk;

struct state_disk *state_disk_new(uint64_t seed);
void state_disk_free(struct state_disk *);
struct state *state_simulated(struct state_disk *);
/* The next apply fails with -error; with `applied` its rows are there all the same (after a crash). */
void state_disk_fail(struct state_disk *, int error, bool applied);
/* The machine dies during or after the last apply: it is there whole or not at all. */
void state_disk_crash(struct state_disk *);

#endif
