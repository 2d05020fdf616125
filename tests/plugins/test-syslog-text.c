/* Events as syslog messages, and targets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <patchbay/testing.h>

#include "syslog/text.h"
#include "syslog/transport.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))
#define TIME_MS 1714557600123		/* 2024-05-01T10:00:00.123Z */

static const struct text_style modern = {
	.rfc5424 = true, .priority = 134, .app = "app", .host = "h.test", .pid = 42, .max = 8192
};
static const struct text_style local = {
	.priority = 14, .app = "app", .host = "h.test", .pid = 42, .max = 8192
};

static struct pb_event *event_of(const void *body, size_t len)
{
	static const char *const attributes[] = { "id = i1", "type = ", "source = ", NULL };
	struct pb_event *ev = pbt_event(NULL, body, len, attributes);
	pb_event_set_time(ev, TIME_MS);
	return ev;
}

static void assert_message(const struct text_style *style, const struct pb_event *ev,
			   const char *expected)
{
	char out[8192 + 1];
	bool cut;
	size_t len = text_format(style, ev, out, &cut);
	out[len] = '\0';
	assert_string_equal(out, expected);
	assert_false(cut);
}

static void test_5424(void **state)
{
	struct pb_event *ev = event_of("{\"a\":1}", 7);
	(void)state;
	assert_message(&modern, ev, "<134>1 2024-05-01T10:00:00.123Z h.test app 42 - "
		       "[patchbay@32473 id=\"i1\"] {\"a\":1}");
	pb_event_set(ev, "type", "report run");
	pb_event_set(ev, "source", "/a");
	pb_event_set(ev, "subject", "say \"a]\\b\"");
	pb_event_set(ev, "datacontenttype", "application/json");
	pb_event_set(ev, "x.y", "\xc3\xa4");
	pb_event_set(ev, "a23456789012345678901234567890123456", "v");
	pb_event_set_time(ev, -1);
	assert_message(&modern, ev, "<134>1 1969-12-31T23:59:59.999Z h.test app 42 report_run "
		       "[patchbay@32473 id=\"i1\" type=\"report run\" source=\"/a\" "
		       "subject=\"say \\\"a\\]\\\\b\\\"\" datacontenttype=\"application/json\" "
		       "x.y=\"\xc3\xa4\" a2345678901234567890123456789012=\"v\"] {\"a\":1}");
	pb_event_free(ev);
}

static void test_3164(void **state)
{
	struct pb_event *ev = event_of("x", 1);
	struct text_style remote = local;
	(void)state;
	remote.with_host = true;
	assert_message(&local, ev, "<14>May  1 10:00:00 app[42]: x");
	assert_message(&remote, ev, "<14>May  1 10:00:00 h.test app[42]: x");
	pb_event_free(ev);
}

static void test_escaping(void **state)
{
#define BODY(text, out) { text, sizeof text - 1, out }
	static const struct {
		const char *body;
		size_t len;
		const char *out;
	} cases[] = {
		BODY("", ""), BODY("a b", "a b"), BODY("a\nb", "a#012b"), BODY("a\n", "a"),
		BODY("a\r\n\n", "a"), BODY("\n<13>forged", "#012<13>forged"), BODY("\t", "#011"),
		BODY("a\0b", "a#000b"), BODY("\x1b[31m", "#033[31m"), BODY("\x7f", "#177"),
		BODY("\"\\]", "\"\\]"),
		BODY("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		BODY("\xc2\x9b" "31m", "#302#23331m"),		/* a C1 control */
		BODY("\xff", "#377"), BODY("\xc3", "#303"), BODY("\xc0\xaf", "#300#257"),
		BODY("\xe0\x80\xaf", "#340#200#257"), BODY("\xed\xa0\x80", "#355#240#200"),
		BODY("\xf4\x90\x80\x80", "#364#220#200#200"), BODY("\xf0\x8f\xbf\xbf", "#360#217#277#277"),
		BODY("\xe2\x82", "#342#202"), BODY("\xe2(a", "#342(a"),
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pb_event *ev = event_of(cases[i].body, cases[i].len);
		char expected[128];
		snprintf(expected, sizeof expected, "<14>May  1 10:00:00 app[42]: %s", cases[i].out);
		assert_message(&local, ev, expected);
		pb_event_free(ev);
	}
}

/* At every length around the limit: never over it, never half a character. */
static void test_cut(void **state)
{
	static const char *const units[][2] = {
		{ "a", "a" }, { "\xc3\xa4", "\xc3\xa4" }, { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\n", "#012" },
	};
	char body[2048], out[TEXT_MIN], whole[4096];
	struct text_style style = local;
	(void)state;
	for (size_t u = 0; u < COUNT(units); u++)
		for (size_t n = 80; n < 600; n++) {
			size_t unit = strlen(units[u][0]), shown = strlen(units[u][1]);
			bool cut;
			snprintf(whole, sizeof whole, "<14>May  1 10:00:00 app[42]: ");
			size_t head = strlen(whole);
			for (size_t i = 0; i < n && i * unit + unit < sizeof body; i++) {
				memcpy(body + i * unit, units[u][0], unit);
				memcpy(whole + head + i * shown, units[u][1], shown);
			}
			/* the end of a body of line breaks would be dropped */
			size_t len = n * unit < sizeof body - 8 ? n * unit : sizeof body - 8;
			len -= len % unit;
			body[len] = '.';
			whole[head + len / unit * shown] = '.';
			size_t all = head + len / unit * shown + 1;
			struct pb_event *ev = event_of(body, len + 1);
			style.max = TEXT_MIN;
			size_t got = text_format(&style, ev, out, &cut);
			pb_event_free(ev);
			assert_true(got <= TEXT_MIN);
			assert_int_equal(cut, all > TEXT_MIN);
			if (!cut) {
				assert_int_equal(got, all);
				assert_memory_equal(out, whole, all);
				continue;
			}
			size_t kept = got - strlen(TEXT_CUT);
			assert_memory_equal(out + kept, TEXT_CUT, strlen(TEXT_CUT));
			assert_memory_equal(out, whole, kept);
			assert_int_equal((kept - head) % shown, 0);
			assert_true(got + shown > TEXT_MIN);
		}
}

static void test_attributes_over(void **state)
{
	char value[600], out[TEXT_MIN + 1];
	struct text_style style = modern;
	bool cut;
	struct pb_event *ev = event_of("body", 4);
	(void)state;
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	pb_event_set(ev, "big", value);
	pb_event_set(ev, "small", "s");
	style.max = TEXT_MIN;
	out[text_format(&style, ev, out, &cut)] = '\0';
	assert_true(cut);
	assert_string_equal(out, "<134>1 2024-05-01T10:00:00.123Z h.test app 42 - "
			    "[patchbay@32473 id=\"i1\" small=\"s\"] body");
	pb_event_free(ev);
}

static void test_head_over(void **state)
{
	char host[300], type[2000], out[TEXT_MIN];
	struct text_style style = modern;
	bool cut;
	struct pb_event *ev = event_of("body", 4);
	(void)state;
	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	memset(type, 't', sizeof type - 1);
	type[sizeof type - 1] = '\0';
	assert_int_equal(pb_event_set(ev, "type", type), 0);
	style.max = TEXT_MIN;
	style.host = host;
	style.app = "a2345678901234567890123456789012345678901234567890";
	size_t len = text_format(&style, ev, out, &cut);
	assert_true(cut && len <= TEXT_MIN);
	assert_non_null(memmem(out, len, "[patchbay@32473", 15));
	assert_memory_equal(out + len - 6, "] body", 6);
	pb_event_free(ev);
}

static void test_target(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} cases[] = {
		{ "unix:/dev/log", "/dev/log", NULL },
		{ "udp:logs.test:514", "logs.test", "514" },
		{ "udp:127.0.0.1:1", "127.0.0.1", "1" },
		{ "udp:[::1]:514", "::1", "514" },
		{ "udp:::1:514", NULL, NULL }, { "udp:host", NULL, NULL }, { "udp::514", NULL, NULL },
		{ "udp:host:", NULL, NULL }, { "udp:host:x", NULL, NULL }, { "udp:host:123456", NULL, NULL },
		{ "udp:[]:514", NULL, NULL }, { "udp:", NULL, NULL }, { "host:514", NULL, NULL },
		{ "tcp:host:514", NULL, NULL }, { "unix:log", NULL, NULL }, { "", NULL, NULL },
		{ "unix:/12345678901234567890123456789012345678901234567890123456789012345678901234567890"
		  "1234567890123456789012345678", NULL, NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct target target;
		const char *fault = target_parse(cases[i].text, &target);
		assert_int_equal(fault == NULL, cases[i].host != NULL);
		if (fault != NULL)
			continue;
		assert_int_equal(target.local, cases[i].port == NULL);
		assert_string_equal(target.local ? target.path : target.host, cases[i].host);
		if (!target.local)
			assert_string_equal(target.port, cases[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_5424), cmocka_unit_test(test_3164),
		cmocka_unit_test(test_escaping), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_attributes_over), cmocka_unit_test(test_head_over),
		cmocka_unit_test(test_target),
	};
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
