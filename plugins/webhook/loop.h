/*
 * loop.h - the one event loop of all webhook sinks: a thread, epoll, curl's multi handles.
 *
 * Ten thousand receivers need no threads of their own. Whoever submits only leaves
 * the deliveries in an inbox and wakes the loop; curl is touched by its thread alone.
 */
#ifndef WEBHOOK_LOOP_H
#define WEBHOOK_LOOP_H

#include "webhook/hook.h"

/* Start it. NULL after pb_error(). */
struct loop *loop_new(struct pb_error *);
/* End it; every hook has left. */
void loop_free(struct loop *);
/* A hook joins: it is given its hub. False: out of memory. */
bool loop_join(struct loop *, struct hook *);
/* The hook leaves: what is under way is answered PB_RETRY. On return the loop knows
 * nothing of it any more. */
void loop_leave(struct loop *, struct hook *);
/* Hand over, and return at once. [any] */
void loop_submit(struct loop *, struct hook *, struct pb_delivery *const d[], size_t n);

#endif
