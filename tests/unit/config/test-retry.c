/* test-retry.c - the text of `retry =` to waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "config/retry.h"

struct good {
	const char *text;
	size_t n;
	int64_t first, last;
};

static void schedules_are_read(void **state)
{
	(void)state;
	static const struct good cases[] = {
		{ "none", 0, 0, 0 },
		{ "5s", 1, 5000, 5000 },
		{ "5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h", 9, 5000, 86400000 },
		{ "5s,5m", 2, 5000, 300000 },
		{ "exponential(1s, 1h, 20)", 20, 1000, 3600000 },
		{ "exponential(1s, 1m, 3)", 3, 1000, 4000 },
		{ "exponential(1s,1s,2)", 2, 1000, 1000 },
		{ "exponential(1ms, 365d, 1000)", 1000, 1, INT64_C(31536000000) },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pb_error err;
		error_init(&err);
		struct retry retry;
		assert_int_equal(retry_parse(cases[i].text, &retry, &err), 0);
		assert_int_equal(err.count, 0);
		assert_int_equal(retry.n, cases[i].n);
		if (retry.n > 0) {
			assert_int_equal(retry.waits[0], cases[i].first);
			assert_int_equal(retry.waits[retry.n - 1], cases[i].last);
		}
		retry_free(&retry);
	}
}

static void doubling_stops_at_the_cap(void **state)
{
	(void)state;
	static const int64_t waits[] = { 1000, 2000, 4000, 5000, 5000 };
	struct pb_error err;
	error_init(&err);
	struct retry retry;
	assert_int_equal(retry_parse("exponential(1s, 5s, 5)", &retry, &err), 0);
	assert_int_equal(retry.n, 5);
	assert_memory_equal(retry.waits, waits, sizeof waits);
	retry_free(&retry);
}

static void wrong_schedules_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", "5", "5s,", "5s 5m", "soon", "0s", "-5s", "366d", "none, 5s", "5s, none",
		"exponential", "exponential()", "exponential(1s, 1h)", "exponential(1s, 1h, 20",
		"exponential(1s, 1h, 20) ", "exponential(1h, 1s, 20)", "exponential(1s, 1h, 0)",
		"exponential(1s, 1h, 1001)", "exponential(1s, 1h, 20, 1)",
		"a word so long that no duration could ever be written like it",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pb_error err;
		error_init(&err);
		struct retry retry;
		if (retry_parse(cases[i], &retry, &err) != -EINVAL)
			fail_msg("\"%s\" was taken", cases[i]);
		assert_int_equal(err.count, 1);
		assert_string_equal(err.first->option, "retry");
		assert_int_equal(retry.n, 0);
		assert_null(retry.waits);
		error_free(&err);
	}
}

static void too_many_waits_are_refused(void **state)
{
	(void)state;
	static char text[(RETRY_WAITS_MAX + 1) * 3 + 1];
	for (size_t i = 0; i <= RETRY_WAITS_MAX; i++)
		snprintf(text + i * 3, 4, "1s%s", i < RETRY_WAITS_MAX ? "," : "");
	struct pb_error err;
	error_init(&err);
	struct retry retry;
	assert_int_equal(retry_parse(text, &retry, &err), -EINVAL);
	error_free(&err);
	text[RETRY_WAITS_MAX * 3 - 1] = '\0';
	assert_int_equal(retry_parse(text, &retry, &err), 0);
	assert_int_equal(retry.n, RETRY_WAITS_MAX);
	retry_free(&retry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedules_are_read),
		cmocka_unit_test(doubling_stops_at_the_cap),
		cmocka_unit_test(wrong_schedules_are_refused),
		cmocka_unit_test(too_many_waits_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
