/* simulated.h - a state in memory that fills up, fails and dies on demand. */
#ifndef STATE_SIMULATED_H
#define STATE_SIMULATED_H

#include "state/state.h"

/* A disk outlives the states opened on it. */
struct state_disk;

/* An empty disk. Freed after the last state on it. */
struct state_disk *state_disk_new(void);
void state_disk_free(struct state_disk *);
/* Open the state on the disk, which it does not own. */
struct state *state_simulated(struct state_disk *);
/* The next apply fails with -error; with `applied` its rows are there all the same. */
void state_disk_fail(struct state_disk *, int error, bool applied);
/* The machine dies in the next apply; with `applied` its rows are there all the same. */
void state_disk_die(struct state_disk *, bool applied);
/* Has it died, and was not opened again? */
bool state_disk_dead(struct state_disk *);
/* Every apply finds no space, until it is said that there is some. */
void state_disk_full(struct state_disk *, bool full);
/* The machine dies: each apply that returned 0 is there. The open state must be closed (what it still applies fails with
 * -EIO) and another opened. */
void state_disk_crash(struct state_disk *);

#endif
