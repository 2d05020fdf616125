/* test-schedule.c - waits between attempts, the breaker's states, and rates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "dispatch/breaker.h"
#include "dispatch/bucket.h"
#include "dispatch/schedule.h"

#define BREAKER { .failures_max = 3, .first_pause = 1000, .longest_pause = 300000 }

static void waits_are_jittered_by_a_fifth(void **state)
{
	(void)state;
	int64_t waits[] = { 1000, 60000 };
	const struct retry retry = { 2, waits };
	struct id_gen random;
	bool below = false, above = false;
	id_gen_init(&random);
	for (int i = 0; i < 1000; i++) {
		int64_t wait = schedule_wait(&retry, 2, 0, 0, &random);
		assert_in_range(wait, 48000, 72000);
		below = below || wait < 58000;
		above = above || wait > 62000;
	}
	assert_true(below && above);
}

static void attempts_end_and_receivers_may_ask(void **state)
{
	(void)state;
	int64_t waits[] = { 1000, 1000 };
	const struct { unsigned attempts; int64_t after, max, least, most; } cases[] = {
		{ 1, 0, 0, 800, 1200 },
		{ 2, 0, 0, 800, 1200 },
		{ 3, 0, 0, -1, -1 },
		{ 3, 9000, 9000, -1, -1 },
		{ 1, 9000, 20000, 9000, 9000 },
		{ 1, 9000, 5000, 5000, 5000 },
		{ 1, 100, 5000, 800, 1200 },
		{ 0, 0, 0, -1, -1 },
	};
	struct id_gen random;
	id_gen_init(&random);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t wait = schedule_wait(&(struct retry){ 2, waits }, cases[i].attempts,
					     cases[i].after, cases[i].max, &random);
		assert_true(wait >= cases[i].least && wait <= cases[i].most);
	}
}

static void pauses_grow_to_a_cap(void **state)
{
	(void)state;
	struct breaker b = BREAKER;
	static const int64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000,
					  300000, 300000 };
	for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
		assert_true(breaker_down(&b, 0, 0) == (i == 0));
		assert_int_equal(b.until, pauses[i]);
		assert_int_equal(breaker_allows(&b, 0, 10), 0);
		breaker_expired(&b, b.until - 1);
		assert_int_equal(b.state, BREAKER_OPEN);
		breaker_expired(&b, b.until);
		assert_int_equal(breaker_allows(&b, 0, 10), 1);
		breaker_sent(&b);
		assert_int_equal(breaker_allows(&b, 1, 10), 0);
	}
	assert_true(breaker_alive(&b, 10));
	/* Back again, but not flooded: 1, 2, 4, 8, then all. */
	static const unsigned long ramp[] = { 1, 2, 4, 8, 10, 10 };
	for (size_t i = 0; i < sizeof ramp / sizeof ramp[0]; i++) {
		assert_int_equal(breaker_allows(&b, 0, 10), ramp[i]);
		assert_false(breaker_alive(&b, 10));
	}
	assert_int_equal(breaker_allows(&b, 3, 10), 7);
	assert_true(breaker_down(&b, 0, 0));
	assert_int_equal(b.until, 1000);
}

static void a_pause_may_be_longer_than_anothers(void **state)
{
	(void)state;
	struct breaker b = BREAKER;
	b.spread = 1024 / 8;
	assert_true(breaker_down(&b, 0, 0));
	assert_int_equal(b.until, 1125);
	breaker_expired(&b, b.until);
	breaker_sent(&b);
	assert_false(breaker_down(&b, 0, 5000));	/* as the receiver says */
	assert_int_equal(b.until, 5000);
}

static void what_hangs_holds_others_for_a_while_only(void **state)
{
	(void)state;
	struct breaker b = { .ramp = 8 };
	assert_false(breaker_waited(&b, 7));
	assert_int_equal(breaker_allows(&b, 8, 64), 0);
	assert_true(breaker_waited(&b, 8));
	assert_int_equal(breaker_allows(&b, 8, 64), 1);
	breaker_down(&b, 0, 0);
	assert_false(breaker_waited(&b, 9));
	struct breaker free_one = { .ramp = 0 };
	assert_false(breaker_waited(&free_one, 64));
}

static void failures_in_a_row_open_it(void **state)
{
	(void)state;
	struct breaker b = BREAKER;
	assert_false(breaker_failed(&b, 0));
	assert_false(breaker_failed(&b, 0));
	assert_false(breaker_alive(&b, 10));
	assert_false(breaker_failed(&b, 0));
	assert_false(breaker_failed(&b, 0));
	assert_true(breaker_failed(&b, 0));
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_false(breaker_failed(&b, 0));	/* what was still under way */
	breaker_expired(&b, 1000);
	breaker_sent(&b);
	assert_false(breaker_failed(&b, 1000));	/* the probe: said already, but it waits longer */
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_int_equal(b.until, 1000 + 2000);
	b.failures_max = 0;
	b.state = BREAKER_CLOSED;
	for (int i = 0; i < 1000; i++)
		assert_false(breaker_failed(&b, 0));
}

static void buckets_fill_and_empty(void **state)
{
	(void)state;
	struct bucket b;
	bucket_init(&b, &(struct rate){ 10, 1000 }, 0, 0);
	assert_int_equal(bucket_has(&b, 0), 10);
	bucket_take(&b, 10);
	assert_int_equal(bucket_has(&b, 99), 0);
	int64_t wait = bucket_wait(&b, 99);
	assert_in_range(wait, 1, 3);
	assert_int_equal(bucket_has(&b, 99 + wait), 1);
	assert_int_equal(bucket_has(&b, 100000), 10);
	bucket_init(&b, &(struct rate){ 1, 60000 }, 5, 0);
	assert_int_equal(bucket_has(&b, 0), 5);
	bucket_take(&b, 5);
	assert_int_equal(bucket_has(&b, 59999), 0);
	assert_int_equal(bucket_has(&b, 60001), 1);
	bucket_init(&b, &(struct rate){ 0, 1000 }, 0, 0);
	bucket_take(&b, 1000);
	assert_true(bucket_has(&b, 0) == SIZE_MAX);
}

static void rates_are_read(void **state)
{
	(void)state;
	static const struct { const char *text; int64_t count, period; } cases[] = {
		{ "", 0, 1000 }, { "100/s", 100, 1000 }, { "30/m", 30, 60000 }, { "1/h", 1, 3600000 },
		{ "0/s", -1, 0 }, { "100", -1, 0 }, { "/s", -1, 0 }, { "-5/s", -1, 0 }, { "5/d", -1, 0 },
		{ "1.5/s", -1, 0 }, { "99999999999999999999999999/s", -1, 0 }, { "5 /s", -1, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct pb_error err;
		struct rate rate;
		error_init(&err);
		int failed = rate_parse(cases[i].text, &rate, &err);
		assert_int_equal(failed, cases[i].count < 0 ? -EINVAL : 0);
		assert_int_equal(err.count, cases[i].count < 0);
		assert_int_equal(rate.count, cases[i].count < 0 ? 0 : cases[i].count);
		if (cases[i].count >= 0)
			assert_int_equal(rate.period_ms, cases[i].period);
		error_free(&err);
	}
}

static void old_answers_do_not_close_it(void **state)
{
	(void)state;
	struct breaker b = BREAKER;
	breaker_down(&b, 0, 5000);
	assert_int_equal(b.until, 5000);
	assert_false(breaker_down(&b, 10, 0));
	assert_false(breaker_alive(&b, 10));
	breaker_expired(&b, 5000);
	assert_false(breaker_alive(&b, 10));
	assert_int_equal(breaker_allows(&b, 2, 10), 0);
}

static void gone_is_for_good(void **state)
{
	(void)state;
	struct breaker b = BREAKER;
	assert_true(breaker_gone(&b));
	assert_false(breaker_gone(&b));
	assert_false(breaker_down(&b, 0, 0));
	breaker_expired(&b, INT64_MAX);
	assert_false(breaker_alive(&b, 10));
	assert_int_equal(breaker_allows(&b, 0, 10), 0);
	assert_string_equal(breaker_name(&b), "disabled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_are_jittered_by_a_fifth),
		cmocka_unit_test(attempts_end_and_receivers_may_ask),
		cmocka_unit_test(pauses_grow_to_a_cap), cmocka_unit_test(a_pause_may_be_longer_than_anothers),
		cmocka_unit_test(what_hangs_holds_others_for_a_while_only),
		cmocka_unit_test(old_answers_do_not_close_it),
		cmocka_unit_test(failures_in_a_row_open_it),
		cmocka_unit_test(buckets_fill_and_empty), cmocka_unit_test(rates_are_read),
		cmocka_unit_test(gone_is_for_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
