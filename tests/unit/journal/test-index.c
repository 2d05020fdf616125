/* test-index.c - entries a step apart, found by number and by place, in whatever order they were told. */
#include "journal/lab.h"

#include "journal/index.h"

#define NONE 64

static void near_entries_are_left_out(void **state)
{
	(void)state;
	struct index index = { 0 };
	for (uint64_t i = 0; i < 1000; i++)
		index_add(&index, i, NONE + i * 1024);
	assert_int_equal(index.n, 1000 / (INDEX_STEP / 1024) + 1);
	index_free(&index);
	assert_int_equal(index.n, 0);
}

static void the_last_at_or_before_is_found(void **state)
{
	(void)state;
	static const uint64_t order[] = { 4, 0, 2, 3, 1, 2, 4 };
	static const struct {
		uint64_t seq, offset;	/* asked for */
		int by_seq, by_offset;	/* the entry, -1: none */
	} cases[] = {
		{ 0, 0, -1, -1 }, { 10, INDEX_STEP, 0, 0 }, { 19, 2 * INDEX_STEP - 1, 0, 0 },
		{ 20, 2 * INDEX_STEP, 1, 1 }, { 50, 5 * INDEX_STEP, 4, 4 },
		{ UINT64_MAX, UINT64_MAX, 4, 4 },
	};
	struct index index = { 0 };
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		index_add(&index, 10 * (order[i] + 1), INDEX_STEP * (order[i] + 1));
	assert_int_equal(index.n, 5);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t seq = cases[i].by_seq < 0 ? NONE : INDEX_STEP * ((uint64_t)cases[i].by_seq + 1);
		uint64_t offset = cases[i].by_offset < 0 ? NONE : INDEX_STEP * ((uint64_t)cases[i].by_offset + 1);
		assert_int_equal(index_by_seq(&index, cases[i].seq, NONE), seq);
		assert_int_equal(index_by_offset(&index, cases[i].offset, NONE), offset);
	}
	index_free(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_entries_are_left_out),
		cmocka_unit_test(the_last_at_or_before_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
