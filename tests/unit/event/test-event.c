#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "base/span.h"
#include "event/event.h"

#define WHEN 1767323045678	/* 2026-01-02T03:04:05.678Z */

static char *text_of(size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, 'x', len);
	text[len] = '\0';
	return text;
}

static void new_event_is_empty(void **state)
{
	struct pb_event *ev = event_new(span_str("body"), WHEN);
	const char *name, *value;

	(void)state;
	assert_string_equal(event_id(ev), "");
	assert_string_equal(event_type(ev), "");
	assert_string_equal(event_source(ev), "");
	assert_string_equal(event_subject(ev), "");
	assert_string_equal(event_content_type(ev), "");
	assert_int_equal(event_time(ev), WHEN);
	assert_true(span_is(event_body(ev), "body"));
	assert_null(event_attr(ev, "id"));
	assert_null(event_attr(ev, "none"));
	assert_false(event_attr_at(ev, 0, &name, &value));
	assert_int_equal(event_seq(ev), 0);
	assert_int_equal(event_origin(ev), 0);
	event_unref(ev);
	event_unref(NULL);
}

static void a_body_may_be_absent(void **state)
{
	struct pb_event *ev = event_new(SPAN_NONE, 0);

	(void)state;
	assert_int_equal(event_body(ev).len, 0);
	assert_int_equal(event_set_body(ev, span_str("later")), 0);
	assert_true(span_is(event_body(ev), "later"));
	assert_int_equal(event_set_body(ev, SPAN_NONE), 0);
	assert_int_equal(event_body(ev).len, 0);
	event_unref(ev);
}

static const struct {
	const char *name, *value;
	int rc;
} sets[] = {
	{ "id", "0190a6e0-0000-7000-8000-000000000000", 0 },
	{ "type", "report_run_started", 0 },
	{ "source", "hooks", 0 },
	{ "subject", "r\xc3\xa9sum\xc3\xa9", 0 },
	{ "datacontenttype", "application/json; charset=utf-8", 0 },
	{ "traceparent", "00-ab-01", 0 },
	{ "x_a.b-c9", "", 0 },
	{ "emoji", "\xf0\x9f\x98\x80", 0 },
	{ "nbsp", "\xc2\xa0", 0 },
	{ "time", "2026-01-02T03:04:05Z", 0 },
	{ "time", "yesterday", -EINVAL },
	{ "time", NULL, -EINVAL },
	{ "", "x", -EINVAL },
	{ "Upper", "x", -EINVAL },
	{ "sp ace", "x", -EINVAL },
	{ "a/b", "x", -EINVAL },
	{ "\xc3\xa9", "x", -EINVAL },
	{ "specversion", "1.0", -EINVAL },
	{ "data", "x", -EINVAL },
	{ "data_base64", "x", -EINVAL },
	{ "type", "a\nb", -EINVAL },
	{ "type", "tab\there", -EINVAL },
	{ "type", "del\x7f", -EINVAL },
	{ "type", "\xc2\x80", -EINVAL },	/* U+0080 */
	{ "type", "\xc2\x9f", -EINVAL },
	{ "type", "\xff", -EINVAL },
	{ "type", "\xc3", -EINVAL },
	{ "type", "\xed\xa0\x80", -EINVAL },	/* a surrogate */
	{ "type", "\xc0\xaf", -EINVAL },	/* overlong */
};

static void names_and_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		struct pb_event *ev = event_new(SPAN_NONE, 0);
		int rc = event_set(ev, sets[i].name, sets[i].value);

		if (rc != sets[i].rc)
			fail_msg("case %zu, %s: %d", i, sets[i].name, rc);
		if (rc == 0 && strcmp(sets[i].name, "time") != 0)
			assert_string_equal(event_attr(ev, sets[i].name), sets[i].value);
		event_unref(ev);
	}
}

static const struct {
	const char *name;
	size_t longest;
} limits[] = {
	{ "id", EVENT_ID_MAX },
	{ "type", EVENT_VALUE_MAX },
	{ "subject", EVENT_VALUE_MAX },
	{ "further", EVENT_VALUE_MAX },
};

static void values_end_at_their_limit(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct pb_event *ev = event_new(SPAN_NONE, 0);
		char *text = text_of(limits[i].longest + 1);

		assert_int_equal(event_set(ev, limits[i].name, text), -EINVAL);
		assert_null(event_attr(ev, limits[i].name));
		text[limits[i].longest] = '\0';
		assert_int_equal(event_set(ev, limits[i].name, text), 0);
		assert_string_equal(event_attr(ev, limits[i].name), text);
		free(text);
		event_unref(ev);
	}
}

static void names_end_at_their_limit(void **state)
{
	struct pb_event *ev = event_new(SPAN_NONE, 0);
	char *name = text_of(EVENT_NAME_MAX + 1);

	(void)state;
	assert_int_equal(event_set(ev, name, "v"), -EINVAL);
	name[EVENT_NAME_MAX] = '\0';
	assert_int_equal(event_set(ev, name, "v"), 0);
	free(name);
	event_unref(ev);
}

static void number_of_attributes_is_bounded(void **state)
{
	struct pb_event *ev = event_new(SPAN_NONE, 0);
	const char *name, *value;
	char text[16];

	(void)state;
	for (unsigned i = 0; i < EVENT_ATTRS_MAX; i++) {
		snprintf(text, sizeof text, "a%u", i);
		assert_int_equal(event_set(ev, text, text + 1), 0);
	}
	assert_int_equal(event_set(ev, "one-more", "x"), -EINVAL);
	assert_int_equal(event_set(ev, "a7", "again"), 0);
	assert_int_equal(event_set(ev, "a0", NULL), 0);
	assert_int_equal(event_set(ev, "one-more", "x"), 0);
	assert_true(event_attr_at(ev, 0, &name, &value));
	assert_string_equal(name, "a1");
	assert_true(event_attr_at(ev, 6, &name, &value));
	assert_string_equal(value, "again");
	assert_true(event_attr_at(ev, EVENT_ATTRS_MAX - 1, &name, &value));
	assert_string_equal(name, "one-more");
	assert_false(event_attr_at(ev, EVENT_ATTRS_MAX, &name, &value));
	event_unref(ev);
}

static void setting_again_and_removing(void **state)
{
	struct pb_event *ev = event_new(SPAN_NONE, 0);
	char *big = text_of(5000);

	(void)state;
	assert_int_equal(event_set(ev, "type", "long enough to be cut"), 0);
	assert_int_equal(event_set(ev, "type", event_type(ev) + 5), 0);
	assert_string_equal(event_type(ev), "enough to be cut");
	assert_int_equal(event_set(ev, "type", big), 0);
	assert_int_equal(event_set(ev, "subject", event_type(ev)), 0);
	assert_int_equal(event_set(ev, "type", event_type(ev) + 4998), 0);
	assert_string_equal(event_type(ev), "xx");
	assert_string_equal(event_subject(ev), big);
	assert_int_equal(event_set(ev, "type", ""), 0);
	assert_null(event_attr(ev, "type"));
	assert_int_equal(event_set(ev, "subject", NULL), 0);
	assert_string_equal(event_subject(ev), "");
	assert_int_equal(event_set(ev, "never-set", NULL), 0);
	free(big);
	event_unref(ev);
}

static void values_stay_where_they_are(void **state)
{
	struct pb_event *ev = event_new(SPAN_NONE, 0);
	const char *type;
	char name[16];

	(void)state;
	assert_int_equal(event_set(ev, "type", "kept"), 0);
	type = event_type(ev);
	for (unsigned i = 0; i < EVENT_ATTRS_MAX; i++) {
		snprintf(name, sizeof name, "a%u", i);
		assert_int_equal(event_set(ev, name, "some value to fill the arena"), 0);
	}
	assert_ptr_equal(type, event_type(ev));
	assert_string_equal(type, "kept");
	event_unref(ev);
}

static void copy_has_another_body(void **state)
{
	struct pb_event *ev = event_new(span_str("{}"), WHEN), *copy;
	char *big = text_of(EVENT_VALUE_MAX);
	const char *name, *value;

	(void)state;
	assert_int_equal(event_set(ev, "id", "7"), 0);
	assert_int_equal(event_set(ev, "first", "1"), 0);
	assert_int_equal(event_set(ev, "big", big), 0);
	event_set_seq(ev, 12);
	event_set_origin(ev, 3);
	copy = event_copy(ev, span_str("other"));
	event_unref(ev);
	assert_string_equal(event_id(copy), "7");
	assert_int_equal(event_time(copy), WHEN);
	assert_true(span_is(event_body(copy), "other"));
	assert_true(event_attr_at(copy, 0, &name, &value));
	assert_string_equal(name, "first");
	assert_true(event_attr_at(copy, 1, &name, &value));
	assert_string_equal(value, big);
	assert_int_equal(event_seq(copy), 0);
	assert_int_equal(event_origin(copy), 0);
	assert_int_equal(event_set(copy, "second", "2"), 0);
	assert_true(event_attr_at(copy, 2, &name, &value));
	free(big);
	event_unref(copy);
}

static void size_counts_what_is_held(void **state)
{
	struct pb_event *ev = event_new(span_str("0123456789"), 0);
	size_t small = event_size(ev);
	char *big = text_of(4000);

	(void)state;
	assert_true(small >= 10);
	assert_int_equal(event_set(ev, "big", big), 0);
	assert_true(event_size(ev) >= small + 4000);
	assert_int_equal(event_set(ev, "big", NULL), 0);
	assert_int_equal(event_size(ev), small);
	assert_int_equal(event_set_body(ev, span_str(big)), 0);
	assert_true(event_size(ev) >= small + 4000);
	free(big);
	event_unref(ev);
}

static void who_sent_it_is_text_of_its_own(void **state)
{
	struct pb_event *ev = event_new(span_str("x"), WHEN);
	char *longest = text_of(EVENT_SENDER_MAX), *longer = text_of(EVENT_SENDER_MAX + 1);

	(void)state;
	assert_string_equal(event_sender(ev), "");
	assert_int_equal(event_set_sender(ev, span_str("192.0.2.7")), 0);
	assert_int_equal(event_set_sender(ev, span_str("\n")), -EINVAL);
	assert_int_equal(event_set_sender(ev, span_str("\xff")), -EINVAL);
	assert_int_equal(event_set_sender(ev, span_str(longer)), -EINVAL);
	assert_string_equal(event_sender(ev), "192.0.2.7");
	struct pb_event *copy = event_copy(ev, span_str("y"));
	assert_string_equal(event_sender(copy), "");
	assert_int_equal(event_set_sender(ev, span_str(longest)), 0);
	assert_string_equal(event_sender(ev), longest);
	assert_int_equal(event_set_sender(ev, SPAN_NONE), 0);
	assert_string_equal(event_sender(ev), "");
	event_unref(copy);
	event_unref(ev);
	free(longest);
	free(longer);
}

static void references_are_counted(void **state)
{
	struct pb_event *ev = event_new(span_str("x"), 0), *again = event_ref(ev);

	(void)state;
	assert_ptr_equal(ev, again);
	event_unref(ev);
	assert_true(span_is(event_body(again), "x"));
	event_unref(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_event_is_empty),
		cmocka_unit_test(a_body_may_be_absent),
		cmocka_unit_test(names_and_values),
		cmocka_unit_test(values_end_at_their_limit),
		cmocka_unit_test(names_end_at_their_limit),
		cmocka_unit_test(number_of_attributes_is_bounded),
		cmocka_unit_test(setting_again_and_removing),
		cmocka_unit_test(values_stay_where_they_are),
		cmocka_unit_test(copy_has_another_body),
		cmocka_unit_test(size_counts_what_is_held),
		cmocka_unit_test(who_sent_it_is_text_of_its_own),
		cmocka_unit_test(references_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
