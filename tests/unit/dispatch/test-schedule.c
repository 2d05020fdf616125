/* test-schedule.c - waits between attempts, and the breaker's states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dispatch/breaker.h"
#include "dispatch/schedule.h"

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
	struct breaker b = { 0 };
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
	assert_true(breaker_alive(&b));
	assert_int_equal(breaker_allows(&b, 3, 10), 7);
	assert_true(breaker_down(&b, 0, 0));
	assert_int_equal(b.until, 1000);
}

static void old_answers_do_not_close_it(void **state)
{
	(void)state;
	struct breaker b = { 0 };
	breaker_down(&b, 0, 5000);
	assert_int_equal(b.until, 5000);
	assert_false(breaker_down(&b, 10, 0));
	assert_false(breaker_alive(&b));
	breaker_expired(&b, 5000);
	assert_false(breaker_alive(&b));
	assert_int_equal(breaker_allows(&b, 2, 10), 0);
}

static void gone_is_for_good(void **state)
{
	(void)state;
	struct breaker b = { 0 };
	assert_true(breaker_gone(&b));
	assert_false(breaker_gone(&b));
	assert_false(breaker_down(&b, 0, 0));
	breaker_expired(&b, INT64_MAX);
	assert_false(breaker_alive(&b));
	assert_int_equal(breaker_allows(&b, 0, 10), 0);
	assert_string_equal(breaker_name(&b), "disabled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_are_jittered_by_a_fifth),
		cmocka_unit_test(attempts_end_and_receivers_may_ask),
		cmocka_unit_test(pauses_grow_to_a_cap),
		cmocka_unit_test(old_answers_do_not_close_it),
		cmocka_unit_test(gone_is_for_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
