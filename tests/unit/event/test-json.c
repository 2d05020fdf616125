/* test-json.c - events as CloudEvents JSON, out and in; strings; base64. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "event/base64.h"
#include "event/json.h"
#include "event/scan.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define BYTES(s) { s, sizeof(s) - 1 }
#define WHEN 1767323045678
#define NOW 1000
#define ENVELOPE "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"hooks\",\"type\":\"t\""
#define AT ",\"time\":\"2026-01-02T03:04:05.678Z\""

static struct pb_event *event_with(struct pb_span body, const char *content_type)
{
	struct pb_event *ev = event_new(body, WHEN);

	assert_non_null(ev);
	assert_int_equal(event_set(ev, "id", "7"), 0);
	assert_int_equal(event_set(ev, "source", "hooks"), 0);
	assert_int_equal(event_set(ev, "type", "t"), 0);
	assert_int_equal(event_set(ev, "datacontenttype", content_type), 0);
	return ev;
}

static const struct {
	const char *content_type;
	struct pb_span body;
	const char *json;	/* after the envelope and the time */
} bodies[] = {
	{ NULL, BYTES(""), "" },
	{ NULL, BYTES("{\"a\":1}"), ",\"data\":{\"a\":1}" },
	{ NULL, BYTES("{\r\n\t\"a\": \"x\\ny\"\n}\n"), ",\"data\":{  \t\"a\": \"x\\ny\" }" },
	{ NULL, BYTES(" 12 "), ",\"data\":12" },
	{ NULL, BYTES("plain \"text\"\n"), ",\"data\":\"plain \\\"text\\\"\\n\"" },
	{ NULL, BYTES("caf\xc3\xa9"), ",\"data\":\"caf\xc3\xa9\"" },
	{ NULL, BYTES("\xff\xfe"), ",\"data_base64\":\"//4=\"" },
	{ NULL, BYTES("a\0b"), ",\"data_base64\":\"YQBi\"" },
	{ "application/json", BYTES("[1]"), ",\"datacontenttype\":\"application/json\",\"data\":[1]" },
	{ "Text/JSON ; charset=utf-8", BYTES("[1]"),
	  ",\"datacontenttype\":\"Text/JSON ; charset=utf-8\",\"data\":[1]" },
	{ "application/geo+json", BYTES("1"), ",\"datacontenttype\":\"application/geo+json\",\"data\":1" },
	{ "application/x-www-form-urlencoded", BYTES(" {\"a\":1}"),
	  ",\"datacontenttype\":\"application/x-www-form-urlencoded\",\"data\":{\"a\":1}" },
	{ "application/x-www-form-urlencoded", BYTES("a=1"),
	  ",\"datacontenttype\":\"application/x-www-form-urlencoded\",\"data\":\"a=1\"" },
	{ "application/x-www-form-urlencoded", BYTES("1"),
	  ",\"datacontenttype\":\"application/x-www-form-urlencoded\",\"data\":\"1\"" },
	{ "text/plain", BYTES("12"), ",\"datacontenttype\":\"text/plain\",\"data\":\"12\"" },
	{ "application/x-jsonp", BYTES("1"), ",\"datacontenttype\":\"application/x-jsonp\",\"data\":\"1\"" },
	{ "application/json", BYTES("{"), ",\"datacontenttype\":\"application/json\",\"data\":\"{\"" },
	{ "text/plain", BYTES("\x01\x1f\x7f\b\f\t\\"),
	  ",\"datacontenttype\":\"text/plain\",\"data\":\"\\u0001\\u001f\x7f\\b\\f\\t\\\\\"" },
};

static void bodies_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct pb_event *ev = event_with(bodies[i].body, bodies[i].content_type);
		struct buf out = BUF_INIT(4096), wanted = BUF_INIT(4096);

		assert_int_equal(buf_printf(&wanted, "%s%s%s}", ENVELOPE, AT, bodies[i].json), 0);
		assert_int_equal(json_event(&out, ev), 0);
		assert_string_equal(out.data, wanted.data);
		assert_true(scan_valid(buf_span(&out), NULL));
		event_unref(ev);
		buf_free(&out);
		buf_free(&wanted);
	}
}

static void attributes_out(void **state)
{
	struct pb_event *ev = event_with(SPAN_NONE, NULL);
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_int_equal(event_set(ev, "subject", "a \"b\" \xe4\xb8\xad"), 0);
	assert_int_equal(event_set(ev, "z_last.in-name", "first set"), 0);
	assert_int_equal(event_set(ev, "a", ""), 0);
	event_set_time(ev, -1);
	assert_int_equal(json_event(&out, ev), 0);
	assert_string_equal(out.data, ENVELOPE ",\"subject\":\"a \\\"b\\\" \xe4\xb8\xad\","
			    "\"time\":\"1969-12-31T23:59:59.999Z\","
			    "\"z_last.in-name\":\"first set\",\"a\":\"\"}");
	event_unref(ev);
	buf_free(&out);
}

static void a_full_buffer_keeps_what_it_held(void **state)
{
	struct pb_event *ev = event_with(span_str("{\"a\":1}"), NULL);
	(void)state;
	for (size_t limit = 4; limit < 100; limit++) {
		struct buf out = BUF_INIT(limit);

		assert_int_equal(buf_add_str(&out, "kept"), 0);
		assert_int_equal(json_event(&out, ev), -EMSGSIZE);
		assert_int_equal(out.len, 4);
		assert_string_equal(out.data, "kept");
		buf_free(&out);
	}
	event_unref(ev);
}

/* Of the CloudEvents JSON format, and around it. */
static const struct {
	const char *json;	/* after the envelope */
	const char *name, *value;	/* an attribute it sets, if any */
	struct pb_span body;
} taken[] = {
	{ "}", NULL, NULL, BYTES("") },
	{ ",\"data\":{\"appinfoA\" : \"abc\",\n\"appinfoB\":123}}", NULL, NULL,
	  BYTES("{\"appinfoA\" : \"abc\",\n\"appinfoB\":123}") },
	{ ",\"datacontenttype\":\"application/json\",\"data\":\"text\"}", NULL, NULL, BYTES("\"text\"") },
	{ ",\"data\":\"no type is JSON\"}", NULL, NULL, BYTES("\"no type is JSON\"") },
	{ ",\"datacontenttype\":\"text/xml\",\"data\":\"<much wow=\\\"xml\\\"/>\"}",
	  "datacontenttype", "text/xml", BYTES("<much wow=\"xml\"/>") },
	{ ",\"data\":\"a\\u0000\\n\",\"datacontenttype\":\"text/plain\"}", NULL, NULL, BYTES("a\0\n") },
	{ ",\"datacontenttype\":\"text/plain\",\"data\":{\"a\":1}}", NULL, NULL, BYTES("{\"a\":1}") },
	{ ",\"data\":null}", NULL, NULL, BYTES("null") },
	{ ",\"data_base64\":\"AAH/\"}", NULL, NULL, BYTES("\x00\x01\xff") },
	{ ",\"data_base64\":\"\\/\\/8=\"}", NULL, NULL, BYTES("\xff\xff") },
	{ ",\"data_base64\":\"\"}", NULL, NULL, BYTES("") },
	{ ",\"data\":1,\"data_base64\":null}", NULL, NULL, BYTES("1") },
	{ ",\"data\":1,\"data\":2}", NULL, NULL, BYTES("2") },
	{ ",\"subject\":\"a\\u00e9\"}", "subject", "a\xc3\xa9", BYTES("") },
	{ ",\"comexampleextension1\":\"value\"}", "comexampleextension1", "value", BYTES("") },
	{ ",\"comexampleothervalue\":5}", "comexampleothervalue", "5", BYTES("") },
	{ ",\"flag\":true}", "flag", "true", BYTES("") },
	{ ",\"unsetextension\":null}", "unsetextension", NULL, BYTES("") },
	{ ",\"x\":\"1\",\"x\":null}", "x", NULL, BYTES("") },
	{ ",\"x\":\"1\",\"x\":\"2\"}", "x", "2", BYTES("") },
	{ ",\"subject\":null,\"time\":null,\"datacontenttype\":null}", "subject", NULL, BYTES("") },
	{ ",\"dataschema\":\"https://example.com/s\"}", "dataschema", "https://example.com/s", BYTES("") },
	{ ",\"\\u0074enant\":\"x\"}", "tenant", "x", BYTES("") },
};

static void events_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++) {
		struct buf json = BUF_INIT(4096);
		struct pb_span body;
		struct pb_error err;
		struct pb_event *ev;

		error_init(&err);
		assert_int_equal(buf_printf(&json, " %s%s\n", ENVELOPE, taken[i].json), 0);
		ev = json_event_parse(buf_span(&json), NOW, &err);
		if (ev == NULL)
			fail_msg("%s: %s", json.data, error_text(&err));
		body = event_body(ev);
		assert_int_equal(body.len, taken[i].body.len);
		assert_memory_equal(body.data, taken[i].body.data, body.len);
		assert_string_equal(event_id(ev), "7");
		assert_int_equal(event_time(ev), NOW);
		if (taken[i].value != NULL)
			assert_string_equal(event_attr(ev, taken[i].name), taken[i].value);
		else if (taken[i].name != NULL)
			assert_null(event_attr(ev, taken[i].name));
		event_unref(ev);
		buf_free(&json);
	}
}

static const struct {
	const char *json, *error;
} refusals[] = {
	{ "", "not valid JSON: fault at byte 0" },
	{ "{\"specversion\":\"1.0\",}", "not valid JSON: fault at byte 21" },
	{ "[]", "expected a JSON object" },
	{ "\"specversion\"", "expected a JSON object" },
	{ "{}", "specversion is missing, expected \"1.0\"" },
	{ "{\"specversion\":null}", "specversion is missing, expected \"1.0\"" },
	{ "{\"specversion\":\"0.3\"}", "specversion is not supported, expected \"1.0\"" },
	{ "{\"specversion\":1.0}", "specversion is not supported, expected \"1.0\"" },
	{ "{\"specversion\":\"1.0\",\"source\":\"s\",\"type\":\"t\"}", "id is missing" },
	{ "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\"}", "source is missing" },
	{ "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\"}", "type is missing" },
	{ "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"s\",\"type\":\"t\"}", "id is missing" },
	{ ENVELOPE ",\"data\":1,\"data_base64\":\"AA==\"}", "data and data_base64: expected one of them" },
	{ ENVELOPE ",\"data\":null,\"data_base64\":\"AA==\"}", "data and data_base64: expected one of them" },
	{ ENVELOPE ",\"data_base64\":\"A\"}", "data_base64: expected a string of padded base64" },
	{ ENVELOPE ",\"data_base64\":7}", "data_base64: expected a string of padded base64" },
	{ ENVELOPE ",\"time\":\"yesterday\"}", "attribute \"time\": expected an RFC 3339 date and time" },
	{ ENVELOPE ",\"time\":5}", "attribute \"time\": expected an RFC 3339 date and time" },
	{ ENVELOPE ",\"Bad Name\":\"x\"}",
	  "attribute \"Bad Name\": expected a name of 1 to 64 characters of [a-z0-9_.-]" },
	{ ENVELOPE ",\"\":\"x\"}", "attribute \"\": expected a name of 1 to 64 characters of [a-z0-9_.-]" },
	{ ENVELOPE ",\"a\\u0000\":\"x\"}", "attribute \"\": expected a name of 1 to 64 characters of [a-z0-9_.-]" },
	{ ENVELOPE ",\"ext\":{}}",
	  "attribute \"ext\": expected text without control characters, a number, true or false, "
	  "within the limits" },
	{ ENVELOPE ",\"ext\":\"a\\nb\"}",
	  "attribute \"ext\": expected text without control characters, a number, true or false, "
	  "within the limits" },
	{ ENVELOPE ",\"ext\":\"\\u0000\"}",
	  "attribute \"ext\": expected text without control characters, a number, true or false, "
	  "within the limits" },
};

static void events_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct pb_error err;

		error_init(&err);
		assert_null(json_event_parse(span_str(refusals[i].json), NOW, &err));
		assert_int_equal(err.count, 1);
		assert_string_equal(error_text(&err), refusals[i].error);
		error_free(&err);
	}
}

static void every_fault_is_named(void **state)
{
	struct pb_error err;

	(void)state;
	error_init(&err);
	assert_null(json_event_parse(span_str(ENVELOPE ",\"A\":1,\"time\":\"\",\"b\":[]}"), NOW, &err));
	assert_int_equal(err.count, 3);
	error_free(&err);
}

/* RFC 3339 section 5.6: what `time` takes. */
static const struct {
	const char *time;
	int64_t ms;	/* -1: refused */
} times[] = {
	{ "2018-04-05T17:31:00Z", 1522949460000 },
	{ "2018-04-05t17:31:00z", 1522949460000 },
	{ "2018-04-05T17:31:00.5Z", 1522949460500 },
	{ "2018-04-05T17:31:00.123456789Z", 1522949460123 },
	{ "2018-04-05T19:31:00+02:00", 1522949460000 },
	{ "2018-04-05T12:01:00-05:30", 1522949460000 },
	{ "2016-02-29T00:00:00Z", 1456704000000 },
	{ "2018-04-05T17:31Z", -1 },
	{ "2018-04-05 17:31:00", -1 },
	{ "2018-04-05T17:31:00", -1 },
	{ "2018-04-05T17:31:00+0200", -1 },
	{ "2018-04-05T17:31:00.Z", -1 },
	{ "2018-04-05T24:00:00Z", -1 },
	{ "2018-04-31T00:00:00Z", -1 },
	{ "2017-02-29T00:00:00Z", -1 },
	{ "2018-13-01T00:00:00Z", -1 },
	{ "18-04-05T17:31:00Z", -1 },
	{ "2018-04-05T17:31:00Z ", -1 },
	{ "", -1 },
};

static void times_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		struct buf json = BUF_INIT(4096);
		struct pb_error err;
		struct pb_event *ev;

		error_init(&err);
		assert_int_equal(buf_printf(&json, "%s,\"time\":\"%s\"}", ENVELOPE, times[i].time), 0);
		ev = json_event_parse(buf_span(&json), NOW, &err);
		if ((ev == NULL ? -1 : event_time(ev)) != times[i].ms)
			fail_msg("%s: %s", times[i].time, ev == NULL ? "refused" : "taken");
		event_unref(ev);
		error_free(&err);
		buf_free(&json);
	}
}

static const struct {
	struct pb_span text;
	const char *json;
} quotes[] = {
	{ BYTES(""), "\"\"" },
	{ BYTES("plain and long enough for the wide path"), "\"plain and long enough for the wide path\"" },
	{ BYTES("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
	{ BYTES("\0\x1f"), "\"\\u0000\\u001f\"" },
	{ BYTES("a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z"), "\"a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z\"" },
	{ BYTES("\xff"), "\"\xef\xbf\xbd\"" },
	{ BYTES("\xc3\xa9\xc3"), "\"\xc3\xa9\xef\xbf\xbd\"" },
	{ BYTES("a\xed\xa0\x80z"), "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"" },
};

static void text_to_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(quotes); i++) {
		struct buf out = BUF_INIT(256);

		assert_int_equal(json_quote(&out, quotes[i].text), 0);
		assert_string_equal(out.data, quotes[i].json);
		assert_true(scan_valid(buf_span(&out), NULL));
		buf_free(&out);
	}
}

static const struct {
	const char *text;
	struct pb_span bytes;
	bool ok;
} base64[] = {	/* RFC 4648 section 10 first */
	{ "", BYTES(""), true }, { "Zg==", BYTES("f"), true }, { "Zm8=", BYTES("fo"), true },
	{ "Zm9v", BYTES("foo"), true }, { "Zm9vYg==", BYTES("foob"), true },
	{ "Zm9vYmE=", BYTES("fooba"), true },
	{ "Zm9vYmFy", BYTES("foobar"), true }, { "+/+/", BYTES("\xfb\xff\xbf"), true },
	{ "Zg", BYTES(""), false }, { "Zg=", BYTES(""), false }, { "Z===", BYTES(""), false },
	{ "====", BYTES(""), false },
	{ "Zh==", BYTES(""), false }, { "Zm9=", BYTES(""), false },
	{ "Zg==Zg==", BYTES(""), false }, { "Z=g=", BYTES(""), false },
	{ "-_-_", BYTES(""), false }, { "Zm9v\n", BYTES(""), false },
	{ "Zm 9v=== ", BYTES(""), false }, { "Zm9v====", BYTES(""), false },
};

static void base64_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(base64); i++) {
		struct buf bytes = BUF_INIT(64), text = BUF_INIT(64);

		assert_int_equal(base64_decode(&bytes, span_str(base64[i].text)), base64[i].ok ? 0 : -EINVAL);
		assert_int_equal(bytes.len, base64[i].bytes.len);
		if (base64[i].ok && bytes.len > 0) {
			assert_memory_equal(bytes.data, base64[i].bytes.data, bytes.len);
			assert_int_equal(base64_encode(&text, base64[i].bytes), 0);
			assert_string_equal(text.data, base64[i].text);
		}
		buf_free(&bytes);
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_out),
		cmocka_unit_test(attributes_out),
		cmocka_unit_test(a_full_buffer_keeps_what_it_held),
		cmocka_unit_test(events_in),
		cmocka_unit_test(events_refused),
		cmocka_unit_test(every_fault_is_named),
		cmocka_unit_test(times_in),
		cmocka_unit_test(text_to_strings),
		cmocka_unit_test(base64_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
