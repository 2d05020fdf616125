/* test-bytes.c - numbers in files have one order on every machine; a span knows its text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/span.h"

static void order_is_as_named(void **state)
{
	(void)state;
	unsigned char b[9] = { 0 };	/* from b + 1: unaligned */
	put_le32(b + 1, 0x01020304);
	assert_memory_equal(b + 1, "\x04\x03\x02\x01", 4);
	assert_int_equal(get_le32(b + 1), 0x01020304);
	put_be32(b + 1, 0x01020304);
	assert_memory_equal(b + 1, "\x01\x02\x03\x04", 4);
	assert_int_equal(get_be32(b + 1), 0x01020304);
	put_le64(b + 1, 0x0102030405060708);
	assert_memory_equal(b + 1, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	assert_true(get_le64(b + 1) == 0x0102030405060708);
	put_be64(b + 1, 0x0102030405060708);
	assert_memory_equal(b + 1, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_true(get_be64(b + 1) == 0x0102030405060708);
}

static void big_endian_sorts_as_bytes(void **state)
{
	(void)state;
	static const uint64_t ascending[] = { 0, 1, 255, 256, 65535, 1u << 31, UINT64_MAX };
	for (size_t i = 1; i < sizeof ascending / sizeof *ascending; i++) {
		unsigned char a[8], b[8];
		put_be64(a, ascending[i - 1]);
		put_be64(b, ascending[i]);
		assert_true(memcmp(a, b, 8) < 0);
	}
}

static void span_is_its_text(void **state)
{
	(void)state;
	assert_true(span_is(span_str("abc"), "abc"));
	assert_true(span_is(span_str(""), ""));
	assert_false(span_is(span_str("abc"), "ab"));
	assert_false(span_is(span_str("ab"), "abc"));
	assert_false(span_is(span_of("a\0b", 3), "a"));
	assert_false(span_is(SPAN_NONE, ""));
	assert_null(span_str(NULL).data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_as_named),
		cmocka_unit_test(big_endian_sorts_as_bytes),
		cmocka_unit_test(span_is_its_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
