/* test-http-type.c - the option `event`, and the type it finds. The core's part, finding a field
 * and keeping an attribute, is stood in for: each row says what it answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/type.h"

struct pb_event {
	const char *body;	/* what pb_field(ev, "") finds; NULL: not JSON */
	const char *path;	/* the only path there is */
	const char *value;	/* what it holds, as JSON */
	char type[64];
};

static struct pb_span span(const char *text)
{
	return (struct pb_span){ text, text != NULL ? strlen(text) : 0 };
}

struct pb_span pb_field(const struct pb_event *ev, const char *path)
{
	if (*path == '\0')
		return span(ev->body);
	return span(ev->path != NULL && strcmp(path, ev->path) == 0 ? ev->value : NULL);
}

char *pb_text(struct pb_span json)
{
	return strndup((const char *)json.data + 1, json.len - 2);
}

int pb_event_set(struct pb_event *ev, const char *name, const char *value)
{
	assert_string_equal(name, "type");
	if (strchr(value, '\n') != NULL)
		return -EINVAL;
	strncpy(ev->type, value, sizeof ev->type - 1);
	return 0;
}

static const struct {
	const char *option;
	bool good;
	enum type_from from;
	const char *name;
} options[] = {
	{ "json:event", true, TYPE_JSON, "event" },
	{ "json:report.kind", true, TYPE_JSON, "report.kind" },
	{ "header:X-Event", true, TYPE_HEADER, "X-Event" },
	{ "ping", true, TYPE_FIXED, "ping" },
	{ "type:com.example:ping", true, TYPE_FIXED, "com.example:ping" },
	{ "type:json:event", true, TYPE_FIXED, "json:event" },
	{ "jsonx", true, TYPE_FIXED, "jsonx" },
	{ "json:", false, 0, NULL },
	{ "jsn:event", false, 0, NULL },
	{ "JSON:event", false, 0, NULL },
	{ "json :event", false, 0, NULL },
	{ "com.example:ping", false, 0, NULL },
	{ "type:", false, 0, NULL },
	{ "header:", false, 0, NULL },
	{ "header:X Event", false, 0, NULL },
	{ "header:X-Event:", false, 0, NULL },
	{ "", false, 0, NULL },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct type_rule rule;
		const char *wrong = type_parse(&rule, options[i].option);
		if ((wrong == NULL) != options[i].good)
			fail_msg("%s: %s", options[i].option, wrong != NULL ? wrong : "taken");
		if (wrong != NULL)
			continue;
		assert_int_equal(rule.from, options[i].from);
		assert_string_equal(rule.name, options[i].name);
	}
}

#define FIELD(json) { .body = "{…}", .path = "event", .value = json }
#define NOT_JSON { .body = NULL }

static const struct {
	const char *option;
	struct pb_event event;
	const char *header;
	int rc;
	const char *type;
} rows[] = {
	{ "json:event", FIELD("\"ping\""), NULL, 0, "ping" },
	{ "json:event", { .body = "{…}", .path = "other", .value = "\"ping\"" }, "ping", -ENOENT, "" },
	{ "json:event", NOT_JSON, NULL, -EBADMSG, "" },
	{ "json:event", FIELD("5"), NULL, -EINVAL, "" },
	{ "json:event", FIELD("null"), NULL, -EINVAL, "" },
	{ "json:event", FIELD("[\"ping\"]"), NULL, -EINVAL, "" },
	{ "json:event", FIELD("\"\""), NULL, -EINVAL, "" },
	{ "json:event", FIELD("\"a\nb\""), NULL, -EINVAL, "" },
	{ "header:X-Event", NOT_JSON, "ping", 0, "ping" },
	{ "header:X-Event", NOT_JSON, "", -EINVAL, "" },
	{ "header:X-Event", FIELD("\"ping\""), NULL, -ENOENT, "" },
	{ "pong", NOT_JSON, "ping", 0, "pong" },
};

static void test_apply(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pb_event ev = rows[i].event;
		struct type_rule rule;
		assert_null(type_parse(&rule, rows[i].option));
		int rc = type_apply(&rule, &ev, rows[i].header);
		if (rc != rows[i].rc || strcmp(ev.type, rows[i].type) != 0)
			fail_msg("row %zu: %d, \"%s\"", i, rc, ev.type);
	}
}

static const struct {
	const char *option;
	int error;
	const char *says;
} complaints[] = {
	{ "json:a.b", -EBADMSG, "the body is not JSON, and member `a.b` is to be the event's type" },
	{ "json:a.b", -ENOENT, "the body has no member `a.b`, which is to be the event's type" },
	{ "json:a.b", -EINVAL, "member `a.b` is no text usable as a type" },
	{ "header:X-A", -ENOENT, "there is no header `X-A`, which is to be the event's type" },
	{ "header:X-A", -EINVAL, "header `X-A` is no text usable as a type" },
};

static void test_complain(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof complaints / sizeof complaints[0]; i++) {
		char text[128];
		struct type_rule rule;
		assert_null(type_parse(&rule, complaints[i].option));
		type_complain(&rule, complaints[i].error, text, sizeof text);
		assert_string_equal(text, complaints[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_complain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
