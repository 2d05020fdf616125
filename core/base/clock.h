/*
 * clock.h - what time it is, from a clock that a test can set.
 *
 * Whoever needs the time is handed a clock. Waits are counted on the monotonic
 * reading; dates and what survives a restart are on the wall.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t (*wall)(const struct clock *);	/* ms since 1970 UTC */
	int64_t (*mono)(const struct clock *);	/* ms, never goes back */
	int64_t (*fine)(const struct clock *);	/* the same in µs: for measuring */
};

static inline int64_t clock_wall(const struct clock *c)
{
	return c->wall(c);
}

static inline int64_t clock_mono(const struct clock *c)
{
	return c->mono(c);
}

static inline int64_t clock_fine(const struct clock *c)
{
	return c->fine(c);
}

/* The machine's. [any thread] */
extern const struct clock clock_system;

/* A clock that stands still until it is set: for tests. */
struct clock_manual {
	struct clock clock;
	int64_t wall_ms, mono_ms;
};
/* Stands at `wall_ms` and 0. */
void clock_manual_init(struct clock_manual *, int64_t wall_ms);
/* Both readings go forward by `ms`. */
void clock_manual_advance(struct clock_manual *, int64_t ms);

#define TIME_TEXT_SIZE sizeof "2026-01-02T03:04:05.678Z"
/* RFC 3339 UTC with milliseconds; years outside 0001..9999 are clamped. */
void time_format(int64_t wall_ms, char text[static TIME_TEXT_SIZE]);
/* RFC 3339 section 5.6 date-time, any offset and fraction (cut to ms), to ms since 1970 UTC. A leap
 * second counts as the second after it. 0 or -EINVAL. */
int time_parse(const char *text, int64_t *wall_ms);

#endif
