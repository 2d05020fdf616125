/*
 * breaker.h - a sink as a whole: open for business, held, or gone.
 *
 * An answer of down, or so many failures in a row, hold everything; after a growing pause one delivery
 * goes out as a probe. When the receiver is back, it is not flooded: what may be out doubles
 * with each success, and grows by one a second while all of that is out. Only a state machine: the outlet
 * asks it and tells it.
 */
#ifndef DISPATCH_BREAKER_H
#define DISPATCH_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
	BREAKER_CLOSED,		/* current flows */
	BREAKER_OPEN,		/* nothing goes out until `until` */
	BREAKER_PROBING,	/* one delivery may be out */
	BREAKER_DISABLED,	/* an operator, or a receiver that is gone, has said so */
};

struct breaker {
	enum breaker_state state;
	/* Set at birth. */
	unsigned failures_max;	/* so many in a row open it; 0: only an answer of down does */
	int64_t first_pause, longest_pause;	/* ms */
	unsigned spread;	/* 1024ths that a pause is longer, so that those that opened together are not probed together */
	unsigned failures;	/* in a row */
	unsigned trips;		/* in a row: the pause doubles */
	unsigned long ramp;	/* at most so many may be out; 0: no limit of the breaker's */
	int64_t until;		/* monotonic ms */
	bool probe_out;
};

/* How many deliveries may be out beside `in_flight`, given `most`. */
unsigned long breaker_allows(const struct breaker *, unsigned long in_flight, unsigned long most);
/* A delivery goes out. */
void breaker_sent(struct breaker *);
/* An answer came that shows that the receiver works. True when that closed it. */
bool breaker_alive(struct breaker *, unsigned long most);
/* A second went by. True when one more may be out, since all that may be are, unanswered: some receivers answer late, or
 * not to each. */
bool breaker_waited(struct breaker *, unsigned long in_flight);
/* A delivery failed. True when this opened it (log it). */
bool breaker_failed(struct breaker *, int64_t now);
/* The receiver is down, for not less than `after` ms when that is not 0. True when this opened it (log it). */
bool breaker_down(struct breaker *, int64_t now, int64_t after);
/* Nothing was sent after all. */
void breaker_untried(struct breaker *, int64_t now);
/* Nothing goes out until breaker_enable(). False when it was so already. */
bool breaker_gone(struct breaker *);
/* After breaker_gone(): as after a probe that was answered. */
void breaker_enable(struct breaker *);
/* `until` has come. */
void breaker_expired(struct breaker *, int64_t now);
const char *breaker_name(const struct breaker *);

#endif
