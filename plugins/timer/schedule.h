/*
 * schedule.h - when a timer ticks, in ms since 1970 UTC: a function of the time alone.
 *
 * When clocks are put forward or back by up to three hours, it is as with Vixie's cron (crontab(5)): an expression
 * whose minute and hour both do not begin with "*" ticks once for each time of day that it names. One that the clock
 * leaps over ticks when it has leapt, and one that comes twice ticks the first time. Any other ticks whenever the
 * clock shows a time that matches.
 */
#ifndef TIMER_SCHEDULE_H
#define TIMER_SCHEDULE_H

#include "timer/cron.h"
#include "timer/zone.h"

#define SCHEDULE_NEVER INT64_MAX
#define SCHEDULE_SHIFT (3 * 3600)	/* seconds: more than this is not summer time */

struct schedule {
	int64_t every;		/* ms, or 0: then by cron and zone */
	struct cron cron;
	struct zone *zone;
};

/* The first tick after `ms`. */
int64_t schedule_next(const struct schedule *, int64_t ms);

#endif
