/* test-timer.c - timers fire in order, can be moved and cleared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dispatch/timer.h"

#define N 500

static void they_come_in_order(void **state)
{
	(void)state;
	struct timers all = { 0 };
	struct timer t[N] = { 0 };
	srand(1);
	for (int i = 0; i < N; i++)
		timer_set(&all, &t[i], rand() % 1000);
	for (int i = 0; i < N; i += 3)
		timer_set(&all, &t[i], rand() % 1000);
	for (int i = 0; i < N; i += 5)
		timer_clear(&all, &t[i]);
	int64_t last = -1;
	int came = 0;
	for (struct timer *x; (x = timers_due(&all, 2000)) != NULL; came++) {
		assert_true(x->at >= last);
		assert_int_equal(x->place, 0);
		last = x->at;
	}
	assert_int_equal(came, N - N / 5);
	assert_true(timers_next(&all) == TIMER_NEVER);
	timers_free(&all);
}

static void not_before_their_time(void **state)
{
	(void)state;
	struct timers all = { 0 };
	struct timer t = { 0 };
	timer_set(&all, &t, 10);
	assert_null(timers_due(&all, 9));
	assert_int_equal(timers_next(&all), 10);
	assert_ptr_equal(timers_due(&all, 10), &t);
	assert_null(timers_due(&all, 10));
	timers_free(&all);
}

static void sooner_never_puts_off(void **state)
{
	(void)state;
	struct timers all = { 0 };
	struct timer t = { 0 };
	timer_sooner(&all, &t, 10);
	timer_sooner(&all, &t, 20);
	assert_int_equal(timers_next(&all), 10);
	timer_sooner(&all, &t, 5);
	assert_int_equal(timers_next(&all), 5);
	timer_clear(&all, &t);
	timer_clear(&all, &t);
	assert_true(timers_next(&all) == TIMER_NEVER);
	timers_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_come_in_order), cmocka_unit_test(not_before_their_time),
		cmocka_unit_test(sooner_never_puts_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
