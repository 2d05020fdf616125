/* Cron expressions, time zones against the C library's, and ticks where the clock is put forward or back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "timer/schedule.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

static struct schedule schedule_of(const char *expression, const char *zone)
{
	char why[512] = "";
	struct schedule s = { .zone = zone_open(zone, why, sizeof why) };
	if (s.zone == NULL || !cron_parse(&s.cron, expression, why, sizeof why))
		fail_msg("%s in %s: %s", expression, zone, why);
	return s;
}

static int64_t seconds_of(const char *text)
{
	struct tm tm = { 0 };
	assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
	return timegm(&tm);
}

static void what_is_no_expression_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "expected five fields: minute, hour, day of the month, month, weekday" },
		{ "* * * *", "expected five fields: minute, hour, day of the month, month, weekday" },
		{ "* * * * * *", "expected five fields: minute, hour, day of the month, month, weekday" },
		{ "@reboot", "expected @hourly, @daily, @weekly, @monthly or @yearly" },
		{ "60 * * * *", "minute: expected 0 to 59" }, { "* 24 * * *", "hour: expected 0 to 23" },
		{ "* * 0 * *", "day of the month: expected 1 to 31" }, { "* * * 13 *", "month: expected 1 to 12" },
		{ "* * * * 8", "weekday: expected 0 to 7" },
		{ "99999 * * * *", "minute: expected 0 to 59" },
		{ "x * * * *", "minute: expected a number or *" },
		{ "-5 * * * *", "minute: expected a number or *" },
		{ "5- * * * *", "minute: expected a number or *" },
		{ "* * * * mo", "weekday: expected a number, a name of three letters or *" },
		{ "* * * mon *", "month: expected a number, a name of three letters or *" },
		{ "20-10 * * * *", "minute: a range begins after its end" },
		{ "5/10 * * * *", "minute: a step needs a range or * before it" },
		{ "*/0 * * * *", "minute: expected a step of 1 or more, within the field" },
		{ "*/60 * * * *", "minute: expected a step of 1 or more, within the field" },
		{ "*/-1 * * * *", "minute: expected a step of 1 or more, within the field" },
		{ "1,, * * * *", "minute: expected a number or *" },
		{ "1;2 * * * *", "minute: expected a list of numbers, ranges and steps, such as 1,5-9,20-50/10" },
		{ "* * * * monday", "weekday: expected a list of numbers, ranges and steps, such as 1,5-9,20-50/10" },
		{ "0 0 31 feb *", "there is no such day" }, { "0 0 30 2 *", "there is no such day" },
		{ "0 0 31 4,6,9,11 *", "there is no such day" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cron cron;
		char why[160] = "";
		assert_false(cron_parse(&cron, cases[i].text, why, sizeof why));
		assert_string_equal(why, cases[i].why);
	}
}

/* `ticks` are the next ones after `after`, with blanks between. */
static void assert_ticks(const char *expression, const char *zone, const char *after, const char *ticks)
{
	struct schedule s = schedule_of(expression, zone);
	int64_t at = seconds_of(after) * 1000;
	char got[256] = "";
	size_t n = (strlen(ticks) + 2) / 18;
	for (size_t i = 0; i < n; i++) {
		char text[32] = "never";
		at = schedule_next(&s, at);
		time_t t = (time_t)(at / 1000);
		struct tm tm;
		if (at != SCHEDULE_NEVER)
			strftime(text, sizeof text, "%Y-%m-%d %H:%M", gmtime_r(&t, &tm));
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? ", " : "", text);
	}
	if (strcmp(got, ticks) != 0)
		fail_msg("%s in %s after %s: %s, expected %s", expression, zone, after, got, ticks);
	zone_free(s.zone);
}

static void ticks_come_as_written(void **state)
{
	(void)state;
	assert_ticks("0 7 * * mon-fri", "UTC", "2026-11-27 06:59", "2026-11-27 07:00, 2026-11-30 07:00, 2026-12-01 07:00");
	assert_ticks("0 7 * * MON-FRI", "UTC", "2026-11-27 07:00", "2026-11-30 07:00");
	assert_ticks("*/20,5 1-3/2 * * *", "UTC", "2026-01-01 00:00", "2026-01-01 01:00, 2026-01-01 01:05, 2026-01-01 01:20");
	assert_ticks("0 0 29 2 *", "UTC", "2096-03-01 00:00", "2104-02-29 00:00");
	assert_ticks("0 0 29 feb */7", "UTC", "2004-03-01 00:00", "2032-02-29 00:00");	/* both: one begins with * */
	assert_ticks("0 0 13 * fri", "UTC", "2026-02-06 00:00", "2026-02-13 00:00, 2026-02-20 00:00");	/* either */
	assert_ticks("0 0 1 jan-mar,dec sun", "UTC", "2026-03-30 00:00", "2026-12-01 00:00, 2026-12-06 00:00");
	assert_ticks("0 0 * * fri-sun", "UTC", "2026-01-01 00:00", "2026-01-02 00:00, 2026-01-03 00:00, 2026-01-04 00:00, 2026-01-09 00:00");
	assert_ticks("0 0 * * 7", "UTC", "2026-01-01 00:00", "2026-01-04 00:00");
	assert_ticks("@hourly", "UTC", "2026-12-31 23:30", "2027-01-01 00:00, 2027-01-01 01:00");
	assert_ticks("@weekly", "UTC", "2026-01-01 00:00", "2026-01-04 00:00");
	assert_ticks("@monthly", "UTC", "2026-01-01 00:00", "2026-02-01 00:00");
	assert_ticks("@yearly", "UTC", "2026-01-01 00:00", "2027-01-01 00:00");
	assert_ticks("0 9 * * *", "Asia/Kolkata", "2026-01-01 00:00", "2026-01-01 03:30");
	assert_ticks("0 9 * * *", "America/New_York", "2026-03-07 00:00", "2026-03-07 14:00, 2026-03-08 13:00");
}

/* As Vixie's cron: crontab(5) and cron(8). Berlin: 2026-03-29 02:00 becomes 03:00 (01:00 UTC), 2026-10-25 03:00 becomes
 * 02:00 (01:00 UTC). */
static void summer_time(void **state)
{
	(void)state;
	const char *zone = "Europe/Berlin";
	/* Leapt over: once, when it has leapt; and the time after it as always. */
	assert_ticks("30 2 * * *", zone, "2026-03-28 00:00", "2026-03-28 01:30, 2026-03-29 01:00, 2026-03-30 00:30");
	assert_ticks("0,30 2 * * *", zone, "2026-03-28 12:00", "2026-03-29 01:00, 2026-03-30 00:00");
	assert_ticks("0,30 2,3 * * *", zone, "2026-03-28 12:00", "2026-03-29 01:00, 2026-03-29 01:30");
	assert_ticks("30 2 * * *", zone, "2026-03-29 01:00", "2026-03-30 00:30");
	/* Twice on the clock: once, the first time. */
	assert_ticks("30 2 * * *", zone, "2026-10-24 12:00", "2026-10-25 00:30, 2026-10-26 01:30");
	assert_ticks("0 2 * * *", zone, "2026-10-24 12:00", "2026-10-25 00:00, 2026-10-26 01:00");
	assert_ticks("0 3 * * *", zone, "2026-10-24 12:00", "2026-10-25 02:00, 2026-10-26 02:00");
	/* Others go by the clock on the wall. */
	assert_ticks("30 * * * *", zone, "2026-03-29 00:00", "2026-03-29 00:30, 2026-03-29 01:30");
	assert_ticks("30 * * * *", zone, "2026-10-25 00:00", "2026-10-25 00:30, 2026-10-25 01:30, 2026-10-25 02:30");
	assert_ticks("*/30 2 * * *", zone, "2026-03-28 12:00", "2026-03-30 00:00");
	assert_ticks("*/30 2 * * *", zone, "2026-10-25 00:00", "2026-10-25 00:30, 2026-10-25 01:00, 2026-10-25 01:30, 2026-10-26 01:00");
	/* Half an hour; beyond the file's own list; in the south; a day that never was. */
	assert_ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00", "2026-10-03 15:30, 2026-10-04 15:15");
	assert_ticks("30 2 * * *", zone, "2150-03-28 12:00", "2150-03-29 01:00");
	assert_ticks("30 2 * * *", "America/Santiago", "2026-04-04 00:00", "2026-04-04 05:30, 2026-04-05 06:30");
	assert_ticks("0 12 * * *", "Pacific/Apia", "2011-12-29 00:00", "2011-12-29 22:00, 2011-12-30 22:00");
}

/* The C library's own, set to the same zone, says the same. */
static void zones_are_the_systems(void **state)
{
	static const char *const zones[] = {
		"UTC", "Europe/Berlin", "Europe/Dublin", "Africa/Casablanca", "Africa/Monrovia", "America/New_York",
		"America/Nuuk", "America/Santiago", "Asia/Gaza", "Asia/Kathmandu", "Asia/Pyongyang", "Asia/Tehran",
		"Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll", "Etc/GMT+12",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(zones); i++) {
		char why[512];
		struct zone *z = zone_open(zones[i], why, sizeof why);
		if (z == NULL)
			fail_msg("%s", why);
		setenv("TZ", zones[i], 1);
		tzset();
		for (time_t t = -2000000000; t < 7000000000; t += 500009) {
			struct tm tm;
			struct zone_span span = zone_at(z, t);
			assert_non_null(localtime_r(&t, &tm));
			assert_true(span.begin <= t && t < span.end);
			if (span.offset != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, expected %ld", zones[i], (long long)t, span.offset, tm.tm_gmtoff);
		}
		zone_free(z);
	}
	unsetenv("TZ");
	tzset();
}

static bool shows(const struct tm *tm, int step)
{
	return tm->tm_min % step == 0 && tm->tm_hour % 3 == 1 && (tm->tm_mday <= 9 || tm->tm_wday == 2);
}

/* Every minute of two years that the C library's clock shows as wanted is a tick, and no other. */
static void each_minute_that_matches_is_a_tick(void **state)
{
	struct schedule s = schedule_of("*/20 1,4,7,10,13,16,19,22 1-9 * tue", "America/New_York");
	time_t begin = (time_t)seconds_of("2026-01-01 00:00");
	int64_t next = schedule_next(&s, (int64_t)begin * 1000);
	(void)state;
	setenv("TZ", "America/New_York", 1);
	tzset();
	for (time_t t = begin + 60; t < begin + 2 * 365 * 86400; t += 60) {
		struct tm tm;
		localtime_r(&t, &tm);
		assert_int_equal(shows(&tm, 20), next == (int64_t)t * 1000);
		if (next == (int64_t)t * 1000)
			next = schedule_next(&s, next);
	}
	unsetenv("TZ");
	tzset();
	zone_free(s.zone);
}

static void local_is_what_the_process_has(void **state)
{
	char why[512];
	static const struct {
		const char *tz;
		int32_t offset;	/* in July */
	} cases[] = {
		{ "Europe/Berlin", 7200 }, { ":Europe/Berlin", 7200 }, { "CET-1CEST,M3.5.0,M10.5.0/3", 7200 },
		{ "XYZ5", -18000 }, { "<+0530>-5:30", 19800 }, { "/usr/share/zoneinfo/Europe/Berlin", 7200 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		setenv("TZ", cases[i].tz, 1);
		struct zone *z = zone_open("local", why, sizeof why);
		if (z == NULL)
			fail_msg("%s: %s", cases[i].tz, why);
		assert_int_equal(zone_at(z, seconds_of("2026-07-01 00:00")).offset, cases[i].offset);
		zone_free(z);
	}
	setenv("TZ", "no zone", 1);
	assert_null(zone_open("local", why, sizeof why));
	assert_string_equal(why, "TZ is neither a zone nor a rule");
	unsetenv("TZ");
}

static void what_is_no_zone_is_refused(void **state)
{
	static const char *const names[] = { "", "../../etc/passwd", "/etc/passwd", "Europe/Nowhere", "Europe", "tzdata.zi", "a\nb" };
	char why[512];
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		why[0] = '\0';
		assert_null(zone_open(names[i], why, sizeof why));
		assert_true(why[0] != '\0');
	}
	assert_null(zone_open("Europe/Nowhere", why, sizeof why));
	assert_string_equal(why, "/usr/share/zoneinfo/Europe/Nowhere: No such file or directory");
}

static void intervals_count_from_1970(void **state)
{
	struct schedule s = { .every = 30000 };
	(void)state;
	assert_int_equal(schedule_next(&s, 0), 30000);
	assert_int_equal(schedule_next(&s, 29999), 30000);
	assert_int_equal(schedule_next(&s, 30000), 60000);
	assert_int_equal(schedule_next(&s, -1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_expression_is_refused), cmocka_unit_test(ticks_come_as_written),
		cmocka_unit_test(summer_time), cmocka_unit_test(zones_are_the_systems),
		cmocka_unit_test(each_minute_that_matches_is_a_tick), cmocka_unit_test(local_is_what_the_process_has),
		cmocka_unit_test(what_is_no_zone_is_refused), cmocka_unit_test(intervals_count_from_1970),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
