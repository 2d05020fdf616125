/* test-escape.c - nothing from outside speaks to the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "cli/escape.h"

#define TEXT(s) s, sizeof s - 1

static void shown_as_it_may_be(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len;
		const char *shown;
	} cases[] = {
		{ TEXT(""), "" },
		{ TEXT("a"), "> a\n" },
		{ TEXT("a\n"), "> a\n" },
		{ TEXT("a\n\n\tb"), "> a\n> \n> \tb\n" },
		{ TEXT("\xc3\xa4\xe2\x82\xac"), "> \xc3\xa4\xe2\x82\xac\n" },
		{ TEXT("\x1b[31m\r\b\x7f\0x"), "> \\x1b[31m\\x0d\\x08\\x7f\\x00x\n" },
		{ TEXT("\xc2\x9b" "1m"), "> \\xc2\\x9b1m\n" },
		{ TEXT("\xff\xc3"), "> \\xff\\xc3\n" },
		{ TEXT("\xc3\n\xa4"), "> \\xc3\n> \\xa4\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *shown = NULL;
		size_t len = 0;
		FILE *to = open_memstream(&shown, &len);
		assert_non_null(to);
		escape_print(to, span_of(cases[i].text, cases[i].len), "> ");
		fclose(to);
		assert_string_equal(shown, cases[i].shown);
		assert_int_equal(len, strlen(cases[i].shown));
		free(shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shown_as_it_may_be) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
