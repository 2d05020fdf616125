/*
 * trail.h - what the engine writes into the history of events, one call where something becomes of one.
 *
 * For the router's thread, or before it is started. Without a history nothing is done. What is written is never
 * needed to deliver anything: see state/history.h.
 */
#ifndef DISPATCH_TRAIL_H
#define DISPATCH_TRAIL_H

#include "dispatch/router.h"

/* The events of a block, which is on disk: as they are in memory, or only by their ids. */
void trail_committed(struct router *, const struct committed *);
/* At a start: an event that is in the journal, and may not be in the history. */
void trail_found(struct router *, uint64_t seq, struct pb_span packed);
/* A delivery is answered; the slot knows of it already. */
void trail_answer(struct router *, const struct pb_delivery *);
/* The route's filters dropped the slot's event. */
void trail_filtered(struct router *, const struct slot *);
/* They could not handle it, and why: slot->text. */
void trail_filter_failed(struct router *, const struct slot *);
/* A delivery is dead; the event may be NULL. */
void trail_dead(struct router *, struct delivery_key, const struct pb_event *, enum dead_reason);
/* A dead letter is replayed, or else purged. */
void trail_changed(struct router *, struct delivery_key, bool replayed);
/* A configuration is in force from here on. */
void trail_configured(struct router *);

#endif
