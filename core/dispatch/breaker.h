/*
 * breaker.h - a sink as a whole: open for business, held, or gone.
 *
 * An answer of down holds everything; after a growing pause one delivery goes out as a
 * probe. Only a state machine: the outlet asks it and tells it.
 */
#ifndef DISPATCH_BREAKER_H
#define DISPATCH_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
	BREAKER_CLOSED,		/* current flows */
	BREAKER_OPEN,		/* nothing goes out until `until` */
	BREAKER_PROBING,	/* one delivery may be out */
	BREAKER_DISABLED,	/* the receiver is gone for good */
};

struct breaker {
	enum breaker_state state;
	unsigned trips;		/* in a row: the pause doubles */
	int64_t until;		/* monotonic ms */
	bool probe_out;
};

#define BREAKER_FIRST_PAUSE 1000
#define BREAKER_LONGEST_PAUSE (5 * 60 * 1000)

/* How many deliveries may be out beside `in_flight`, given `most`. */
unsigned long breaker_allows(const struct breaker *, unsigned long in_flight, unsigned long most);
/* A delivery goes out. */
void breaker_sent(struct breaker *);
/* An answer came that is neither down nor gone nor untried: the receiver is there. True when that closed it. */
bool breaker_alive(struct breaker *);
/* True when this opened it (log it); not sooner than `after` ms when that is not 0. */
bool breaker_down(struct breaker *, int64_t now, int64_t after);
/* Nothing was sent after all. */
void breaker_untried(struct breaker *, int64_t now);
bool breaker_gone(struct breaker *);
/* `until` has come. */
void breaker_expired(struct breaker *, int64_t now);
const char *breaker_name(const struct breaker *);

#endif
