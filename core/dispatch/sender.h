/*
 * sender.h - the thread that calls write() or submit(), so that no plugin ever holds the router.
 *
 * A sink with write() has one of its own; all with submit() share one, since that returns at once.
 */
#ifndef DISPATCH_SENDER_H
#define DISPATCH_SENDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "dispatch/delivery.h"

struct sender {
	const char *name;
	pthread_mutex_t lock;		/* guards all below but the thread */
	pthread_cond_t wake;
	pthread_cond_t ended_cond;	/* the thread has ended, or is back from a plugin while somebody waits for that */
	struct batch *first, **last;
	_Atomic(const struct outlet *) calling;	/* whose plugin the thread is in, NULL: none; [any] */
	_Atomic int64_t since;		/* monotonic ms when that began */
	bool stopping;			/* what is in the queue is answered untried */
	bool reopen;
	bool ended;			/* the thread has left its loop */
	struct outlet **outlets;	/* whose batches come here */
	size_t n_outlets;
	unsigned n_leaving;		/* who waits in sender_leave() */
	pthread_t thread;
	bool started;
};

/* Without a thread yet; `name`, which must stay, will be its. */
void sender_init(struct sender *, const char *name);
/* The thread must have ended and the queue be empty. */
void sender_fini(struct sender *);
/* The outlet, whose `sender` it is, is open (or will be before the thread starts), and is so no more. [any] */
void sender_add(struct sender *, struct outlet *);
void sender_remove(struct sender *, const struct outlet *);
/* Nothing of the outlet is under way: take it out once the thread is not inside its plugin. False: it is until `deadline`
 * (monotonic ms). [any other] */
bool sender_leave(struct sender *, const struct outlet *, const struct clock *, int64_t deadline);
/* Start the thread. 0 or -errno. */
int sender_start(struct sender *);
/* The batch is the sender's now. The router's thread. */
void sender_queue(struct sender *, struct batch *);
/* What the thread does, once: hand one batch to its plugin. False when there is nothing to do. Tests without threads call it. */
bool sender_step(struct sender *);
/* Call reopen() of every outlet, between two batches. [any] */
void sender_reopen(struct sender *);
/* Ask it to end after the present call. */
void sender_stop(struct sender *);
/* Wait for that until `deadline` (monotonic ms). False: it is still inside the plugin. */
bool sender_join(struct sender *, const struct clock *, int64_t deadline);

#endif
