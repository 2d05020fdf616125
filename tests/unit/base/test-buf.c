/* test-buf.c - a buffer grows up to its limit, and a failed call changes nothing but its mark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

/* The linker sends the library's realloc() here. */
static bool out_of_memory;
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
	return out_of_memory ? NULL : __real_realloc(p, size);
}

static void appends_are_joined_and_terminated(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(100);
	assert_null(b.data);
	assert_null(buf_span(&b).data);
	assert_int_equal(buf_add(&b, "", 0), 0);
	assert_string_equal(b.data, "");
	assert_int_equal(buf_add(&b, "ab", 2), 0);
	assert_int_equal(buf_add_str(&b, "cd"), 0);
	assert_int_equal(buf_add_char(&b, 'e'), 0);
	assert_int_equal(buf_printf(&b, "-%d-%s", 7, "x"), 0);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_string_equal(b.data, "abcde-7-x");
	assert_int_equal(buf_span(&b).len, 9);
	assert_ptr_equal(buf_span(&b).data, b.data);
	buf_free(&b);
}

static void limit_is_exact(void **state)
{
	(void)state;
	for (size_t limit = 0; limit < 300; limit++) {
		struct buf b = BUF_INIT(limit);
		for (size_t i = 0; i < limit; i++)
			assert_int_equal(buf_add_char(&b, 'x'), 0);
		assert_int_equal(b.len, limit);
		assert_true(b.cap <= limit + 1);
		assert_int_equal(buf_add(&b, "", 0), 0);
		assert_int_equal(buf_add_char(&b, 'y'), -EMSGSIZE);
		assert_int_equal(b.len, limit);
		assert_int_equal(b.failed, -EMSGSIZE);
		buf_free(&b);
	}
}

static void failure_sticks_and_keeps_contents(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(5);
	buf_add_str(&b, "abc");
	assert_int_equal(buf_printf(&b, "%s", "def"), -EMSGSIZE);
	assert_int_equal(buf_add_char(&b, 'd'), -EMSGSIZE);
	assert_int_equal(buf_printf(&b, "d"), -EMSGSIZE);
	assert_int_equal(buf_reserve(&b, 0), -EMSGSIZE);
	assert_string_equal(b.data, "abc");
	assert_null(buf_take(&b));
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_add_str(&b, "fresh"), 0);
	assert_int_equal(buf_add_char(&b, '!'), -EMSGSIZE);
	buf_reset(&b);
	assert_string_equal(b.data, "");
	assert_int_equal(buf_add_str(&b, "again"), 0);
	buf_free(&b);
	assert_int_equal(b.limit, 5);
}

static void enormous_sizes_are_refused(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(PTRDIFF_MAX - 1);
	buf_add_char(&b, 'a');
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -EMSGSIZE);
	buf_reset(&b);
	assert_int_equal(buf_reserve(&b, PTRDIFF_MAX), -EMSGSIZE);
	buf_free(&b);
}

static void short_memory_is_an_error(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(1000);
	buf_add_str(&b, "abc");
	out_of_memory = true;
	int grown = buf_reserve(&b, 500);
	struct buf empty = BUF_INIT(10);
	char *taken = buf_take(&empty);
	out_of_memory = false;
	assert_int_equal(grown, -ENOMEM);
	assert_null(taken);
	assert_string_equal(b.data, "abc");
	assert_int_equal(buf_add_char(&b, 'd'), -ENOMEM);
	buf_free(&b);
}

static void reserved_room_is_written_directly(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(1000);
	assert_int_equal(buf_reserve(&b, 1000), 0);
	memset(b.data, 'z', 1000);
	b.len = 1000;
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_int_equal(buf_span(&b).len, 1000);
	assert_int_equal(b.data[1000], '\0');
	buf_free(&b);
}

static void consume_moves_the_rest(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(10);
	buf_consume(&b, 0);
	buf_add_str(&b, "abcdef");
	buf_consume(&b, 2);
	assert_string_equal(b.data, "cdef");
	buf_consume(&b, 4);
	assert_string_equal(b.data, "");
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void take_hands_over(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(10);
	char *s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	buf_add_str(&b, "abc");
	s = buf_take(&b);
	assert_string_equal(s, "abc");
	free(s);
	assert_null(b.data);
	assert_int_equal(b.limit, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_are_joined_and_terminated),
		cmocka_unit_test(limit_is_exact),
		cmocka_unit_test(failure_sticks_and_keeps_contents),
		cmocka_unit_test(enormous_sizes_are_refused),
		cmocka_unit_test(short_memory_is_an_error),
		cmocka_unit_test(reserved_room_is_written_directly),
		cmocka_unit_test(consume_moves_the_rest),
		cmocka_unit_test(take_hands_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
