/* test-report.c - all that is wrong, in the order of file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "unit/config/reported.h"

static void entries_come_by_file_and_line(void **state)
{
	(void)state;
	struct report report;
	report_init(&report);
	report_error(&report, (struct place){ "b.ini", 9 }, "sink team", "url", "is %s", "odd");
	report_warning(&report, (struct place){ "b.ini", 2 }, "sink team", NULL, "unused");
	report_error(&report, (struct place){ "b.ini", 9 }, "sink team", "url", "and even");
	report_error(&report, (struct place){ "a.ini", 10 }, NULL, NULL, "is not UTF-8");
	report_error(&report, (struct place){ "c.ini", 0 }, NULL, NULL, "No such file");
	report_error(&report, (struct place){ NULL, 0 }, NULL, NULL, "nowhere");
	assert_int_equal(report.errors, 5);
	assert_int_equal(report.warnings, 1);
	char *text = reported(&report, false);
	assert_string_equal(text,
		"nowhere\n"
		"a.ini:10: is not UTF-8\n"
		"b.ini:2: warning: [sink team]: unused\n"
		"b.ini:9: [sink team] url: is odd\n"
		"b.ini:9: [sink team] url: and even\n"
		"c.ini: No such file\n");
	free(text);
}

static void json_has_an_object_a_line(void **state)
{
	(void)state;
	struct report report;
	report_init(&report);
	report_warning(&report, (struct place){ "a.ini", 3 }, "sink a", "url", "\"x\" is odd");
	report_error(&report, (struct place){ "b.ini", 0 }, NULL, NULL, "No such file");
	char *text = reported(&report, true);
	assert_string_equal(text,
		"{\"level\":\"warning\",\"file\":\"a.ini\",\"line\":3,\"section\":\"sink a\","
		"\"key\":\"url\",\"message\":\"\\\"x\\\" is odd\"}\n"
		"{\"level\":\"error\",\"file\":\"b.ini\",\"message\":\"No such file\"}\n");
	free(text);
}

static void an_entry_stays_one_line(void **state)
{
	(void)state;
	struct report report;
	report_init(&report);
	report_error(&report, (struct place){ "a.ini", 1 }, NULL, NULL, "%s", "a\nb\033[31m\x7f");
	char *text = reported(&report, false);
	assert_string_equal(text, "a.ini:1: a b [31m \n");
	free(text);
}

static void a_flood_is_counted(void **state)
{
	(void)state;
	struct report report;
	report_init(&report);
	for (unsigned i = 1; i <= 10002; i++)
		report_error(&report, (struct place){ "a.ini", i }, NULL, NULL, "wrong");
	assert_int_equal(report.errors, 10002);
	char *text = reported(&report, false);
	const char *end = "a.ini:10000: wrong\nand 2 more\n";
	assert_string_equal(text + strlen(text) - strlen(end), end);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_by_file_and_line),
		cmocka_unit_test(json_has_an_object_a_line),
		cmocka_unit_test(an_entry_stays_one_line),
		cmocka_unit_test(a_flood_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
