/* test-parse-text.c - lists, globs and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/parse.h"

/* All items as "<a><b>", then the result if it is not 0; `*at` is where it ended. */
static void list_describe(const char *text, char *to, size_t *at)
{
	char item[8];
	const char *next = text;
	int r;
	*to = '\0';
	while ((r = parse_list_next(&next, item, sizeof item)) == 1)
		to += snprintf(to, 16, "<%s>", item);
	if (r != 0)
		snprintf(to, 16, "%s", r == -EINVAL ? "EINVAL" : "ERANGE");
	*at = (size_t)(next - text);
}

static void lists(void **state)
{
	(void)state;
	static const struct {
		const char *text, *items;
		size_t at;
	} rows[] = {
		{ "", "", 0 }, { "  \t\n", "", 4 }, { "a", "<a>", 1 }, { " a ", "<a>", 3 },
		{ "a,b", "<a><b>", 3 }, { "a , b\n,\tc", "<a><b><c>", 9 },
		{ "a:1,b/c\\d", "<a:1><b/c\\d>", 9 },
		{ "\"a b\", \"c,d\"", "<a b><c,d>", 12 },
		{ "\"\"", "<>", 2 }, { "\"\" , x", "<><x>", 6 },
		{ "\"\\\"\\\\\"", "<\"\\>", 6 },
		{ "1234567", "<1234567>", 7 }, { "12345678", "ERANGE", 0 },
		{ "\"1234567\"", "<1234567>", 9 }, { "a, \"12345678\"", "<a>ERANGE", 3 },
		{ ",a", "EINVAL", 0 }, { " , a", "EINVAL", 1 }, { "a,", "EINVAL", 1 },
		{ "a , ", "EINVAL", 2 }, { "a,,b", "<a>EINVAL", 2 }, { ",", "EINVAL", 0 },
		{ "a b", "EINVAL", 2 }, { "a\"b", "EINVAL", 1 }, { "\"a\"b", "EINVAL", 3 },
		{ "\"a\" \"b\"", "EINVAL", 4 }, { "\"a", "EINVAL", 2 }, { "\"", "EINVAL", 1 },
		{ "\"a\\", "EINVAL", 2 }, { "\"a\\\"", "EINVAL", 4 }, { "\"a\\n\"", "EINVAL", 2 },
		{ "x, \"b\\q\"", "<x>EINVAL", 5 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char items[64];
		size_t at;
		list_describe(rows[i].text, items, &at);
		if (strcmp(items, rows[i].items) != 0 || at != rows[i].at)
			fail_msg("\"%s\": %s at %zu", rows[i].text, items, at);
	}
}

static void globs(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "abc", true },
		{ "**", "", true }, { "?", "", false }, { "?", "a", true }, { "?", "ab", false },
		{ "abc", "abc", true }, { "abc", "ab", false }, { "ab", "abc", false },
		{ "report_run_*", "report_run_started", true },
		{ "report_run_*", "report_run_", true }, { "report_run_*", "report_run", false },
		{ "*_created", "report_created", true }, { "*_created", "created", false },
		{ "a*b*c", "aXbXbYc", true }, { "a*b*c", "acb", false }, { "*a?", "aaab", true },
		{ "a*?", "a", false }, { "a*?", "ab", true }, { "*ab", "aab", true },
		{ "*aab*", "aaaab", true }, { "a**b", "ab", true }, { "?*?", "a", false },
		{ "?*?", "ab", true }, { "[ab]", "a", false }, { "[ab]", "[ab]", true },
		{ "\\*", "*", false }, { "\\*", "\\x", true }, { "a.c", "abc", false },
		{ "A", "a", false }, { "**", "***", true }, { "?", "*", true }, { "a", "*", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (glob_match(rows[i].pattern, rows[i].text) != rows[i].match)
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
}

/* The plain definition is the judge. */
static bool glob_by_definition(const char *p, const char *t)
{
	if (*p == '*')
		return glob_by_definition(p + 1, t) ||
		       (*t != '\0' && glob_by_definition(p, t + 1));
	if (*t == '\0' || *p == '\0')
		return *t == *p;
	return (*p == '?' || *p == *t) && glob_by_definition(p + 1, t + 1);
}

/* The `number`-th word over `alphabet`, shorter ones first. */
static void word_number(unsigned number, const char *alphabet, char *word)
{
	for (unsigned n = (unsigned)strlen(alphabet); number > 0; number = (number - 1) / n)
		*word++ = alphabet[(number - 1) % n];
	*word = '\0';
}

static void globs_agree_with_definition(void **state)
{
	(void)state;
	char pattern[16], text[16];
	for (unsigned i = 0; i < 1365; i++)	/* up to five bytes */
		for (unsigned j = 0; j < 127; j++) {	/* up to six */
			word_number(i, "ab*?", pattern);
			word_number(j, "ab", text);
			if (glob_match(pattern, text) != glob_by_definition(pattern, text))
				fail_msg("%s on %s", pattern, text);
		}
}

static void globs_stay_fast(void **state)
{
	(void)state;
	char pattern[2001], text[10001];
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[1999] = 'b';
	pattern[2000] = '\0';
	memset(text, 'a', 10000);
	text[10000] = '\0';
	assert_false(glob_match(pattern, text));
}

#define BYTES(s) (s), sizeof(s) - 1

static void utf8(void **state)
{
	(void)state;
	static const struct {
		const char *data;
		size_t len;
		bool valid;
	} rows[] = {
		{ BYTES(""), true }, { BYTES("plain"), true }, { BYTES("a\0b"), true },
		{ BYTES("\xc2\x80"), true }, { BYTES("\xdf\xbf"), true },
		{ BYTES("\xe0\xa0\x80"), true }, { BYTES("\xef\xbf\xbf"), true },
		{ BYTES("\xed\x9f\xbf"), true }, { BYTES("\xee\x80\x80"), true },
		{ BYTES("\xf0\x90\x80\x80"), true }, { BYTES("\xf4\x8f\xbf\xbf"), true },
		{ BYTES("\x7f"), true }, { BYTES("\x80"), false }, { BYTES("\xbf"), false },
		{ BYTES("\xc0\x80"), false }, { BYTES("\xc1\xbf"), false },
		{ BYTES("\xe0\x9f\xbf"), false }, { BYTES("\xed\xa0\x80"), false },
		{ BYTES("\xed\xbf\xbf"), false }, { BYTES("\xf0\x8f\xbf\xbf"), false },
		{ BYTES("\xf4\x90\x80\x80"), false }, { BYTES("\xf5\x80\x80\x80"), false },
		{ BYTES("\xff"), false }, { BYTES("\xfe"), false }, { BYTES("\xc2"), false },
		{ BYTES("\xe2\x82"), false }, { BYTES("\xf0\x9f\x98"), false },
		{ BYTES("\xc2" "a"), false }, { BYTES("\xe2\x82" "a"), false },
		{ BYTES("\xc2\xc2"), false }, { BYTES("\xe2\x28\xa1"), false },
		{ BYTES("12345678\xc3\xa9" "12345678"), true },
		{ BYTES("12345678\x80" "2345678"), false },
		{ BYTES("1234567812345678\x80"), false }, { BYTES("1234567\xe2\x82\xac"), true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (utf8_valid(rows[i].data, rows[i].len) != rows[i].valid)
			fail_msg("row %zu", i);
}

/* Every code point, encoded by the book, is one character; every surrogate is none. */
static void utf8_of_every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		unsigned char b[4] = { (unsigned char)c };
		size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		uint32_t rest = c;
		for (size_t i = n - 1; i > 0; i--, rest >>= 6)
			b[i] = (unsigned char)(0x80 | (rest & 0x3f));
		if (n > 1)
			b[0] = (unsigned char)((0xf00 >> n & 0xff) | rest);
		bool surrogate = c >= 0xd800 && c < 0xe000;
		assert_int_equal(utf8_length(b, n), surrogate ? 0 : n);
		assert_int_equal(utf8_length(b, n - 1), 0);
		assert_int_equal(utf8_valid(b, n), !surrogate);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(globs),
		cmocka_unit_test(globs_agree_with_definition),
		cmocka_unit_test(globs_stay_fast),
		cmocka_unit_test(utf8),
		cmocka_unit_test(utf8_of_every_code_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
