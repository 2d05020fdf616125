/*
 * yield.h - lanes leave the journal without having delivered what they want of it.
 *
 * What a lane wants of a piece of the journal gets rows: parked ones, which it takes up again, in order, before
 * it goes on with the journal; or dead letters'. Its place, and so its watermark, passes the piece with the same save.
 * First its window gets parked rows too: so from then on the window is a part of the rows (lane->from_rows), nothing
 * of the lane's needs the journal, and a strict lane's order is that of its rows. Everything here is the router's thread's.
 */
#ifndef DISPATCH_YIELD_H
#define DISPATCH_YIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "journal/journal.h"
#include "state/rows.h"

struct lane;
struct router;

struct yield {
	bool due;			/* some lane has more to give up */
	struct journal_cursor *cursor;
	uint64_t cursor_seq;		/* what it reads next */
};

/* What the lane wants of events below `until` is to leave the journal: parked, or dead for a reason that is not 0. Pieces of it
 * go with the next saves. */
void yield_lane(struct lane *, uint64_t until, enum dead_reason);
/* The next piece of what lanes are to give up. Not while a save is under way. */
void yield_turn(struct router *);
/* That is on disk: lanes are past it. */
void yield_saved(struct router *);
/* At start: the lane has a parked row. */
void yield_found(struct lane *, uint64_t seq);

#endif
