/* test-error.c - errors are kept in order, each one line, up to a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/error.h"

static void entries_keep_order_and_option(void **state)
{
	(void)state;
	struct pb_error err;
	error_init(&err);
	assert_string_equal(error_text(&err), "");
	error_add(&err, "url", "%s is not a %s", "x", "URL");
	error_add(&err, NULL, "second");
	assert_int_equal(err.count, 2);
	assert_string_equal(error_text(&err), "x is not a URL");
	assert_string_equal(err.first->option, "url");
	assert_string_equal(err.first->next->option, "");
	assert_string_equal(err.first->next->text, "second");
	assert_null(err.first->next->next);
	error_free(&err);
	assert_int_equal(err.count, 0);
	error_add(&err, NULL, "anew");
	assert_string_equal(error_text(&err), "anew");
	error_free(&err);
}

static void text_stays_one_line(void **state)
{
	(void)state;
	struct pb_error err;
	error_init(&err);
	error_add(&err, NULL, "%s", "a\nb\x1b[1m\x7f\xc3\xa9");
	assert_string_equal(error_text(&err), "a b [1m \xc3\xa9");
	error_free(&err);
}

static void what_is_long_is_cut(void **state)
{
	(void)state;
	static char huge[100000];
	memset(huge, 'x', sizeof huge - 1);
	struct pb_error err;
	error_init(&err);
	error_add(&err, huge, "%s", huge);
	assert_int_equal(strlen(err.first->option), ERROR_OPTION_MAX - 1);
	assert_int_equal(strlen(error_text(&err)), 2047);
	error_free(&err);
}

static void a_thousand_are_kept(void **state)
{
	(void)state;
	struct pb_error err;
	error_init(&err);
	for (int i = 0; i < 1500; i++)
		error_add(&err, NULL, "%d", i);
	unsigned kept = 0;
	for (const struct error_entry *e = err.first; e != NULL; e = e->next)
		kept++;
	assert_int_equal(kept, 1000);
	assert_int_equal(err.count, 1500);
	error_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_keep_order_and_option),
		cmocka_unit_test(text_stays_one_line),
		cmocka_unit_test(what_is_long_is_cut),
		cmocka_unit_test(a_thousand_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
