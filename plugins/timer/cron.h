/*
 * cron.h - cron expressions, on a calendar without zones.
 *
 * Minutes are counted since 1970-01-01 00:00 as the clock on the wall shows it.
 */
#ifndef TIMER_CRON_H
#define TIMER_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRON_NEVER INT64_MIN

/* A bit for each value that a field allows. */
struct cron {
	uint64_t minutes;
	uint32_t hours, days, months, weekdays;	/* days from bit 1, months from bit 1, Sunday is bit 0 */
	bool any_day, any_weekday;	/* the field begins with "*": both must match, else one of the two */
	bool fixed;			/* neither minute nor hour begins with "*" */
};

/* Read "MINUTE HOUR DAY MONTH WEEKDAY" or "@daily". False with a line in `why` that says what is wrong. An
 * expression that no day ever matches is wrong. */
bool cron_parse(struct cron *, const char *text, char *why, size_t size);
/* The first minute from `minute` on that matches; CRON_NEVER: none within fifty years. */
int64_t cron_next(const struct cron *, int64_t minute);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and the date of such a day. */
int64_t cron_days(int64_t year, int month, int day);
void cron_date(int64_t days, int64_t *year, int *month, int *day);

#endif
