/* cron.c - five fields to sets of bits, and the search for the next minute that has them all. */
#include "timer/cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY 1440		/* minutes */
#define SEARCH (50 * 366)	/* days: 29 February on a given weekday comes within forty years */
#define ERA 146097		/* days of 400 years */
#define SINCE_2000 10957	/* days from 1970-01-01 to 2000-01-01 */

struct field {
	const char *name;
	int min, max;
	const char *const *names;	/* of min, min + 1, …; NULL: numbers only */
};

static const char *const months[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL
};
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

enum { MINUTE, HOUR, DAY_OF_MONTH, MONTH, WEEKDAY, FIELDS };

static const struct field fields[FIELDS] = {
	{ "minute", 0, 59, NULL }, { "hour", 0, 23, NULL }, { "day of the month", 1, 31, NULL },
	{ "month", 1, 12, months }, { "weekday", 0, 7, weekdays },
};

static const struct {
	const char *name, *text;
} nicknames[] = {
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" }, { "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
};

/*** The calendar. ***/

int64_t cron_days(int64_t year, int month, int day)
{
	/* Years begin in March, so that a leap day is the last of one. */
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void cron_date(int64_t days, int64_t *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - (ERA - 1)) / ERA;
	int64_t of_era = days - era * ERA;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA - 1)) / 365;
	int of_year = (int)(of_era - (365 * y + y / 4 - y / 100));
	int m = (5 * of_year + 2) / 153;
	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = y + era * 400 + (*month <= 2);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*** Reading. ***/

/* A number or a name; -1: neither. */
static int read_value(const struct field *f, const char **at)
{
	int value = 0, digits = 0;
	for (; **at >= '0' && **at <= '9' && digits < 4; (*at)++, digits++)
		value = value * 10 + (**at - '0');
	if (digits > 0)
		return value;
	for (int i = 0; f->names != NULL && f->names[i] != NULL; i++)
		if (strncasecmp(*at, f->names[i], 3) == 0) {
			*at += 3;
			return f->min + i;
		}
	return -1;
}

static bool wrong(char *why, size_t size, const struct field *f, const char *what)
{
	snprintf(why, size, "%s: %s", f->name, what);
	return false;
}

static bool read_range(const struct field *f, const char **at, int *from, int *to, char *why, size_t size)
{
	*from = f->min;
	*to = f->max;
	if (**at == '*') {
		(*at)++;
		return true;
	}
	*from = *to = read_value(f, at);
	if (**at == '-' && *from >= 0) {
		(*at)++;
		*to = read_value(f, at);
		if (f->names == weekdays && *to == 0 && *from > 0)	/* fri-sun */
			*to = 7;
	}
	if (*from < 0 || *to < 0)
		return wrong(why, size, f, f->names != NULL ? "expected a number, a name of three letters or *" :
			     "expected a number or *");
	if (*from < f->min || *to > f->max || *from > f->max) {
		snprintf(why, size, "%s: expected %d to %d", f->name, f->min, f->max);
		return false;
	}
	return *from <= *to || wrong(why, size, f, "a range begins after its end");
}

/* One item of a list into *bits. */
static bool read_item(const struct field *f, const char **at, uint64_t *bits, char *why, size_t size)
{
	const char *begin = *at;
	int from, to, step = 1;
	if (!read_range(f, at, &from, &to, why, size))
		return false;
	if (**at == '/') {
		if (*begin != '*' && from == to)
			return wrong(why, size, f, "a step needs a range or * before it");
		(*at)++;
		step = **at >= '0' && **at <= '9' ? read_value(f, at) : 0;
		if (step < 1 || step > f->max)
			return wrong(why, size, f, "expected a step of 1 or more, within the field");
	}
	for (int i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << i;
	return true;
}

static bool read_field(const struct field *f, const char **at, uint64_t *bits, char *why, size_t size)
{
	*bits = 0;
	for (;;) {
		if (!read_item(f, at, bits, why, size))
			return false;
		if (**at != ',')
			break;
		(*at)++;
	}
	return **at == '\0' || **at == ' ' || **at == '\t' ||
	       wrong(why, size, f, "expected a list of numbers, ranges and steps, such as 1,5-9,20-50/10");
}

static const char *expand(const char *text)
{
	for (size_t i = 0; i < sizeof nicknames / sizeof *nicknames; i++)
		if (strcasecmp(text, nicknames[i].name) == 0)
			return nicknames[i].text;
	return text;
}

static bool count_wrong(char *why, size_t size, const char *text)
{
	if (*text == '@')
		snprintf(why, size, "expected @hourly, @daily, @weekly, @monthly or @yearly");
	else
		snprintf(why, size, "expected five fields: minute, hour, day of the month, month, weekday");
	return false;
}

bool cron_parse(struct cron *cron, const char *text, char *why, size_t size)
{
	uint64_t bits[FIELDS];
	bool any[FIELDS];
	const char *at = expand(text);
	for (int i = 0; i < FIELDS; i++) {
		at += strspn(at, " \t");
		if (*at == '\0' || *at == '@')
			return count_wrong(why, size, text);
		any[i] = *at == '*';
		if (!read_field(&fields[i], &at, &bits[i], why, size))
			return false;
	}
	if (at[strspn(at, " \t")] != '\0')
		return count_wrong(why, size, text);
	*cron = (struct cron){
		.minutes = bits[MINUTE], .hours = (uint32_t)bits[HOUR], .days = (uint32_t)bits[DAY_OF_MONTH],
		.months = (uint32_t)bits[MONTH],
		.weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
		.any_day = any[DAY_OF_MONTH], .any_weekday = any[WEEKDAY], .fixed = !any[MINUTE] && !any[HOUR],
	};
	if (cron_next(cron, (int64_t)SINCE_2000 * DAY) != CRON_NEVER)
		return true;
	snprintf(why, size, "there is no such day");
	return false;
}

/*** Searching. ***/

static bool day_matches(const struct cron *cron, int64_t days)
{
	int64_t year;
	int month, day, weekday = (int)(((days + 4) % 7 + 7) % 7);	/* 1970-01-01 was a Thursday */
	cron_date(days, &year, &month, &day);
	if ((cron->months >> month & 1) == 0)
		return false;
	bool in_days = (cron->days >> day & 1) != 0, in_week = (cron->weekdays >> weekday & 1) != 0;
	return cron->any_day || cron->any_weekday ? in_days && in_week : in_days || in_week;
}

/* The first minute of a day from `from` on, or -1. */
static int minute_of_day(const struct cron *cron, int from)
{
	for (int hour = from / 60, minute = from % 60; hour < 24; hour++, minute = 0) {
		uint64_t left = cron->minutes >> minute;
		if ((cron->hours >> hour & 1) != 0 && left != 0)
			return hour * 60 + minute + __builtin_ctzll(left);
	}
	return -1;
}

int64_t cron_next(const struct cron *cron, int64_t minute)
{
	int64_t days = floor_div(minute, DAY);
	int from = (int)(minute - days * DAY);
	for (int n = 0; n < SEARCH; n++, days++, from = 0) {
		int found = day_matches(cron, days) ? minute_of_day(cron, from) : -1;
		if (found >= 0)
			return days * DAY + found;
	}
	return CRON_NEVER;
}
