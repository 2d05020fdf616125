/* timer.h - a heap of what is to happen when: the router's, on the engine's monotonic time. */
#ifndef DISPATCH_TIMER_H
#define DISPATCH_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_NEVER INT64_MAX

struct timer {
	int64_t at;		/* ms */
	size_t place;		/* 1.. in the heap; 0: not set */
	void (*fire)(struct timer *);
};

struct timers {
	struct timer **heap;
	size_t n, room;
};

/* Free the heap; the timers are their owners'. */
void timers_free(struct timers *);
/* Set or move. */
void timer_set(struct timers *, struct timer *, int64_t at);
/* Set, unless it is set to fire sooner. */
void timer_sooner(struct timers *, struct timer *, int64_t at);
void timer_clear(struct timers *, struct timer *);
/* Take the next that is due at `now`, or NULL. */
struct timer *timers_due(struct timers *, int64_t now);
/* When the next is due, TIMER_NEVER when none is set. */
int64_t timers_next(const struct timers *);

#endif
