/* test-template.c - what templates compile to and render. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "event/template.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define BODY "{\"url\":\"https://x/?q=a b\\u00e9\",\"n\":1.50,\"t\":true,\"z\":null,\"nul\":\"a\\u0000b\"," \
	     "\"o\":{ \"k\" : [1,\"two\"] },\"first name\":\"Ada\",\"}\":1,\"q\":\"\\\"\"}"

static struct pb_event *sample(const char *body)
{
	struct pb_event *ev = event_new(span_str(body), 1767323045678);

	assert_non_null(ev);
	assert_int_equal(event_set(ev, "id", "7"), 0);
	assert_int_equal(event_set(ev, "type", "report \"run\""), 0);
	assert_int_equal(event_set(ev, "x-a.b_c", "caf\xc3\xa9/~"), 0);
	return ev;
}

static const struct {
	const char *text, *body, *rendered;	/* NULL: what is missing follows */
	int rc;
	const char *missing;
} renders[] = {
	{ "", BODY, "", 0, NULL },
	{ "plain } }} { text", BODY, "plain } }} { text", 0, NULL },
	{ "{{type}}", BODY, "report \"run\"", 0, NULL },
	{ "a{{id}}b{{ id }}c", BODY, "a7b7c", 0, NULL },
	{ "{{json type}}|{{url type}}", BODY, "\"report \\\"run\\\"\"|report%20%22run%22", 0, NULL },
	{ "{{x-a.b_c}} {{url x-a.b_c}}", BODY, "caf\xc3\xa9/~ caf%C3%A9%2F~", 0, NULL },
	{ "{{time}} {{url time}}", BODY, "2026-01-02T03:04:05.678Z 2026-01-02T03%3A04%3A05.678Z", 0, NULL },
	{ "{{data.url}}", BODY, "https://x/?q=a b\xc3\xa9", 0, NULL },
	{ "{{json data.url}}", BODY, "\"https://x/?q=a b\\u00e9\"", 0, NULL },
	{ "{{url data.url}}", BODY, "https%3A%2F%2Fx%2F%3Fq%3Da%20b%C3%A9", 0, NULL },
	{ "{{data.n}} {{data.t}} {{data.z}}", BODY, "1.50 true null", 0, NULL },
	{ "{{data.o}} {{json data.o.k}} {{data.o.k.1}}", BODY, "{ \"k\" : [1,\"two\"] } [1,\"two\"] two", 0, NULL },
	{ "{{ url   data.o.k.0 }}", BODY, "1", 0, NULL },
	{ "{{data.first name}}", BODY, "Ada", 0, NULL },
	{ "{{data.q}}{{json data.q}}", BODY, "\"\"\\\"\"", 0, NULL },
	{ "{{data}}", " raw ", " raw ", 0, NULL },
	{ "{{json data}}", "[1]", "[1]", 0, NULL },
	{ "{{json data}}", "not \"JSON\"", "\"not \\\"JSON\\\"\"", 0, NULL },
	{ "{{url data}}", "a&b", "a%26b", 0, NULL },
	{ "{{{{", BODY, "{{", 0, NULL },
	{ "{{{{type}}{{id}}", BODY, "{{type}}7", 0, NULL },
	{ "{{json data.nul}} {{url data.nul}}", BODY, "\"a\\u0000b\" a%00b", 0, NULL },
	{ "{{data.nul}}", BODY, NULL, -EINVAL, "data.nul" },
	{ "{{data.none}}", BODY, NULL, -ENOENT, "data.none" },
	{ "{{id}}{{json data.o.none}}", BODY, NULL, -ENOENT, "data.o.none" },
	{ "{{subject}}", BODY, NULL, -ENOENT, "subject" },
	{ "{{url x-none}}", BODY, NULL, -ENOENT, "x-none" },
	{ "{{data.url}}", "{\"url\":1", NULL, -ENOENT, "data.url" },
	{ "{{data.url}}", "", NULL, -ENOENT, "data.url" },
};

static struct template *compiled(const char *text)
{
	struct template *t;
	struct pb_error err;

	error_init(&err);
	t = template_compile(text, &err);
	if (t == NULL)
		fail_msg("%s: %s", text, error_text(&err));
	return t;
}

static void what_is_rendered(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(renders); i++) {
		struct template *t = compiled(renders[i].text);
		struct pb_event *ev = sample(renders[i].body);
		struct buf out = BUF_INIT(4096);
		const char *missing = "untouched";

		assert_int_equal(buf_add_char(&out, '>'), 0);
		assert_int_equal(template_render(t, ev, &out, &missing), renders[i].rc);
		assert_string_equal(out.data + 1, renders[i].rc == 0 ? renders[i].rendered : "");
		assert_int_equal(out.len, strlen(out.data));
		if (renders[i].missing == NULL)
			assert_null(missing);
		else
			assert_string_equal(missing, renders[i].missing);
		buf_free(&out);
		event_unref(ev);
		template_free(t);
	}
}

static const struct {
	const char *text, *error;
} refused[] = {
	{ "abc {{type", "\"{{\" at byte 4 has no \"}}\"; \"{{{{\" stands for it" },
	{ "{{", "\"{{\" at byte 0 has no \"}}\"; \"{{{{\" stands for it" },
#define EXPECTED "expected {{NAME}}, {{json NAME}} or {{url NAME}}, NAME being an attribute, data or data.FIELD"
	{ "{{}}", "\"{{}}\" at byte 0: " EXPECTED },
	{ "{{  }}", "\"{{  }}\" at byte 0: " EXPECTED },
	{ "a{{foo bar}}", "\"{{foo bar}}\" at byte 1: " EXPECTED },
	{ "{{Type}}", "\"{{Type}}\" at byte 0: " EXPECTED },
	{ "{{data.}}", "\"{{data.}}\" at byte 0: " EXPECTED },
	{ "{{json json id}}", "\"{{json json id}}\" at byte 0: " EXPECTED },
	{ "{{html type}}", "\"{{html type}}\" at byte 0: " EXPECTED },
	{ "{{type|upper}}", "\"{{type|upper}}\" at byte 0: " EXPECTED },
};

static void what_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct pb_error err;

		error_init(&err);
		assert_null(template_compile(refused[i].text, &err));
		assert_int_equal(err.count, 1);
		assert_string_equal(error_text(&err), refused[i].error);
		error_free(&err);
	}
}

/* More fields than the scanner finds in one pass, among others. */
static void many_fields(void **state)
{
	struct buf text = BUF_INIT(4096), out = BUF_INIT(4096), wanted = BUF_INIT(4096), body = BUF_INIT(4096);
	struct template *t;
	struct pb_event *ev;
	const char *missing;

	(void)state;
	for (int i = 0; i < 70; i++) {
		buf_printf(&body, "%c%d", i == 0 ? '[' : ',', i * i);
		buf_printf(&text, "{{data.%d}}-{{id}}-", i);
		buf_printf(&wanted, "%d-7-", i * i);
	}
	buf_add_char(&body, ']');
	t = compiled(text.data);
	ev = sample(body.data);
	assert_int_equal(template_render(t, ev, &out, &missing), 0);
	assert_string_equal(out.data, wanted.data);
	event_unref(ev);
	template_free(t);
	buf_free(&text);
	buf_free(&out);
	buf_free(&wanted);
	buf_free(&body);
}

static void a_full_buffer_keeps_what_it_held(void **state)
{
	struct template *t = compiled("{{json type}}{{url data.url}}");
	struct pb_event *ev = sample(BODY);
	const char *missing;

	(void)state;
	for (size_t limit = 4; limit < 40; limit++) {
		struct buf out = BUF_INIT(limit);

		assert_int_equal(buf_add_str(&out, "kept"), 0);
		assert_int_equal(template_render(t, ev, &out, &missing), -EMSGSIZE);
		assert_int_equal(out.len, 4);
		assert_string_equal(out.data, "kept");
		assert_null(missing);
		buf_free(&out);
	}
	event_unref(ev);
	template_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_rendered),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(many_fields),
		cmocka_unit_test(a_full_buffer_keeps_what_it_held),
	};

	template_free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
