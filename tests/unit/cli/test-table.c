/* test-table.c - columns that align whatever is in them, and numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "cli/table.h"

static const struct column columns[] = {
	{ "NAME", false }, { "N", true }, { "WHY", false }, { NULL, false },
};

static void expect_print(const struct table *t, bool colour, const char *expected)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	table_print(t, to, colour);
	fclose(to);
	assert_string_equal(text, expected);
	free(text);
}

static void columns_align(void **state)
{
	(void)state;
	struct table t;
	table_init(&t, columns);
	expect_print(&t, false, "");
	table_add(&t, TONE_PLAIN, "a");
	table_add_count(&t, TONE_PLAIN, 5);
	table_add(&t, TONE_PLAIN, "");
	expect_print(&t, false, "NAME  N  WHY\n"
				"a     5\n");
	table_add(&t, TONE_BAD, "b\xc3\xa4\xc3\xb6-c");		/* five characters */
	table_add_count(&t, TONE_WARN, 1234);
	table_add(&t, TONE_PLAIN, "it is so");
	expect_print(&t, false, "NAME      N  WHY\n"
				"a         5\n"
				"b\xc3\xa4\xc3\xb6-c  1234  it is so\n");
	expect_print(&t, true, "NAME      N  WHY\n"
			       "a         5\n"
			       "\033[31mb\xc3\xa4\xc3\xb6-c\033[0m  \033[33m1234\033[0m  it is so\n");
	table_free(&t);
	expect_print(&t, false, "");
}

static void cells_cannot_speak_to_the_terminal(void **state)
{
	(void)state;
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "a\nb\r\tc", "a b  c" },
		{ "\033[2J\a", " [2J " },
		{ "x\x7f" "y", "x y" },
		{ "x\xc2\x9b" "y", "x y" },		/* CSI as one character */
		{ "x\xc2\xa0" "y", "x\xc2\xa0" "y" },	/* no-break space */
		{ "\x9b" "31m\xff", "?31m?" },
		{ "\xe2\x82", "??" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct table t;
		char expected[64];
		table_init(&t, columns);
		table_add(&t, TONE_PLAIN, "a");
		table_add(&t, TONE_PLAIN, "b");
		table_add(&t, TONE_PLAIN, cases[i].text);
		snprintf(expected, sizeof expected, "NAME  N  WHY\na     b  %s\n", cases[i].shown);
		expect_print(&t, false, expected);
		table_free(&t);
	}
}

static void many_rows_fit(void **state)
{
	(void)state;
	struct table t;
	table_init(&t, columns);
	for (unsigned i = 0; i < 3000; i++)
		table_add_count(&t, TONE_PLAIN, i);
	assert_int_equal(t.n_cells, 3000);
	table_free(&t);
}

static void numbers_are_short(void **state)
{
	(void)state;
	static const struct {
		void (*format)(uint64_t, char[static HUMAN_SIZE]);
		uint64_t n;
		const char *expected;
	} cases[] = {
		{ count_format, 0, "0" }, { count_format, 99999, "99999" },
		{ count_format, 100000, "100k" }, { count_format, 123456, "123k" },
		{ count_format, 999499, "999k" }, { count_format, 999500, "1.00M" },
		{ count_format, 1234567, "1.23M" }, { count_format, 12345678, "12.3M" },
		{ count_format, UINT64_MAX, "18.4E" },
		{ bytes_format, 0, "0 B" }, { bytes_format, 1023, "1023 B" },
		{ bytes_format, 1024, "1.00 KiB" }, { bytes_format, 65536, "64.0 KiB" },
		{ bytes_format, 1048575, "1.00 MiB" }, { bytes_format, 1288490189, "1.20 GiB" },
		{ bytes_format, UINT64_MAX, "16.0 EiB" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[HUMAN_SIZE];
		cases[i].format(cases[i].n, text);
		assert_string_equal(text, cases[i].expected);
	}
}

static void spans_are_short(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *expected;
	} cases[] = {
		{ -5, "0s" }, { 0, "0s" }, { 59999, "59s" }, { 60000, "1m 0s" },
		{ 3599999, "59m 59s" }, { 3600000, "1h 0m" }, { 86399999, "23h 59m" },
		{ 86400000, "1d 0h" }, { 90000000, "1d 1h" }, { INT64_MAX, "106751991167d 7h" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[HUMAN_SIZE];
		span_format(cases[i].ms, text);
		assert_string_equal(text, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_align),
		cmocka_unit_test(cells_cannot_speak_to_the_terminal),
		cmocka_unit_test(many_rows_fit),
		cmocka_unit_test(numbers_are_short),
		cmocka_unit_test(spans_are_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
