/* test-histogram.c - which bucket a value belongs to, and what is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/histogram.h"

static void limits_belong_to_their_bucket(void **state)
{
	(void)state;
	static const struct {
		struct histogram_scale scale;
		uint64_t value;
		unsigned bucket;
	} cases[] = {
		{ { 0, 4 }, 0, 0 }, { { 0, 4 }, 1, 0 }, { { 0, 4 }, 2, 1 }, { { 0, 4 }, 3, 2 },
		{ { 0, 4 }, 4, 2 }, { { 0, 4 }, 5, 3 }, { { 0, 4 }, 8, 3 }, { { 0, 4 }, 9, 4 },
		{ { 0, 4 }, UINT64_MAX, 4 },
		{ { 8, 3 }, 0, 0 }, { { 8, 3 }, 256, 0 }, { { 8, 3 }, 257, 1 }, { { 8, 3 }, 512, 1 },
		{ { 8, 3 }, 513, 2 }, { { 8, 3 }, 1024, 2 }, { { 8, 3 }, 1025, 3 },
		{ { 37, 26 }, UINT64_C(1) << 62, 25 }, { { 37, 26 }, (UINT64_C(1) << 62) + 1, 26 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(histogram_bucket(cases[i].scale, cases[i].value), cases[i].bucket);
	for (unsigned i = 0; i < 26; i++) {
		struct histogram_scale scale = { 5, 26 };
		assert_int_equal(histogram_bucket(scale, histogram_limit(scale, i)), i);
		assert_int_equal(histogram_bucket(scale, histogram_limit(scale, i) + 1), i + 1);
	}
}

static void what_was_added_is_read(void **state)
{
	(void)state;
	static const struct histogram_scale scale = { 3, 4 };	/* 8, 16, 32, 64 */
	static const int64_t values[] = { -5, 0, 8, 9, 64, 65, 1000 };
	static const uint64_t expected[HISTOGRAM_LIMITS + 1] = { 3, 1, 0, 1, 2 };
	struct histogram h = { 0 };
	struct histogram_counts got;
	histogram_read(&h, &got);
	assert_int_equal(got.total, 0);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		histogram_add(&h, scale, values[i]);
	histogram_read(&h, &got);
	assert_memory_equal(got.counts, expected, sizeof expected);
	assert_int_equal(got.total, 7);
	assert_int_equal(got.sum, 8 + 9 + 64 + 65 + 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_belong_to_their_bucket),
		cmocka_unit_test(what_was_added_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
