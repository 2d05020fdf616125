/* What plugin-name makes of an event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>
#include <patchbay/testing.h>

extern const struct pb_plugin patchbay_plugin;

static int set_up(void **state)
{
	*state = pbt_new(&patchbay_plugin);
	return 0;
}

/* The test fails when the plugin has left something behind. */
static int tear_down(void **state)
{
	return pbt_free(*state);
}

static struct pbt_instance *filter(struct pbt_host *host, const char *more)
{
	struct pbt_instance *in = pbt_open(host, "[filter f]\nfield = a.b\n%s", more);
	if (in == NULL)
		fail_msg("%s", pbt_errors(host));
	return in;
}

/* Let it work on an event with that body. */
static int apply(struct pbt_instance *in, const char *body)
{
	struct pb_event *ev = pbt_event(pbt_host(in), body, strlen(body), NULL);
	int result = pbt_apply(in, ev);
	pb_event_free(ev);
	return result;
}

static void a_field_becomes_an_attribute(void **state)
{
	static const struct { const char *body, *subject; } cases[] = {
		{ "{\"a\": {\"b\": \"text\"}}", "text" },
		{ "{\"a\": {\"b\": \"\\u00e4 \\\"\"}}", "\xc3\xa4 \"" },
		{ "{\"a\": {\"b\": 1.50}}", "1.50" },
		{ "{\"a\": {\"b\": [1, 2]}}", "[1, 2]" },
		{ "{\"a\": {\"c\": 1}}", "" },
		{ "no JSON", "" },
	};
	struct pbt_instance *in = filter(*state, "");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(apply(in, cases[i].body), 0);
		assert_int_equal(pbt_n_passed(in), 1);
		const struct pb_event *ev = pbt_passed(in, 0);
		assert_string_equal(pb_event_subject(ev), cases[i].subject);
		assert_memory_equal(pb_event_body(ev).data, cases[i].body, strlen(cases[i].body));
	}
	assert_int_equal(pbt_metric(in, "missed"), 2);
}

static void without_the_field_it_is_as_the_option_says(void **state)
{
	struct pbt_instance *in = filter(*state, "missing = drop");
	assert_int_equal(apply(in, "{}"), 0);
	assert_int_equal(pbt_n_passed(in), 0);
	pbt_close(in);
	in = filter(*state, "missing = reject");
	assert_int_equal(apply(in, "{}"), -EBADMSG);
	assert_string_equal(pbt_reason(in), "there is no field a.b");
}

static void what_no_attribute_can_hold_is_rejected(void **state)
{
	struct pbt_instance *in = filter(*state, "");
	assert_int_equal(apply(in, "{\"a\": {\"b\": \"line\\nbreak\"}}"), -EBADMSG);
	assert_string_equal(pbt_reason(in), "the field a.b is no text for an attribute");
}

static void short_memory_is_no_reason_to_give_up(void **state)
{
	struct pbt_instance *in = filter(*state, "");
	pbt_fail_at(PBT_TEXT, 1);
	assert_int_equal(apply(in, "{\"a\": {\"b\": 1}}"), -EAGAIN);
	pbt_fail_at(PBT_EVENT_SET, 1);
	assert_int_equal(apply(in, "{\"a\": {\"b\": 1}}"), -EAGAIN);
	assert_int_equal(apply(in, "{\"a\": {\"b\": 1}}"), 0);
}

static void what_is_wrong_is_refused_at_its_line(void **state)
{
	assert_null(pbt_open(*state, "[filter f]\nfield = a\nattribute = No Name"));
	assert_string_equal(pbt_errors(*state), "test.ini:3: [filter f] attribute: expected a-z, "
			    "0-9, _, . and -\n");
	assert_null(pbt_open(*state, "[filter f]\nfield = a\nattribute = id"));
	assert_string_equal(pbt_errors(*state), "test.ini:3: [filter f] attribute: an event keeps "
			    "its id\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_field_becomes_an_attribute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_the_field_it_is_as_the_option_says,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_no_attribute_can_hold_is_rejected,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(short_memory_is_no_reason_to_give_up,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_at_its_line,
						set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
