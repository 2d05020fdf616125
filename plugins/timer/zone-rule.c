/* zone-rule.c - the rule by which a zone goes on: POSIX's TZ, with the hours of RFC 8536. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "timer/cron.h"
#include "timer/zone.h"

#define DAY 86400
#define FIRST_YEAR 1970
#define LAST_YEAR 2200
#define HOURS_MAX 167

/* When in a year: "M3.5.0/2", "J60", "59". */
struct when {
	char form;	/* 'M', 'J', or '0': counted with 29 February */
	int month, week, day;
	int32_t seconds;
};

struct rule {
	int32_t standard, summer;	/* offsets */
	struct when begins, ends;	/* of summer time */
};

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static bool take_name(const char **at)
{
	const char *begin = *at;
	if (take(at, '<')) {
		while (isalnum((unsigned char)**at) || **at == '+' || **at == '-')
			(*at)++;
		return take(at, '>') && *at - begin >= 5;
	}
	while (isalpha((unsigned char)**at))
		(*at)++;
	return *at - begin >= 3;
}

static bool take_number(const char **at, int max, int *value)
{
	if (!isdigit((unsigned char)**at))
		return false;
	for (*value = 0; isdigit((unsigned char)**at) && *value <= max; (*at)++)
		*value = *value * 10 + (**at - '0');
	return *value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int32_t *seconds)
{
	int part[3] = { 0, 0, 0 };
	bool minus = **at == '-';
	if (minus || **at == '+')
		(*at)++;
	if (!take_number(at, HOURS_MAX, &part[0]))
		return false;
	for (int i = 1; i < 3 && take(at, ':'); i++)
		if (!take_number(at, 59, &part[i]))
			return false;
	*seconds = part[0] * 3600 + part[1] * 60 + part[2];
	if (minus)
		*seconds = -*seconds;
	return true;
}

static bool take_when(const char **at, struct when *w)
{
	bool right;
	*w = (struct when){ .form = **at == 'M' || **at == 'J' ? **at : '0', .seconds = 2 * 3600 };
	if (w->form != '0')
		(*at)++;
	if (w->form == 'M')
		right = take_number(at, 12, &w->month) && take(at, '.') && take_number(at, 5, &w->week) &&
			take(at, '.') && take_number(at, 6, &w->day) && w->month > 0 && w->week > 0;
	else
		right = take_number(at, 365, &w->day) && (w->form != 'J' || w->day > 0);
	return right && (!take(at, '/') || take_time(at, &w->seconds));
}

static bool parse(const char *at, struct rule *r, bool *changes)
{
	if (!take_name(&at) || !take_time(&at, &r->standard))
		return false;
	r->standard = -r->standard;	/* POSIX counts to the west */
	*changes = *at != '\0';
	if (!*changes)
		return true;
	if (!take_name(&at))
		return false;
	r->summer = r->standard + 3600;
	if (*at != ',') {
		if (!take_time(&at, &r->summer))
			return false;
		r->summer = -r->summer;
	}
	return take(&at, ',') && take_when(&at, &r->begins) && take(&at, ',') && take_when(&at, &r->ends) &&
	       *at == '\0';
}

static int64_t day_of(const struct when *w, int year)
{
	int64_t january = cron_days(year, 1, 1);
	bool leap = cron_days(year, 3, 1) - january == 60;
	if (w->form == 'J')
		return january + w->day - 1 + (leap && w->day >= 60);
	if (w->form == '0')
		return january + w->day;
	int64_t first = cron_days(year, w->month, 1);
	int64_t next = w->month == 12 ? cron_days(year + 1, 1, 1) : cron_days(year, w->month + 1, 1);
	int64_t day = first + (w->day - (first + 4) % 7 + 7) % 7 + (w->week - 1) * 7;
	return day < next ? day : day - 7;
}

/* When, by a clock that is `offset` ahead. */
static int64_t moment(const struct when *w, int year, int32_t offset)
{
	return day_of(w, year) * DAY + w->seconds - offset;
}

static bool add_year(struct zone *z, const struct rule *r, int year, int64_t from)
{
	int64_t begins = moment(&r->begins, year, r->standard), ends = moment(&r->ends, year, r->summer);
	bool south = ends < begins;
	int64_t first = south ? ends : begins, second = south ? begins : ends;
	return (first <= from || zone_add(z, first, south ? r->standard : r->summer)) &&
	       (second <= from || zone_add(z, second, south ? r->summer : r->standard));
}

bool zone_rule(struct zone *z, const char *text, int64_t from)
{
	struct rule r = { 0 };
	bool changes;
	if (!parse(text, &r, &changes))
		return false;
	if (from == INT64_MIN && !zone_add(z, INT64_MIN, r.standard))
		return false;
	if (!changes)
		return from == INT64_MIN || zone_add(z, from, r.standard);
	for (int year = FIRST_YEAR; year <= LAST_YEAR; year++)
		if (!add_year(z, &r, year, from))
			return false;
	return true;
}
