/* test-options.c - a section's values against a table: parsing, errors, soundness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/span.h"
#include "config/ini.h"
#include "unit/config/reported.h"

static const struct pb_option table[] = {
	{ "url", PB_URL, NULL, .help = "Where to." },
	{ "name", PB_STRING, "me", .help = "A name." },
	{ "token", PB_SECRET, "", .help = "A secret." },
	{ "format", PB_CHOICE, "json", .choices = "json raw", .help = "A form." },
	{ "tls", PB_BOOL, "yes", .help = "A switch." },
	{ "count", PB_INT, "3", .min = -5, .max = 10, .help = "A number." },
	{ "wait", PB_DURATION, "10s", .min = 1000, .max = INT64_MAX, .help = "A wait." },
	{ "size", PB_SIZE, "1MiB", .min = 0, .max = 1 << 30, .help = "A size." },
	{ "any", PB_INT, "", .help = "Any number." },
	{ "headers", PB_LIST, "", .help = "A list." },
	{ "file", PB_PATH, "", .help = "A path." },
	{ "files", PB_PATHS, "", .help = "Paths." },
	{ "target", PB_ADDRESS, "", .help = "An address." },
	{ "listen", PB_ADDRESSES, "127.0.0.1:80", .help = "Addresses." },
	{ "body", PB_TEMPLATE, "", .help = "A template." },
	{ 0 }
};

static const struct pb_option common[] = {
	{ "timeout", PB_DURATION, "20s", .help = "A time-out." },
	{ 0 }
};

struct fixture {
	struct report report;
	struct sections sections;
	struct options *options;
};

/* "[sink a]" and "url" stand in lines 1 and 2. */
static struct fixture read_text(const char *settings)
{
	struct fixture f = { 0 };
	char *text;
	assert_true(asprintf(&text, "[sink a]\nurl = http://a/\n%s", settings) > 0);
	ini_read(span_str(text), "f", &f.sections, &f.report);
	free(text);
	f.options = options_read(f.sections.at[0], table, common, &f.report);
	return f;
}

static void end(struct fixture *f)
{
	options_free(f->options);
	sections_free(&f->sections);
	report_free(&f->report);
}

static void expect_error(const char *setting, const char *said)
{
	struct fixture f = read_text(setting);
	char *got = reported(&f.report, false);
	size_t key = strcspn(setting, " ");
	char expected[600];
	snprintf(expected, sizeof expected, "f:3: [sink a] %.*s: %s\n", (int)key, setting, said);
	assert_string_equal(got, expected);
	free(got);
	end(&f);
}

static void defaults_hold(void **state)
{
	(void)state;
	struct fixture f = read_text("");
	const struct options *o = f.options;
	assert_int_equal(f.report.n, 0);
	assert_string_equal(options_str(o, "url"), "http://a/");
	assert_string_equal(options_str(o, "name"), "me");
	assert_string_equal(options_str(o, "token"), "");
	assert_string_equal(options_str(o, "format"), "json");
	assert_true(options_bool(o, "tls"));
	assert_int_equal(options_int(o, "count"), 3);
	assert_int_equal(options_int(o, "wait"), 10000);
	assert_int_equal(options_int(o, "size"), 1024 * 1024);
	assert_int_equal(options_int(o, "any"), 0);
	assert_null(options_list(o, "headers")[0]);
	assert_string_equal(options_list(o, "listen")[0], "127.0.0.1:80");
	assert_int_equal(options_int(o, "timeout"), 20000);
	assert_null(options_template(o, "body"));
	assert_true(options_isset(o, "url"));
	assert_false(options_isset(o, "name"));
	assert_int_equal(options_place(o, "url").line, 2);
	assert_int_equal(options_place(o, "name").line, 1);
	assert_int_equal(options_place(o, NULL).line, 1);
	assert_int_equal(options_type(o, "wait"), PB_DURATION);
	assert_int_equal(options_type(o, "nothing"), -1);
	end(&f);
}

static void values_are_parsed(void **state)
{
	(void)state;
	struct fixture f = read_text(
		"name = it # self\n" "token = s3cret\n" "format = raw\n" "tls = no\n"
		"count = -5\n" "wait = 2h\n" "size = 64KiB\n" "any = -9223372036854775808\n"
		"headers = \"A: b, c\", \"D: \\\"e\\\"\", f\n" "file = /a b\n"
		"files = /a/*.log, \"/b c\"\n" "target = udp:[::1]:514\n"
		"listen = a:1, unix:/run/x\n" "body = {{type}}\n" "timeout = 0\n");
	const struct options *o = f.options;
	char *said = reported(&f.report, false);
	assert_string_equal(said, "");
	free(said);
	assert_string_equal(options_str(o, "name"), "it # self");
	assert_string_equal(options_str(o, "token"), "s3cret");
	assert_string_equal(options_str(o, "format"), "raw");
	assert_false(options_bool(o, "tls"));
	assert_int_equal(options_int(o, "count"), -5);
	assert_int_equal(options_int(o, "wait"), 7200000);
	assert_int_equal(options_int(o, "size"), 65536);
	assert_int_equal(options_int(o, "any"), INT64_MIN);
	assert_string_equal(options_list(o, "headers")[0], "A: b, c");
	assert_string_equal(options_list(o, "headers")[1], "D: \"e\"");
	assert_string_equal(options_list(o, "headers")[2], "f");
	assert_null(options_list(o, "headers")[3]);
	assert_string_equal(options_str(o, "file"), "/a b");
	assert_string_equal(options_list(o, "files")[1], "/b c");
	assert_string_equal(options_str(o, "target"), "udp:[::1]:514");
	assert_string_equal(options_list(o, "listen")[1], "unix:/run/x");
	assert_non_null(options_template(o, "body"));
	assert_true(options_isset(o, "timeout"));
	assert_int_equal(options_place(o, "timeout").line, 17);
	end(&f);
}

static void wrong_values_say_what_was_expected(void **state)
{
	(void)state;
	static const char duration[] = "; expected a number with its unit, such as 250ms, 30s, 5m, "
		"2h or 7d", address[] = "; expected HOST:PORT, [V6]:PORT or unix:/PATH";
	static const struct {
		const char *setting, *what, *expected;
	} cases[] = {
		{ "count = x", "\"x\" is not a number; expected a whole number", "" },
		{ "count = 1.5", "\"1.5\" is not a number; expected a whole number", "" },
		{ "count = 11", "\"11\" is out of range; expected -5 to 10", "" },
		{ "count = 99999999999999999999", "\"99999999999999999999\" is out of range; "
		  "expected -5 to 10", "" },
		{ "any = 99999999999999999999", "\"99999999999999999999\" is out of range", "" },
		{ "wait = 5", "\"5\" is not a duration", duration },
		{ "wait = 5 s", "\"5 s\" is not a duration", duration },
		{ "wait = 5m # five", "\"5m # five\" is not a duration; expected a number with its "
		  "unit, such as 250ms, 30s, 5m, 2h or 7d, and a comment on a line of its own", "" },
		{ "wait = 5ms", "\"5ms\" is out of range; expected at least 1s", "" },
		{ "size = 2GiB", "\"2GiB\" is out of range; expected at most 1GiB", "" },
		{ "size = 1K", "\"1K\" is not a size; expected a number of bytes or with a unit, such "
		  "as 512, 64KiB or 16MiB", "" },
		{ "size =", "is empty; expected a number of bytes or with a unit, such as 512, 64KiB "
		  "or 16MiB, or no such line", "" },
		{ "tls = true", "\"true\" is not yes or no; expected yes or no", "" },
		{ "format = jsno", "\"jsno\" is not a choice; expected one of json, raw; did you "
		  "mean json?", "" },
		{ "format = xml", "\"xml\" is not a choice; expected one of json, raw", "" },
		{ "headers = a b", "is no list from \"b\" on; expected words or \"quoted strings\" between "
		  "commas", "" },
		{ "headers = a,", "\"a,\" ends in the middle of a list", "" },
		{ "headers = \"a", "\"\"a\" ends in the middle of a list", "" },
		{ "file = a/b", "\"a/b\" is not a path; expected an absolute path", "" },
		{ "files = /a, b", "\"b\" is not a path; expected an absolute path", "" },
		{ "target = host", "\"host\" is not an address", address },
		{ "listen = a:1, b", "\"b\" is not an address", address },
		{ "listen = a:70000", "\"a:70000\" is out of range; a port is 0 to 65535, a Unix "
		  "socket's path has at most 107 bytes", "" },
		{ "token =", "is empty; expected a secret, or no such line", "" },
		{ "timeot = 1s", "there is no such option; did you mean timeout?", "" },
		{ "colour = red", "there is no such option", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char said[500];
		snprintf(said, sizeof said, "%s%s", cases[i].what, cases[i].expected);
		expect_error(cases[i].setting, said);
	}
}

static void urls_are_checked_and_never_quoted(void **state)
{
	(void)state;
	static const char *const bad[] = { "a", "http:/a", "http://", "http:///x", "://a", "1a://b",
		"HTTP://a", "http://a b", "http://?x" };
	static const char *const good[] = { "http://a", "https://u:p@h:1/x?y#z", "amqp+tls://h" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct report report = { 0 };
		struct sections sections = { 0 };
		char text[100];
		snprintf(text, sizeof text, "[sink a]\nurl = %s\n", bad[i]);
		ini_read(span_str(text), "f", &sections, &report);
		options_free(options_read(sections.at[0], table, common, &report));
		char *said = reported(&report, false);
		assert_string_equal(said, "f:2: [sink a] url: this is not a URL; expected "
				    "SCHEME://HOST and what follows\n");
		free(said);
		sections_free(&sections);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct report report = { 0 };
		struct sections sections = { 0 };
		char text[100];
		snprintf(text, sizeof text, "[sink a]\nurl = %s\n", good[i]);
		ini_read(span_str(text), "f", &sections, &report);
		options_free(options_read(sections.at[0], table, common, &report));
		assert_int_equal(report.n, 0);
		sections_free(&sections);
	}
}

static void required_options_are_missed(void **state)
{
	(void)state;
	struct report report = { 0 };
	struct sections sections = { 0 };
	ini_read(span_str("[sink a]\n[sink b]\nurl =\n"), "f", &sections, &report);
	for (size_t i = 0; i < 2; i++) {
		struct options *o = options_read(sections.at[i], table, common, &report);
		assert_string_equal(options_str(o, "url"), "");
		options_free(o);
	}
	char *said = reported(&report, false);
	assert_string_equal(said,
		"f:1: [sink a] url: is missing; expected a URL: Where to.\n"
		"f:3: [sink b] url: is empty; expected SCHEME://HOST and what follows\n");
	free(said);
	sections_free(&sections);
}

static void secrets_are_never_quoted(void **state)
{
	(void)state;
	static const char *const settings[] = { "count", "format", "headers", "file", "target",
		"listen", "tls", "wait", "body" };
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		struct fixture f = { 0 };
		char text[100];
		snprintf(text, sizeof text, "[sink a]\nurl = http://a\n%s = hunter2 {{,\n",
			 settings[i]);
		ini_read(span_str(text), "f", &f.sections, &f.report);
		f.sections.at[0]->settings[1].secret = true;
		f.options = options_read(f.sections.at[0], table, common, &f.report);
		assert_int_equal(f.report.errors, 1);
		char *said = reported(&f.report, false);
		assert_null(strstr(said, "hunter2"));
		free(said);
		end(&f);
	}
}

static void a_long_wrong_value_is_cut_between_characters(void **state)
{
	(void)state;
	char many[200], setting[300], said[300];	/* "a", then characters of two bytes */
	for (size_t i = 0; i < sizeof many; i++)
		many[i] = i % 2 == 0 ? '\xa4' : '\xc3';
	many[0] = 'a';
	many[sizeof many - 1] = '\0';
	snprintf(setting, sizeof setting, "count = %s", many);
	snprintf(said, sizeof said, "\"%.79s\xe2\x80\xa6\" is not a number; expected a whole number",
		 many);
	expect_error(setting, said);
}

static void equal_values_are_equal(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{ "", "", true },
		{ "wait = 60s\nname = a\n", "name = a\nwait = 1m\n", true },
		{ "headers = a,b\n", "headers = a,   \"b\"\n", true },
		{ "headers = a,b\n", "headers = a\n", false },
		{ "headers = a,b\n", "headers = b,a\n", false },
		{ "name = a\n", "name = b\n", false },
		{ "name = me\n", "", false },		/* one is written, one is not */
		{ "tls = no\n", "tls = yes\n", false },
		{ "body = {{type}}\n", "body = {{id}}\n", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture a = read_text(cases[i].a), b = read_text(cases[i].b);
		assert_int_equal(options_equal(a.options, b.options), cases[i].equal);
		end(&a);
		end(&b);
	}
}

static void a_plugins_errors_find_their_line(void **state)
{
	(void)state;
	struct fixture f = read_text("name = x\n");
	struct pb_error err;
	error_init(&err);
	error_add(&err, "name", "is taken");
	error_add(&err, "count", "does not fit");
	error_add(&err, NULL, "is odd");
	options_report(f.options, "sink a", &err, &f.report);
	assert_int_equal(err.count, 0);
	char *said = reported(&f.report, false);
	assert_string_equal(said, "f:1: [sink a] count: does not fit\n"
			    "f:1: [sink a]: is odd\nf:3: [sink a] name: is taken\n");
	free(said);
	end(&f);
}

static void a_plugins_errors_quote_no_secret(void **state)
{
	(void)state;
	struct fixture f = { 0 };
	ini_read(span_str("[sink a]\nurl = http://a\ntoken = hunter2\nheaders = \"hunter3\", b\n"
			  "name = hunter4\n"), "f", &f.sections, &f.report);
	f.sections.at[0]->settings[2].secret = true;
	f.options = options_read(f.sections.at[0], table, common, &f.report);
	struct pb_error err;
	error_init(&err);
	error_add(&err, "token", "hunter2 and hunter2 again");
	error_add(&err, "headers", "hunter3 is no header");
	error_add(&err, "name", "hunter4 is taken");
	options_report(f.options, "sink a", &err, &f.report);
	char *said = reported(&f.report, false);
	assert_string_equal(said, "f:3: [sink a] token: (secret) and (secret) again\n"
			    "f:4: [sink a] headers: (secret) is no header\n"
			    "f:5: [sink a] name: hunter4 is taken\n");
	free(said);
	end(&f);
}

static void public_files_are_warned_of(void **state)
{
	(void)state;
	struct fixture f = { 0 };
	ini_read(span_str("[sink a]\nurl = http://a\ntoken = x\nname = y\nbody = {{type}}\n"), "f",
		 &f.sections, &f.report);
	struct section *s = f.sections.at[0];
	s->public = true;
	for (size_t i = 2; i < 4; i++) {
		s->settings[i].secret = true;
		s->settings[i].exposed = strdup("/etc/word");
	}
	f.options = options_read(s, table, common, &f.report);
	assert_int_equal(f.report.errors, 0);
	char *said = reported(&f.report, false);
	assert_string_equal(said,
		"f:3: warning: [sink a] token: every user can read f: chmod o-r it\n"
		"f:4: warning: [sink a] name: every user can read /etc/word: chmod o-r it\n");
	free(said);
	end(&f);
}

static void unsound_tables_are_refused(void **state)
{
	(void)state;
	static const struct pb_option unsound[] = {
		{ "Name", PB_STRING, "", .help = "H." },
		{ "a", PB_STRING, "", .help = "" },
		{ "b", PB_STRING, "", .help = "H.", .min = 1, .max = 2 },
		{ "c", PB_INT, "3", .help = "H.", .min = 2, .max = 1 },
		{ "d", PB_CHOICE, "x", .help = "H." },
		{ "e", PB_CHOICE, "x", .choices = "y z", .help = "H." },
		{ "f", PB_STRING, "x", .choices = "x y", .help = "H." },
		{ "g", PB_INT, "11", .max = 10, .help = "H." },
		{ "h", (enum pb_type)99, "", .help = "H." },
		{ "b", PB_STRING, "", .help = "H." },
		{ "timeout", PB_DURATION, "1s", .help = "H." },
		{ 0 }
	};
	static const char *const expected[] = {
		"option \"Name\": a name is lower_case_with_underscores",
		"has no help",
		"has limits, but its type has none",
		"its least is above its most",
		"has no choices",
		"its default is wrong: \"x\" is not a choice; expected one of y, z",
		"has choices, but is none",
		"its default is wrong: \"11\" is out of range; expected 0 to 10",
		"has type 99, which is none",
		"stands in the table twice",
		"is an option that all instances share",
	};
	struct pb_error err;
	error_init(&err);
	assert_true(options_table_sound(table, common, &err));
	assert_true(options_table_sound(NULL, common, &err));
	assert_int_equal(err.count, 0);
	assert_false(options_table_sound(unsound, common, &err));
	size_t i = 0;
	for (const struct error_entry *e = err.first; e != NULL; e = e->next)
		assert_string_equal(e->text, expected[i++]);
	assert_int_equal(i, sizeof expected / sizeof *expected);
	error_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(values_are_parsed),
		cmocka_unit_test(wrong_values_say_what_was_expected),
		cmocka_unit_test(urls_are_checked_and_never_quoted),
		cmocka_unit_test(required_options_are_missed),
		cmocka_unit_test(secrets_are_never_quoted),
		cmocka_unit_test(a_long_wrong_value_is_cut_between_characters),
		cmocka_unit_test(equal_values_are_equal),
		cmocka_unit_test(a_plugins_errors_find_their_line),
		cmocka_unit_test(a_plugins_errors_quote_no_secret),
		cmocka_unit_test(public_files_are_warned_of),
		cmocka_unit_test(unsound_tables_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
