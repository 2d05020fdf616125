/*
 * leave.h - lanes that the configuration no longer has: what they still had to deliver becomes dead letters.
 *
 * A lane leaves at the barrier at which its route or sink went. What waits in memory is dead at once, what is with
 * the sink or a filter when it comes back undelivered; then rows of stragglers and the events that it was behind,
 * in pieces, each of which is on disk before the next begins, since the lane's watermark must not pass an
 * event that has no row yet. When nothing is left its rows go, but for the dead letters, which can be replayed once there
 * is a lane of that name again. It goes on after a restart. The router's thread.
 */
#ifndef DISPATCH_LEAVE_H
#define DISPATCH_LEAVE_H

#include <stdbool.h>
#include <stdint.h>

struct lane;
struct route;
struct outlet;
struct router;

/* Part of a lane. */
struct leaving {
	bool is;		/* it leaves, or is about to: at start, before the configuration stands */
	bool begun;
	uint64_t end;		/* the first event that is not its any more */
	uint64_t to;		/* the piece at work reaches to here … */
	uint64_t save;		/* … and is on disk with this save; 0: there is none */
	uint64_t moved;		/* dead letters made of it by now */
};

/* The configuration has it no more from event `barrier` on. What comes after it is no lane of a router's lists but of
 * `leaving`; its watermark and rows are looked after as before. */
void leave_begin(struct lane *, uint64_t barrier);
/* At start: what was known of the lane is complete, and the configuration without it stands. */
void leave_go_on(struct lane *);
/* The configuration has it again, from `barrier` on; not while a piece is under way. What is not dead yet is delivered. */
void leave_return(struct lane *, struct route *, struct outlet *, uint64_t barrier);
/* Let the lanes' places pass the pieces that are on disk. */
void leave_settle(struct router *);
/* Is a piece of any lane on its way to the disk? */
bool leave_is_busy(const struct router *);
/* A turn's piece of each; lanes that have left are freed. True when there is more to do at once. */
bool leave_turn(struct router *);

#endif
