/* test-lines.c - physical lines to logical ones, nothing cut and nothing joined unasked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "config/lines.h"
#include "unit/config/reported.h"

/* "NUMBER:TEXT|" for each line, then what was reported. */
static char *read_lines(const char *data, size_t len)
{
	struct report report;
	report_init(&report);
	struct buf b = BUF_INIT(1024 * 1024);
	struct lines *lines = lines_open((struct pb_span){ data, len }, "f", &report);
	struct line line;
	while (lines_next(lines, &line)) {
		assert_int_equal(line.len, strlen(line.text));
		buf_printf(&b, "%u:%s|", line.number, line.text);
	}
	lines_close(lines);
	char *text = reported(&report, false);
	buf_add_str(&b, text);
	free(text);
	return buf_take(&b);
}

struct sample {
	const char *text, *expected;
};

static void expect(const struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *got = read_lines(samples[i].text, strlen(samples[i].text));
		assert_string_equal(got, samples[i].expected);
		free(got);
	}
}

static void lines_are_numbered_and_trimmed(void **state)
{
	(void)state;
	static const struct sample samples[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "a", "1:a|" },
		{ "a = b  \t\nc=d\n", "1:a = b|2:c=d|" },
		{ "a\r\n\r\nb\r\n", "1:a|3:b|" },
		{ "\xef\xbb\xbf" "a\n", "1:a|" },
		{ "# c\n; d\n  # e\n\t;f\n \t\na", "6:a|" },
		{ "a = # b ; c\n", "1:a = # b ; c|" },
		{ "# ends in a backslash \\\na\n", "2:a|" },
		{ "a = \xc3\xa4\n", "1:a = \xc3\xa4|" },
	};
	expect(samples, sizeof samples / sizeof *samples);
}

static void backslash_continues(void **state)
{
	(void)state;
	static const struct sample samples[] = {
		{ "a = b, \\\n    c\nd\n", "1:a = b, c|3:d|" },
		{ "a = b\\\n\tc\\\nd\n", "1:a = bcd|" },
		{ "a = b \\\r\n  c\r\n", "1:a = b c|" },
		{ "a = b\\\\\nc\n", "1:a = b\\\\|2:c|" },	/* an even number is itself */
		{ "a = b\\\\\\\nc\n", "1:a = b\\\\c|" },
		{ "a = b \\\n  [c]\n", "1:a = b [c]|" },
	};
	expect(samples, sizeof samples / sizeof *samples);
}

static void what_cannot_be_kept_is_refused(void **state)
{
	(void)state;
	static const char indented[] =
		": an indented line; a line that goes on in the next ends in a backslash\n";
	char two[200], four[200];
	snprintf(two, sizeof two, "1:a|3:c|f:2%s", indented);
	snprintf(four, sizeof four, "1:a|f:2%s", indented);
	const struct sample samples[] = {
		{ "a\n b\nc\n", two },
		{ "a\n\t[b] \\\nc\n", four },
		{ "a \\ \nb\n", "2:b|f:1: white space behind the backslash: it would continue nothing\n" },
		{ "a \\\n\nb\n", "3:b|f:2: an empty line continues the one before, which ends in a "
		  "backslash\n" },
		{ "a \\\n# b\nc\n", "3:c|f:2: a comment within a continued line\n" },
		{ "a \\\n# b \\\nc\nd\n", "4:d|f:2: a comment within a continued line\n" },
		{ "a\nb \\", "1:a|f:2: the file ends in a backslash\n" },
		{ "a\nb\001\nc\n", "1:a|3:c|f:2: contains control bytes\n" },
		{ "a\rb\n", "f:1: contains control bytes\n" },
		{ "# \x7f\na", "2:a|f:1: contains control bytes\n" },
		{ "a = \xe4\nb", "2:b|f:1: is not UTF-8\n" },
		{ "a \\\nb\x02 \\\nc\nd", "4:d|f:2: contains control bytes\n" },
	};
	expect(samples, sizeof samples / sizeof *samples);
}

static void nul_is_refused(void **state)
{
	(void)state;
	static const char text[] = "a\nb\0c\nd\n\0# e\nf\n";
	char *got = read_lines(text, sizeof text - 1);
	assert_string_equal(got, "1:a|3:d|5:f|f:2: contains a NUL byte\nf:4: contains a NUL byte\n");
	free(got);
}

static void a_line_may_be_long_but_not_endless(void **state)
{
	(void)state;
	size_t size = LINES_LINE_MAX + 10;
	char *text = malloc(size);
	memset(text, 'x', size);
	text[LINES_LINE_MAX] = '\n';
	char *got = read_lines(text, LINES_LINE_MAX + 1);
	assert_int_equal(strlen(got), LINES_LINE_MAX + 3);
	free(got);
	text[LINES_LINE_MAX] = 'x';
	text[LINES_LINE_MAX + 1] = '\n';
	got = read_lines(text, size);
	assert_string_equal(got, "2:xxxxxxxx|f:1: is longer than 64 KiB\n");
	free(got);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_numbered_and_trimmed),
		cmocka_unit_test(backslash_continues),
		cmocka_unit_test(what_cannot_be_kept_is_refused),
		cmocka_unit_test(nul_is_refused),
		cmocka_unit_test(a_line_may_be_long_but_not_endless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
