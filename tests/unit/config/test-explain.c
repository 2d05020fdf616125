/* test-explain.c - option tables as text, JSON and manual pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/explain.h"
#include "event/scan.h"

static const struct pb_option options[] = {
	{ "url", PB_URL, NULL, .help = "Where each event is \"posted\", at http://a-b\\c." },
	{ "format", PB_CHOICE, "json", .choices = "json raw", .help = ".json is not a macro." },
	{ "size", PB_SIZE, "", .min = 1, .max = 65536, .help = "A help that is so long that it does "
	  "not fit into one line of eighty columns, and goes on in the next." },
	{ 0 }
};

static const struct pb_source source = { .size = sizeof source };
static const struct pb_sink sink = { .size = sizeof sink, .options = options };
static const struct pb_plugin plugin = {
	.name = "a-b", .version = "1.2", .summary = "Posts 'events'", .source = &source, .sink = &sink,
};

static void explains(enum explain_form form, const char *expected)
{
	struct buf b = BUF_INIT(64 * 1024);
	explain_plugin(&b, &plugin, form);
	assert_int_equal(b.failed, 0);
	assert_string_equal(b.data, expected);
	buf_free(&b);
}

static void text_shows_every_option(void **state)
{
	(void)state;
	explains(EXPLAIN_TEXT,
		"a-b 1.2: Posts 'events'\n"
		"\n[source NAME]\n"
		"  plugin = a-b\n"
		"  What all sources share (patchbay plugins --core):\n"
		"      plugin, workers, dedupe, dedupe_max, max_marks, isolate, isolate_memory,\n"
		"      isolate_files, isolate_environment, isolate_start, isolate_stop,\n"
		"      isolate_pause, isolate_max_pause\n"
		"\n[sink NAME]\n"
		"  plugin = a-b\n"
		"  url = URL (required)\n"
		"      Where each event is \"posted\", at http://a-b\\c.\n"
		"  format = json | raw (default: json)\n"
		"      .json is not a macro.\n"
		"  size = size, 1 to 64KiB\n"
		"      A help that is so long that it does not fit into one line of eighty\n"
		"      columns, and goes on in the next.\n"
		"  What all sinks share (patchbay plugins --core):\n"
		"      plugin, timeout, retry, max_retry_after, expire, order, order_by,\n"
		"      max_keys, breaker_failures, breaker_pause, breaker_max_pause, rate, burst,\n"
		"      max_in_flight, max_batch, disable_after, max_backlog, overflow, dead_keep,\n"
		"      dead_max, dead_max_size, max_response, isolate, isolate_memory,\n"
		"      isolate_files, isolate_environment, isolate_start, isolate_stop,\n"
		"      isolate_pause, isolate_max_pause\n");
}

static void json_is_one_line_of_json(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(64 * 1024);
	explain_plugin(&b, &plugin, EXPLAIN_JSON);
	assert_true(scan_valid(buf_span(&b), NULL));
	assert_ptr_equal(strchr(b.data, '\n'), b.data + b.len - 1);
	assert_non_null(strstr(b.data, "{\"name\":\"format\",\"type\":\"choice\",\"required\":false,"
			       "\"default\":\"json\",\"choices\":[\"json\",\"raw\"],"
			       "\"help\":\".json is not a macro.\"}"));
	assert_non_null(strstr(b.data, "\"type\":\"size\",\"required\":false,\"default\":\"\",\"min\":1,"
			       "\"max\":65536"));
	buf_reset(&b);
	explain_ini(&b, EXPLAIN_JSON);
	int objects = 0;
	for (char *line = b.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, objects++)
		assert_true(scan_valid((struct pb_span){ line, (size_t)(end - line) }, NULL));
	assert_int_equal(objects, 5);
	buf_free(&b);
}

static void man_is_escaped(void **state)
{
	(void)state;
	explains(EXPLAIN_MAN,
		".TH PATCHBAY\\-A-B 7 \"\" \"patchbay " PACKAGE_VERSION "\" \"patchbay plugins\"\n"
		".SH NAME\npatchbay\\-a\\-b \\- Posts \\(aqevents\\(aq\n"
		".SH SYNOPSIS\n"
		".PP\n.nf\n.RS\n[source \\fINAME\\fR]\nplugin = a\\-b\n.RE\n.fi\n"
		".PP\n.nf\n.RS\n[sink \\fINAME\\fR]\nplugin = a\\-b\nurl = ...\n.RE\n.fi\n"
		".SH SOURCE OPTIONS\n"
		".PP\nThe options that all sources share are described in\n.BR patchbay.ini (5):\n"
		"\\&plugin, workers, dedupe, dedupe_max, max_marks, isolate, isolate_memory, isolate_files, isolate_environment, "
		"isolate_start, isolate_stop, isolate_pause, isolate_max_pause\n"
		".SH SINK OPTIONS\n"
		".TP\n.BR \"url\" \" (URL; required)\"\n"
		"\\&Where each event is \\(dqposted\\(dq, at http://a\\-b\\ec.\n"
		".TP\n.BR \"format\" \" (json | raw; default json)\"\n"
		"\\&.json is not a macro.\n"
		".TP\n.BR \"size\" \" (size, 1 to 64KiB)\"\n"
		"\\&A help that is so long that it does not fit into one line of eighty columns, and "
		"goes on in the next.\n"
		".PP\nThe options that all sinks share are described in\n.BR patchbay.ini (5):\n"
		"\\&plugin, timeout, retry, max_retry_after, expire, order, order_by, max_keys, breaker_failures, "
		"breaker_pause, breaker_max_pause, rate, burst, max_in_flight, max_batch, "
		"disable_after, max_backlog, overflow, dead_keep, dead_max, dead_max_size, max_response, "
		"isolate, isolate_memory, isolate_files, isolate_environment, isolate_start, isolate_stop, isolate_pause, isolate_max_pause\n"
		".SH SEE ALSO\n.BR patchbay (1),\n.BR patchbay.ini (5);\n"
		"the guides for operators and of the sinks in\n.I " PATCHBAY_GUIDE_DIR "\n");
}

static void every_option_of_the_core_is_explained(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(64 * 1024), man = BUF_INIT(64 * 1024);
	explain_ini(&text, EXPLAIN_TEXT);
	explain_ini(&man, EXPLAIN_MAN);
	const struct pb_option *const tables[] = {
		config_core_table, config_route_table, config_common_table(CONFIG_SOURCE),
		config_common_table(CONFIG_FILTER), config_common_table(CONFIG_SINK),
	};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct pb_option *o = tables[i]; o->name != NULL; o++) {
			char in_text[80], in_man[80];
			snprintf(in_text, sizeof in_text, "\n  %s = ", o->name);
			snprintf(in_man, sizeof in_man, "\n.BR \"%s\" ", o->name);
			assert_non_null(strstr(text.data, in_text));
			assert_non_null(strstr(man.data, in_man));
		}
	buf_free(&text);
	buf_free(&man);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_shows_every_option),
		cmocka_unit_test(json_is_one_line_of_json),
		cmocka_unit_test(man_is_escaped),
		cmocka_unit_test(every_option_of_the_core_is_explained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
