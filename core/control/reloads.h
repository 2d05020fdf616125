/*
 * reloads.h - reloads asked for by the control socket and done by the main thread.
 *
 * Each has a number. One that is asked for while another is under way begins after it; all that are asked for until it
 * begins are one. What came of the last is kept.
 */
#ifndef CONTROL_RELOADS_H
#define CONTROL_RELOADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct reloads {
	pthread_mutex_t lock;	/* guards all below */
	void (*wake)(void);	/* the main thread has to look here */
	uint64_t asked, begun, done;	/* numbers of the last, 0: none */
	bool right;		/* the last one done took effect */
	struct buf lines;	/* what it has to say: lines of an answer */
};

/* `wake` is called by whoever asks. */
void reloads_init(struct reloads *, void (*wake)(void));
void reloads_free(struct reloads *);
/* Ask for one; its number. [any] */
uint64_t reloads_ask(struct reloads *);
/* Is one to be done? It has begun then. Main thread. */
bool reloads_begin(struct reloads *);
/* It is done; `lines` is taken over. Main thread. */
void reloads_end(struct reloads *, bool right, struct buf *lines);
/* Has the one of that number been done? Then how it went, and its lines are appended. [any] */
bool reloads_result(struct reloads *, uint64_t number, bool *right, struct buf *lines);

#endif
