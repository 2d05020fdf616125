/* A filter in the box: what it passes, what it says of a failure. */
#include "unit/testing/tool.h"

#include <errno.h>

static int set_up(void **state)
{
	tool_hooks = (struct tool_hooks){ 0 };
	*state = pbt_new(&tool_plugin);
	return 0;
}

static int tear_down(void **state)
{
	return pbt_free(*state);
}

static struct pb_event *made(struct pbt_host *host)
{
	static const char *const attributes[] = { "id = i", NULL };
	return pbt_event(host, "x", 1, attributes);
}

static void an_event_passes(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[filter f]");
	struct pb_event *ev = made(*state);
	assert_int_equal(pbt_apply(in, ev), 0);
	assert_int_equal(pbt_n_passed(in), 1);
	assert_string_equal(pb_event_id(pbt_passed(in, 0)), "i");
	assert_ptr_not_equal(pbt_passed(in, 0), ev);
	pb_event_free(ev);
}

static int split(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	(void)err;
	struct pb_event *two = pb_event_copy(t->self, ev, (struct pb_span){ "two", 3 });
	pb_event_set(ev, "type", "changed");
	pb_pass(t->self, ev);
	pb_pass(t->self, two);
	return 0;
}

static void parts_have_ids_of_their_own(void **state)
{
	tool_hooks.apply = split;
	struct pbt_instance *in = pbt_open(*state, "[filter f]");
	struct pb_event *ev = made(*state);
	assert_int_equal(pbt_apply(in, ev), 0);
	assert_int_equal(pbt_n_passed(in), 2);
	assert_string_equal(pb_event_type(pbt_passed(in, 0)), "changed");
	assert_string_equal(pb_event_id(pbt_passed(in, 1)), "i~2");
	assert_memory_equal(pb_event_body(pbt_passed(in, 1)).data, "two", 3);
	assert_string_equal(pb_event_type(ev), "test");
}

static int drop(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	(void)t;
	(void)ev;
	(void)err;
	return 0;
}

static int fail_late(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	pb_pass(t->self, ev);
	pb_error(err, NULL, "not now");
	return -EAGAIN;
}

static int fail_oddly(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	(void)t;
	(void)ev;
	(void)err;
	return 7;
}

static void nothing_passes_when_it_drops_or_fails(void **state)
{
	static const struct {
		int (*apply)(struct tool *, struct pb_event *, struct pb_error *);
		int result;
		const char *reason;
	} cases[] = {
		{ drop, 0, "" }, { fail_late, -EAGAIN, "not now" }, { fail_oddly, -EBADMSG, "" },
	};
	struct pbt_instance *in = pbt_open(*state, "[filter f]");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tool_hooks.apply = cases[i].apply;
		assert_int_equal(pbt_apply(in, made(*state)), cases[i].result);
		assert_int_equal(pbt_n_passed(in), 0);
		assert_string_equal(pbt_reason(in), cases[i].reason);
	}
}

static int pass_many(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	(void)err;
	for (int i = 0; i < 1025; i++)
		pb_pass(t->self, pb_event_copy(t->self, ev, (struct pb_span){ "x", 1 }));
	return 0;
}

static void there_is_a_limit_to_parts(void **state)
{
	tool_hooks.apply = pass_many;
	struct pbt_instance *in = pbt_open(*state, "[filter f]");
	assert_int_equal(pbt_apply(in, made(*state)), -EBADMSG);
	assert_string_equal(pbt_reason(in), "made more than 1024 events of one");
	assert_int_equal(pbt_n_passed(in), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parts_have_ids_of_their_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_passes_when_it_drops_or_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_a_limit_to_parts, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
