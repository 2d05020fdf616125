/*
 * keys.h - order_by: deliveries of a lane whose key is equal go out one after another, in order of events.
 *
 * A lane knows a key as long as something of it is not settled: a slot at work, slots that are held behind it, a
 * straggler that waits for its time, rows that are parked behind that one. What comes in of a key whose straggler
 * waits is parked too, and so is what was held for long: the lane goes on with other keys. When the earlier is settled the next
 * comes from memory, or is read from its row, whichever is first. Rows make it go on after a restart, whatever the
 * option says by then. Two keys with the same hash wait for each other, which does no harm. The router's thread.
 */
#ifndef DISPATCH_KEYS_H
#define DISPATCH_KEYS_H

#include <patchbay/plugin.h>

#include "state/rows.h"

struct lane;
struct slot;

/* What `order_by` takes from the event, hashed (doc/store-format.md); 0: the lane has no such option, or the event no such
 * value. */
uint64_t keys_hash(const struct lane *, const struct pb_event *);
/* A slot comes in that nothing was decided of, FILTERING, with its hash: it begins, is held, or goes to be parked. */
void keys_enter(struct slot *, uint64_t hash);
/* A straggler with a key is back from its row: likewise, but for being parked. */
void keys_back(struct slot *);
/* The slot is delivered: the next may go, even if the disk does not know of it yet. */
void keys_settled(struct slot *);
/* The slot leaves memory; what is on disk of it is what its row says. */
void keys_left(struct slot *);
/* One that is held waits no more for its key, whatever comes of it. */
void keys_unhold(struct slot *);
/* One that is held gets a row behind its key, and leaves. */
void keys_park(struct slot *);
/* Deliveries that are held for their keys fill most of the window while the sink could do more: they are parked. */
void keys_make_room(struct lane *);
/* A straggler's row without a slot counts from now on: `key` and `due_ms` are the row's. Others are passed over. */
void keys_note_row(struct lane *, uint64_t seq, uint64_t key, int64_t due_ms);
/* Likewise all of the lane's rows that are below its place and not in memory. 0 or -errno. */
int keys_note_rows(struct lane *);
/* Such a row has gone. */
void keys_row_gone(struct lane *, uint64_t key, int64_t due_ms);
/* Bring in what is next of keys that wait for it, as far as there is room. */
void keys_serve(struct lane *);
/* May the lane wait for one key more? */
bool keys_have_room(const struct lane *);
/* Forget all keys; slots that were held stay so. */
void keys_forget(struct lane *);

#endif
