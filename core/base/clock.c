/* clock.c - the machine's clock, a settable one, and RFC 3339 text. */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define YEAR_1_MS INT64_C(-62135596800000)	/* 0001-01-01T00:00:00.000Z */
#define YEAR_9999_MS INT64_C(253402300799999)	/* 9999-12-31T23:59:59.999Z */

static int64_t read_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall(const struct clock *c)
{
	(void)c;
	return read_ms(CLOCK_REALTIME);
}

static int64_t system_mono(const struct clock *c)
{
	(void)c;
	return read_ms(CLOCK_MONOTONIC);
}

static int64_t system_fine(const struct clock *c)
{
	struct timespec t;
	(void)c;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const struct clock clock_system = {
	.wall = system_wall, .mono = system_mono, .fine = system_fine,
};

static int64_t manual_wall(const struct clock *c)
{
	return ((const struct clock_manual *)(const void *)c)->wall_ms;
}

static int64_t manual_mono(const struct clock *c)
{
	return ((const struct clock_manual *)(const void *)c)->mono_ms;
}

static int64_t manual_fine(const struct clock *c)
{
	return manual_mono(c) * 1000;
}

void clock_manual_init(struct clock_manual *m, int64_t wall_ms)
{
	*m = (struct clock_manual){
		.clock = { .wall = manual_wall, .mono = manual_mono, .fine = manual_fine },
		.wall_ms = wall_ms,
	};
}

void clock_manual_advance(struct clock_manual *m, int64_t ms)
{
	m->wall_ms += ms;
	m->mono_ms += ms;
}

struct date {
	int year, month, day;
};

/* Years are counted from March, so that the leap day ends one and months need no table.
 * (Done here since timegm() and gmtime_r() take libc's time zone lock.) */
static int64_t days_from_date(struct date d)
{
	int64_t y = d.month > 2 ? d.year : d.year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * ((d.month + 9) % 12) + 2) / 5 + d.day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static struct date date_from_days(int64_t days)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
			       day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 -
					    year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	return (struct date){
		.year = (int)(year_of_era + era * 400) + (month <= 2),
		.month = month,
		.day = (int)(day_of_year - (153 * march_month + 2) / 5) + 1,
	};
}

/* Write `v` as `n` digits at `p`. */
static void put_digits(char *p, int64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
}

void time_format(int64_t wall_ms, char text[static TIME_TEXT_SIZE])
{
	int64_t t = wall_ms < YEAR_1_MS ? YEAR_1_MS :
		    wall_ms > YEAR_9999_MS ? YEAR_9999_MS : wall_ms;
	int64_t days = (t >= 0 ? t : t - (DAY_MS - 1)) / DAY_MS;
	int64_t ms = t - days * DAY_MS;
	struct date d = date_from_days(days);

	memcpy(text, "0000-00-00T00:00:00.000Z", TIME_TEXT_SIZE);
	put_digits(text, d.year, 4);
	put_digits(text + 5, d.month, 2);
	put_digits(text + 8, d.day, 2);
	put_digits(text + 11, ms / 3600000, 2);
	put_digits(text + 14, ms / 60000 % 60, 2);
	put_digits(text + 17, ms / 1000 % 60, 2);
	put_digits(text + 20, ms % 1000, 3);
}

/* Read exactly `n` digits and the byte `end` after them ('\0': none); false, or moves *p on. */
static bool take_digits(const char **p, int n, char end, int *v)
{
	*v = 0;
	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*v = *v * 10 + (**p - '0');
	}
	if (end == '\0')
		return true;
	return *(*p)++ == end;
}

static int days_in_month(int year, int month)
{
	if (month == 2)
		return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static bool take_date(const char **p, struct date *d)
{
	return take_digits(p, 4, '-', &d->year) && take_digits(p, 2, '-', &d->month) &&
	       take_digits(p, 2, '\0', &d->day) && d->month >= 1 && d->month <= 12 &&
	       d->day >= 1 && d->day <= days_in_month(d->year, d->month);
}

/* The fraction after "." in ms, cut; digits past the third are only checked. */
static bool take_fraction(const char **p, int *ms)
{
	*ms = 0;
	if (**p != '.')
		return true;
	(*p)++;
	int n = 0;
	for (; **p >= '0' && **p <= '9'; (*p)++, n++)
		if (n < 3)
			*ms = *ms * 10 + (**p - '0');
	if (n == 0)
		return false;
	for (; n < 3; n++)
		*ms *= 10;
	return true;
}

static bool take_offset(const char **p, int64_t *ms)
{
	char sign = *(*p)++;
	*ms = 0;
	if (sign == 'Z' || sign == 'z')
		return true;
	int hour, minute;
	if ((sign != '+' && sign != '-') || !take_digits(p, 2, ':', &hour) ||
	    !take_digits(p, 2, '\0', &minute) || hour > 23 || minute > 59)
		return false;
	*ms = (hour * 60 + minute) * INT64_C(60000) * (sign == '-' ? -1 : 1);
	return true;
}

int time_parse(const char *text, int64_t *wall_ms)
{
	const char *p = text;
	struct date d;
	int hour, minute, second, ms;
	int64_t offset;

	if (!take_date(&p, &d) || (*p != 'T' && *p != 't'))
		return -EINVAL;
	p++;
	if (!take_digits(&p, 2, ':', &hour) || !take_digits(&p, 2, ':', &minute) ||
	    !take_digits(&p, 2, '\0', &second) || hour > 23 || minute > 59 || second > 60)
		return -EINVAL;
	if (!take_fraction(&p, &ms) || !take_offset(&p, &offset) || *p != '\0')
		return -EINVAL;

	int64_t t = days_from_date(d) * DAY_MS + hour * INT64_C(3600000) + minute * INT64_C(60000) +
		    second * INT64_C(1000) + ms - offset;
	/* A leap second ends a UTC day; it counts as the second after it. */
	int64_t of_day = (t % DAY_MS + DAY_MS) % DAY_MS;
	if (second == 60 && of_day >= 1000)
		return -EINVAL;
	*wall_ms = t;
	return 0;
}
