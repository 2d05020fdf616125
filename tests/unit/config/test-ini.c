/* test-ini.c - sections by libinih, without what libinih does to them alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/span.h"
#include "config/ini.h"
#include "config/section.h"
#include "unit/config/reported.h"

/* "[title]LINE key=value@LINE …" for each sound section, then what was reported. */
static char *read_ini(struct pb_span text)
{
	struct report report;
	report_init(&report);
	struct sections sections = { 0 };
	struct buf b = BUF_INIT(1024 * 1024);
	ini_read(text, "f", &sections, &report);
	for (size_t i = 0; i < sections.n; i++) {
		const struct section *s = sections.at[i];
		if (*s->kind == '\0')
			continue;
		buf_printf(&b, "[%s]%u", s->title, s->place.line);
		for (size_t k = 0; k < s->n; k++)
			buf_printf(&b, " %s=%s@%u", s->settings[k].key, s->settings[k].value,
				   s->settings[k].place.line);
		buf_add_char(&b, '\n');
	}
	sections_free(&sections);
	char *said = reported(&report, false);
	buf_add_str(&b, said);
	free(said);
	return buf_take(&b);
}

static void expect(const char *text, const char *expected)
{
	char *got = read_ini(span_str(text));
	assert_string_equal(got, expected);
	free(got);
}

static void sections_and_settings_are_read(void **state)
{
	(void)state;
	expect("", "");
	expect("[patchbay]\nstate = /x\n", "[patchbay]1 state=/x@2\n");
	expect("[source a]\n[sink b]\nx=1\n", "[source a]1\n[sink b]2 x=1@3\n");
	expect("[ sink \t b ]\n", "[sink b]1\n");
	expect("[sink b]\nx   =   1\ny=\nz = = =\n", "[sink b]1 x=1@2 y=@3 z== =@4\n");
	expect("[sink b]\nx = a\\\n  b\ny = 2\n", "[sink b]1 x=ab@2 y=2@4\n");
}

static void libinih_changes_no_value(void **state)
{
	(void)state;
	expect("[sink b]\nx = \"a ; b\" ; c\ny = a # b\nz = a: b\n",
	       "[sink b]1 x=\"a ; b\" ; c@2 y=a # b@3 z=a: b@4\n");
	expect("[sink b]\nx = 1\nx = 2\n",
	       "[sink b]1 x=1@2\nf:3: [sink b] x: stands here again, first at f:2\n");
}

static void long_names_and_values_are_whole(void **state)
{
	(void)state;
	char name[SECTION_NAME_MAX + 1], key[SECTION_KEY_MAX + 1];
	size_t len = 64 * 1024;
	char *value = malloc(len + 2);
	memset(name, 'n', sizeof name);
	name[SECTION_NAME_MAX] = '\0';
	memset(key, 'k', sizeof key);
	key[SECTION_KEY_MAX] = '\0';
	memset(value, 'v', len + 1);
	value[len] = '\0';
	struct buf text = BUF_INIT(1024 * 1024), expected = BUF_INIT(1024 * 1024);
	buf_printf(&text, "[sink %s]\n%s = %s\n", name, key, value);
	buf_printf(&expected, "[sink %s]1 %s=%s@2\n", name, key, value);
	expect(text.data, expected.data);
	buf_reset(&text);
	value[len] = 'v';
	value[len + 1] = '\0';
	buf_printf(&text, "[sink a]\nx = %s\n", value);
	expect(text.data, "[sink a]1\nf:2: [sink a] x: is longer than 64 KiB\n");
	buf_free(&text);
	buf_free(&expected);
	free(value);
}

static void wrong_lines_are_named(void **state)
{
	(void)state;
	expect("x = 1\ny = 2\n[sink a]\n", "[sink a]3\nf:1: stands before the first section\n");
	expect("[sink a]\nx\n", "[sink a]1\nf:2: [sink a]: is neither a section nor a setting; "
	       "expected [kind name] or key = value\n");
	expect("[sink a]\nx: 1\n", "[sink a]1\nf:2: [sink a]: is neither a section nor a setting; "
	       "expected [kind name] or key = value\n");
	expect("[sink a]\n= 1\n", "[sink a]1\nf:2: [sink a]: has no key; expected key = value\n");
	static const char no_key[] = "[sink a]1\nf:2: [sink a]: what stands before = is no key; "
		"expected lower_case_with_underscores\n";
	expect("[sink a]\nUrl = 1\n", no_key);
	expect("[sink a]\nurl: x = 1\n", no_key);
	expect("[sink a]\n@ = 1\n", no_key);
	expect("[sink a]\n1x = 1\n", no_key);
	expect("[sink a]\nk\xc3\xa4 = 1\n", no_key);
	expect("[sink a]\nkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk = 1\n",
	       no_key);
}

static void wrong_sections_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *line, *said;
	} cases[] = {
		{ "[sorce a]", "[sorce a]: there is no such kind of section; did you mean source?" },
		{ "[]", "[]: there is no such kind of section; expected [patchbay], [source NAME], "
		  "[filter NAME], [sink NAME] or [route NAME]" },
		{ "[Sink a]", "[Sink a]: there is no such kind of section; did you mean sink?" },
		{ "[sink]", "[sink]: has no name; expected one behind the kind, as in [sink team]" },
		{ "[patchbay x]", "[patchbay x]: takes no name; expected [patchbay]" },
		{ "[source patchbay]", "[source patchbay]: the name patchbay is kept for the "
		  "daemon's own events" },
		{ "[sink a", "a section's line ends in ], and nothing may stand behind it, also "
		  "no comment" },
		{ "[", "a section's line ends in ], and nothing may stand behind it, also "
		  "no comment" },
		{ "[sink a] # x", "a section's line ends in ], and nothing may stand behind it, "
		  "also no comment" },
	};
	static const char *const names[] = { "A", "-a", "_a", "a b", "a.b", "a]", "\xc3\xa4",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	char text[300], expected[400];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text, "%s\nx = 1\nx = 1\n", cases[i].line);
		snprintf(expected, sizeof expected, "f:1: %s\n", cases[i].said);
		char *got = read_ini(span_str(text));
		assert_memory_equal(got, expected, strlen(expected));
		free(got);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(text, sizeof text, "[sink %s]", names[i]);
		snprintf(expected, sizeof expected, "f:1: [sink %s]: a name has 1 to 64 of a-z, "
			 "0-9, _ and -, and begins with a letter or digit\n", names[i]);
		expect(text, expected);
	}
}

static void a_section_has_an_end(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(1024 * 1024);
	buf_add_str(&b, "[sink a]\n");
	for (int i = 0; i < SECTION_SETTINGS_MAX + 2; i++)
		buf_printf(&b, "k%d = 1\n", i);
	char *got = read_ini(buf_span(&b));
	assert_non_null(strstr(got, "\nf:1002: [sink a]: has more than 1000 lines\n"));
	assert_null(strstr(got, "k1000="));
	free(got);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_and_settings_are_read),
		cmocka_unit_test(libinih_changes_no_value),
		cmocka_unit_test(long_names_and_values_are_whole),
		cmocka_unit_test(wrong_lines_are_named),
		cmocka_unit_test(wrong_sections_are_named),
		cmocka_unit_test(a_section_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
