/* test-id.c - ids are UUIDv7, ascend whatever the clock does, and differ between generators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/id.h"

#define NOW INT64_C(1767398645678)

static void layout_is_uuid_v7(void **state)
{
	(void)state;
	struct id_gen g;
	id_gen_init(&g);
	for (int i = 0; i < 1000; i++) {
		char id[ID_TEXT_SIZE];
		id_new(&g, NOW + i, id);
		assert_int_equal(strlen(id), 36);
		assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
		assert_true(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
		assert_int_equal(id[14], '7');
		assert_non_null(strchr("89ab", id[19]));
		char ms[13];
		snprintf(ms, sizeof ms, "%.8s%.4s", id, id + 9);
		assert_true(strtoll(ms, NULL, 16) == NOW + i);
	}
}

static void ids_ascend(void **state)
{
	(void)state;
	static const int steps[] = { 0, 0, 1, 0, -5, 0, 3, -100000, 0, 100001, 0 };
	struct id_gen g;
	char last[ID_TEXT_SIZE] = "", id[ID_TEXT_SIZE];
	int64_t now = NOW;
	id_gen_init(&g);
	for (int i = 0; i < 20000; i++) {
		now += steps[i % 11];
		id_new(&g, now, id);
		assert_true(strcmp(last, id) < 0);
		memcpy(last, id, sizeof id);
	}
}

static void full_counter_moves_the_ms(void **state)
{
	(void)state;
	struct id_gen g;
	char before[ID_TEXT_SIZE], after[ID_TEXT_SIZE];
	id_gen_init(&g);
	id_new(&g, NOW, before);
	g.counter = (1u << 26) - 2;
	id_new(&g, NOW, before);
	assert_true(g.last_ms == NOW);
	id_new(&g, NOW, after);
	assert_true(g.last_ms == NOW + 1);
	assert_true(strcmp(before, after) < 0);
}

static void impossible_times_are_clamped(void **state)
{
	(void)state;
	struct id_gen g;
	char id[ID_TEXT_SIZE];
	id_gen_init(&g);
	id_new(&g, INT64_MIN, id);
	assert_memory_equal(id, "00000000-0000-7", 15);
	id_new(&g, INT64_MAX, id);
	assert_memory_equal(id, "ffffffff-ffff-7", 15);
}

static void generators_differ(void **state)
{
	(void)state;
	struct id_gen a, b;
	char of_a[ID_TEXT_SIZE], of_b[ID_TEXT_SIZE];
	id_gen_init(&a);
	id_gen_init(&b);
	id_new(&a, NOW, of_a);
	id_new(&b, NOW, of_b);
	assert_string_not_equal(of_a + 24, of_b + 24);
}

/* Each of ten values falls due 10,000 times in 100,000, give or take 95 (a standard deviation);
 * 1,000 is ten of those. */
static void random_is_even_and_below(void **state)
{
	(void)state;
	struct id_gen g;
	unsigned seen[10] = { 0 };
	id_gen_init(&g);
	for (int i = 0; i < 100000; i++) {
		uint64_t v = random_below(&g, 10);
		assert_true(v < 10);
		seen[v]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(seen[i], 9000, 11000);
	assert_true(random_below(&g, 1) == 0);
	for (int i = 0; i < 100; i++)
		assert_true(random_below(&g, UINT64_MAX / 2 + 2) <= UINT64_MAX / 2 + 1);
}

/* Without rejection the low third of three quarters of 2^64 would fall due half the time. */
static void random_is_not_biased(void **state)
{
	(void)state;
	struct id_gen g;
	unsigned low = 0;
	id_gen_init(&g);
	for (int i = 0; i < 30000; i++)
		low += random_below(&g, UINT64_C(3) << 62) < UINT64_C(1) << 62;
	assert_in_range(low, 9000, 11000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_uuid_v7),
		cmocka_unit_test(ids_ascend),
		cmocka_unit_test(full_counter_moves_the_ms),
		cmocka_unit_test(impossible_times_are_clamped),
		cmocka_unit_test(generators_differ),
		cmocka_unit_test(random_is_even_and_below),
		cmocka_unit_test(random_is_not_biased),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
