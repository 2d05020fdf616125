/* test-clock.c - clocks, and RFC 3339 text forth and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <time.h>
#include "base/clock.h"

static void manual_clock_stands_until_set(void **state)
{
	(void)state;
	struct clock_manual m;
	clock_manual_init(&m, 5000);
	assert_int_equal(clock_wall(&m.clock), 5000);
	assert_int_equal(clock_mono(&m.clock), 0);
	clock_manual_advance(&m, 250);
	assert_int_equal(clock_wall(&m.clock), 5250);
	assert_int_equal(clock_mono(&m.clock), 250);
	m.wall_ms = 100;	/* the clock was set back */
	assert_int_equal(clock_wall(&m.clock), 100);
	assert_int_equal(clock_mono(&m.clock), 250);
}

static int64_t machine_ms(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec) / 1000000;
}

static void system_clock_is_the_machines(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		int64_t before = machine_ms(CLOCK_REALTIME), wall = clock_wall(&clock_system);
		assert_true(wall >= before && wall <= machine_ms(CLOCK_REALTIME));
		before = machine_ms(CLOCK_MONOTONIC);
		int64_t mono = clock_mono(&clock_system);
		assert_true(mono >= before && mono <= machine_ms(CLOCK_MONOTONIC));
		int64_t fine = clock_fine(&clock_system);
		assert_true(fine / 1000 >= mono && fine / 1000 <= machine_ms(CLOCK_MONOTONIC));
	}
}

static const struct {
	int64_t ms;
	const char *text;
} formatted[] = {
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ -1, "1969-12-31T23:59:59.999Z" },
	{ 951782400000, "2000-02-29T00:00:00.000Z" },
	{ 951868799999, "2000-02-29T23:59:59.999Z" },
	{ 951868800000, "2000-03-01T00:00:00.000Z" },
	{ 1767398645678, "2026-01-03T00:04:05.678Z" },
	{ 4107542400000, "2100-03-01T00:00:00.000Z" },
	{ -62135596800000, "0001-01-01T00:00:00.000Z" },
	{ 253402300799999, "9999-12-31T23:59:59.999Z" },
};

static void times_have_one_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof formatted / sizeof *formatted; i++) {
		char text[TIME_TEXT_SIZE];
		int64_t ms;
		time_format(formatted[i].ms, text);
		assert_string_equal(text, formatted[i].text);
		assert_int_equal(time_parse(text, &ms), 0);
		assert_true(ms == formatted[i].ms);
	}
}

static void years_are_clamped(void **state)
{
	(void)state;
	char text[TIME_TEXT_SIZE];
	time_format(INT64_MIN, text);
	assert_string_equal(text, "0001-01-01T00:00:00.000Z");
	time_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

/* libc is the judge: a day and a bit apart, over the years 1 to 9999. */
static void agrees_with_libc(void **state)
{
	(void)state;
	for (int64_t s = -62135596800; s < 253402300800; s += 86400 * 3 + 12345) {
		char text[TIME_TEXT_SIZE], libc[64];
		struct tm tm;
		int64_t ms;
		time_t t = (time_t)s;
		gmtime_r(&t, &tm);
		strftime(libc, sizeof libc, "%FT%T.007Z", &tm);
		time_format(s * 1000 + 7, text);
		if (tm.tm_year + 1900 >= 1000)	/* %F does not pad */
			assert_string_equal(text, libc);
		assert_int_equal(time_parse(text, &ms), 0);
		assert_true(ms == s * 1000 + 7);
	}
}

static const struct {
	const char *text;
	int64_t ms;
} parsed[] = {
	/* the examples of RFC 3339 section 5.8 */
	{ "1985-04-12T23:20:50.52Z", 482196050520 },
	{ "1996-12-19T16:39:57-08:00", 851042397000 },
	{ "1990-12-31T23:59:60Z", 662688000000 },
	{ "1990-12-31T15:59:60-08:00", 662688000000 },
	{ "1937-01-01T12:00:27.87+00:20", -1041337172130 },
	{ "1970-01-01t00:00:00z", 0 },
	{ "1970-01-01T00:00:00-00:00", 0 },
	{ "1970-01-01T00:00:00.1Z", 100 },
	{ "1970-01-01T00:00:00.0009999999999999999999999999Z", 0 },
	{ "1970-01-01T23:59:00+23:59", 0 },
	{ "0000-02-29T00:00:00Z", -62162121600000 },
	{ "1990-12-31T23:59:60.25Z", 662688000250 },
};

static void date_times_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof parsed / sizeof *parsed; i++) {
		int64_t ms = 1;
		assert_int_equal(time_parse(parsed[i].text, &ms), 0);
		assert_true(ms == parsed[i].ms);
	}
}

static void other_text_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"", "x", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z",
		"1970-01-01T00:00Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00,5Z",
		"1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z",
		"1970-01-01T00:00:60Z", "1970-00-01T00:00:00Z", "1970-13-01T00:00:00Z",
		"1970-01-00T00:00:00Z", "1970-01-32T00:00:00Z", "1970-04-31T00:00:00Z",
		"1970-06-31T00:00:00Z", "1970-09-31T00:00:00Z", "1970-11-31T00:00:00Z",
		"2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "1970-1-01T00:00:00Z",
		"01970-01-01T00:00:00Z", "-970-01-01T00:00:00Z", "+970-01-01T00:00:00Z",
		"1970-01-01T00:00:00Z ", " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00ZZ",
		"1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+00:60",
		"1970-01-01T00:00:00+0000", "1970-01-01T00:00:00+00", "1970-01-01T00:00:00+",
		"1970-01-01T00:00:00+00:00Z", "1970-01-01T00:00: 0Z", "1970/01/01T00:00:00Z",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int64_t ms = 42;
		assert_int_equal(time_parse(wrong[i], &ms), -EINVAL);
		assert_int_equal(ms, 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manual_clock_stands_until_set),
		cmocka_unit_test(system_clock_is_the_machines),
		cmocka_unit_test(times_have_one_text),
		cmocka_unit_test(years_are_clamped),
		cmocka_unit_test(agrees_with_libc),
		cmocka_unit_test(date_times_are_understood),
		cmocka_unit_test(other_text_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
