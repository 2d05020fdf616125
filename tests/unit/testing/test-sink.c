/* A sink in the box: batches, answers, what is left unanswered. */
#include "unit/testing/tool.h"

#include <pthread.h>

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

static void an_answer_is_kept_whole(void **state)
{
	static const char *const attributes[] = { "id = i1", "subject = a = b", NULL };
	struct pbt_instance *in = pbt_open(*state, "[sink s]");
	struct pb_delivery *d = pbt_delivery(in, pbt_event(*state, "x", 1, attributes));
	assert_string_equal(pb_event_id(pb_delivery_event(d)), "i1");
	assert_string_equal(pb_event_type(pb_delivery_event(d)), "test");
	assert_string_equal(pb_event_subject(pb_delivery_event(d)), "a = b");
	pbt_set_attempt(d, 3);
	assert_false(pbt_answer(d).given);
	pbt_send(in, &d, 1);
	struct pbt_answer answer = pbt_answer(d);
	assert_true(answer.given);
	assert_int_equal(answer.code, PB_OK);
	assert_string_equal(answer.reason, "attempt 3");
	assert_string_equal(answer.response.data, "yes");
	assert_int_equal(answer.response.len, 3);
	pbt_delivery_free(d);
	assert_int_equal(pbt_deliver(in, pbt_event(*state, "", 0, NULL)).code, PB_OK);
}

static void answer_two(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	for (size_t i = 0; i < n && i < 2; i++)
		pb_answer(d[i], i == 0 ? PB_OK : PB_RETRY, 40, (struct pb_span){ NULL, 0 }, NULL);
}

static void what_write_leaves_is_untried(void **state)
{
	struct pb_delivery *d[3];
	tool_hooks.write = answer_two;
	struct pbt_instance *in = pbt_open(*state, "[sink s]");
	for (int i = 0; i < 3; i++)
		d[i] = pbt_delivery(in, pbt_event(*state, "x", 1, NULL));
	pbt_send(in, d, 3);
	assert_true(pbt_wait(d, 3, 0));
	assert_int_equal(pbt_answer(d[1]).code, PB_RETRY);
	assert_int_equal(pbt_answer(d[1]).after, 40);
	assert_string_equal(pbt_answer(d[1]).reason, "");
	assert_false(pbt_answer(d[2]).given);
	assert_int_equal(pbt_answer(d[2]).code, PB_UNTRIED);
	pbt_reopen(in);
	assert_int_equal(tool_hooks.reopened, 1);
}

static struct {
	pthread_t thread;
	struct pb_delivery *d[8];
	size_t n;
} later;

static void *answer_later(void *arg)
{
	for (size_t i = 0; i < later.n; i++)
		pb_answer(later.d[i], PB_OK, 0, (struct pb_span){ NULL, 0 }, "later");
	return arg;
}

static void keep(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	memcpy(later.d, d, n * sizeof *d);
	later.n = n;
}

static void begin(struct tool *t)
{
	pthread_create(&later.thread, NULL, answer_later, t);
}

static void join(struct tool *t)
{
	(void)t;
	pthread_join(later.thread, NULL);
}

static void who_submits_answers_later_and_at_stop(void **state)
{
	struct pbt_host *host = pbt_new(&tool_async_plugin);
	struct pb_delivery *d[2];
	(void)state;
	tool_hooks = (struct tool_hooks){ .write = keep, .stop = begin, .close = join };
	struct pbt_instance *in = pbt_open(host, "[sink s]");
	for (int i = 0; i < 2; i++)
		d[i] = pbt_delivery(in, pbt_event(host, "x", 1, NULL));
	pbt_send(in, d, 2);
	assert_false(pbt_wait(d, 2, 1));
	pbt_sink_stop(in);
	assert_true(pbt_wait(d, 2, PBT_LONG));
	assert_string_equal(pbt_answer(d[1]).reason, "later");
	assert_int_equal(pbt_free(host), 0);
}

static void a_test_may_leave_all_to_the_end(void **state)
{
	struct pbt_host *host = pbt_new(&tool_async_plugin);
	(void)state;
	tool_hooks = (struct tool_hooks){ .write = keep, .stop = begin, .close = join };
	struct pbt_instance *in = pbt_open(host, "[sink s]");
	struct pb_delivery *d = pbt_delivery(in, pbt_event(host, "x", 1, NULL));
	pbt_event(host, "unused", 6, NULL);
	pbt_send(in, &d, 1);
	assert_int_equal(pbt_free(host), 0);
}

static void answer_now(struct tool *t)
{
	answer_later(t);
}

static void what_is_under_way_is_broken_off_by_close(void **state)
{
	struct pbt_host *host = pbt_new(&tool_async_plugin);
	struct pb_delivery *d;
	(void)state;
	for (int answers = 0; answers <= 1; answers++) {
		tool_hooks = (struct tool_hooks){ .write = keep, .close = answers ? answer_now : NULL };
		struct pbt_instance *in = pbt_open(host, "[sink s]");
		d = pbt_delivery(in, pbt_event(host, "x", 1, NULL));
		pbt_send(in, &d, 1);
		pbt_break_off(in);
		assert_true(pbt_wait(&d, 1, 0));
		assert_int_equal(pbt_answer(d).given, answers);
	}
	assert_int_equal(pbt_free(host), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_is_kept_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_write_leaves_is_untried, set_up, tear_down),
		cmocka_unit_test(who_submits_answers_later_and_at_stop),
		cmocka_unit_test(a_test_may_leave_all_to_the_end),
		cmocka_unit_test(what_is_under_way_is_broken_off_by_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
