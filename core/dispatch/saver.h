/*
 * saver.h - the thread that applies batches to the state, one at a time, so that the router never waits for a sync.
 */
#ifndef DISPATCH_SAVER_H
#define DISPATCH_SAVER_H

#include <pthread.h>
#include <stdbool.h>

#include "dispatch/inbox.h"
#include "state/state.h"

struct saver {
	pthread_mutex_t lock;		/* guards all below */
	pthread_cond_t wake;
	struct state_batch batch;	/* at work on, or the next */
	bool busy;			/* there is one */
	bool stopping;
	bool full;			/* the last try found no space; said once. The saver's own */
	struct state *state;
	struct inbox *inbox;
	pthread_t thread;
	bool started;
};

/* Without a thread yet; its results go to the inbox. */
void saver_init(struct saver *, struct state *, struct inbox *);
/* The thread must have ended. */
void saver_fini(struct saver *);
/* Start the thread. 0 or -errno. */
int saver_start(struct saver *);
/* Hand it a batch, which is empty afterwards; it must not be busy. The result comes by the inbox. */
void saver_apply(struct saver *, struct state_batch *);
/* What the thread does, once: apply the batch, if there is one. False when there was nothing to do, or no space.
 * Tests without threads call it. */
bool saver_step(struct saver *);
/* Finish the present batch and end. */
void saver_stop(struct saver *);

#endif
