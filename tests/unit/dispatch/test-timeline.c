/* test-timeline.c - times by number: exact while there is room, and never far off after that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dispatch/timeline.h"

static void an_event_has_its_block_s_time(void **state)
{
	(void)state;
	static const struct {
		uint64_t seq;
		int64_t ms;
	} cases[] = {
		{ 0, 500 }, { 99, 500 }, { 100, 1000 }, { 109, 1000 }, { 110, 61000 }, { 111, 61000 },
		{ 112, 61001 }, { UINT64_MAX, 61001 },
	};
	struct timeline *t = calloc(1, sizeof *t);
	timeline_init(t, 100, 500);
	assert_int_equal(timeline_at(t, 7), 500);
	timeline_note(t, 100, 1000);
	timeline_note(t, 110, 61000);
	timeline_note(t, 111, 61000);
	timeline_note(t, 112, 61001);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(timeline_at(t, cases[i].seq), cases[i].ms);
	assert_false(timeline_knows(t, 99));
	assert_true(timeline_knows(t, 100));
	free(t);
}

/* Blocks at every pace: `n` of them `gap` ms apart, one event each. */
static void times_stay_near_for_long(void **state)
{
	(void)state;
	static const struct {
		uint64_t n;
		int64_t gap;
	} cases[] = { { 5000, 1 }, { 2000000, 1 }, { 2000000, 100 }, { 400000, 86400 }, { 3000, 86400000 } };
	struct timeline *t = calloc(1, sizeof *t);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		timeline_init(t, 1, 0);
		for (uint64_t seq = 1; seq <= cases[i].n; seq++)
			timeline_note(t, seq, (int64_t)seq * cases[i].gap);
		int64_t now = (int64_t)cases[i].n * cases[i].gap;
		for (uint64_t seq = 1; seq <= cases[i].n; seq += 1 + cases[i].n / 997) {
			int64_t true_age = now - (int64_t)seq * cases[i].gap, age = now - timeline_at(t, seq);
			assert_true(age >= true_age);
			assert_true((age - true_age) * 16 <= age);
		}
	}
	free(t);
}

/* A pause is nobody's age: what came before it keeps its time. */
static void a_pause_stays_where_it_was(void **state)
{
	(void)state;
	struct timeline *t = calloc(1, sizeof *t);
	timeline_init(t, 1, 0);
	timeline_note(t, 1, 1000);
	for (uint64_t seq = 2; seq < 100000; seq++)
		timeline_note(t, seq, 3600000 + (int64_t)seq);
	assert_int_equal(timeline_at(t, 1), 1000);
	assert_true(timeline_at(t, 2) >= 3600000);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_has_its_block_s_time),
		cmocka_unit_test(times_stay_near_for_long),
		cmocka_unit_test(a_pause_stays_where_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
