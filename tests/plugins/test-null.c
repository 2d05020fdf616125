/* test-null.c - the smallest sink: every event is taken; and the source that makes numbered events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <patchbay/testing.h>

extern const struct pb_plugin patchbay_plugin;

static void test_null(void **state)
{
	struct pbt_host *host = pbt_new(&patchbay_plugin);
	struct pbt_instance *sink = pbt_open(host, "[sink n]");
	struct pb_delivery *d[3];
	(void)state;
	assert_non_null(sink);
	for (size_t i = 0; i < 3; i++)
		d[i] = pbt_delivery(sink, pbt_event(host, "x", 1, NULL));
	pbt_send(sink, d, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pbt_answer(d[i]).code, PB_OK);
	assert_int_equal(pbt_metric(sink, "discarded"), 3);
	assert_int_equal(pbt_free(host), 0);
}

static void test_unknown_option(void **state)
{
	struct pbt_host *host = pbt_new(&patchbay_plugin);
	(void)state;
	assert_null(pbt_open(host, "[sink n]\ncolour = red"));
	assert_string_equal(pbt_errors(host), "test.ini:2: [sink n] colour: there is no such option\n");
	assert_int_equal(pbt_free(host), 0);
}

static int set_up(void **state)
{
	*state = pbt_new(&patchbay_plugin);
	return 0;
}

static int tear_down(void **state)
{
	return pbt_free(*state);
}

/* Of the i-th event that was stored. */
static int64_t number(struct pbt_instance *in, size_t i)
{
	char *text = pb_text(pb_field(pbt_stored(in, i), "n"));
	assert_non_null(text);
	int64_t n = strtoll(text, NULL, 10);
	free(text);
	return n;
}

static void each_number_once(struct pbt_instance *in, size_t from, size_t n)
{
	assert_true(pbt_wait_stored(in, n, PBT_LONG));
	for (size_t i = from; i < n; i++)
		assert_int_equal(number(in, i), i + 1);
}

static void events_are_numbered(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source g]\nrate = 0\ncount = 25\nbatch = 10\n"
					   "size = 100\ntype = t");
	assert_non_null(in);
	pbt_start(in);
	each_number_once(in, 0, 25);
	int64_t timeout;
	assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
	assert_int_equal(timeout, -1);
	assert_int_equal(pbt_n_emitted(in), 25);
	const struct pb_event *ev = pbt_stored(in, 24);
	assert_string_equal(pb_event_type(ev), "t");
	assert_string_equal(pb_event_content_type(ev), "application/json");
	assert_int_equal(pb_event_body(ev).len, 100);
	assert_int_equal(pb_field(ev, "").len, 100);		/* all of it is JSON */
	assert_true(pbt_stop(in, PBT_LONG));
}

static void the_least_body_is_json(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source g]\nrate = 0\ncount = 1\nsize = 34");
	pbt_start(in);
	each_number_once(in, 0, 1);
	assert_int_equal(pb_field(pbt_stored(in, 0), "").len, 34);
	assert_int_equal(pb_field(pbt_stored(in, 0), "pad").len, 2);
}

/* What was not stored when it ended is made again, under the same numbers. */
static void numbers_go_on(void **state)
{
	const char *ini = "[source g]\nrate = 0\ncount = 50\nbatch = 20";
	struct pbt_instance *in = pbt_open(*state, "%s", ini);
	pbt_store(in, PBT_FULL, 0);
	pbt_start(in);
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_int_equal(pbt_n_stored(in), 0);
	pbt_close(in);
	in = pbt_open(*state, "%s", ini);
	pbt_store(in, PBT_STORES, 0);
	pbt_start(in);
	each_number_once(in, 0, 50);
	pbt_close(in);
	in = pbt_open(*state, "%s\n", "[source g]\nrate = 0\ncount = 60");
	pbt_start(in);
	each_number_once(in, 50, 60);
}

static void what_the_store_refuses_is_made_again(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source g]\nrate = 0\ncount = 5");
	pbt_store(in, PBT_REFUSES, 1);
	pbt_start(in);
	int result;
	assert_true(pbt_wait_ended(in, PBT_LONG, &result));
	assert_true(result < 0);
	assert_true(pbt_logged(*state, "events were not stored"));
	pbt_start(in);
	each_number_once(in, 0, 5);
}

static void without_memory_none_is_left_out(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source g]\nrate = 0\ncount = 9\nbatch = 4");
	pbt_fail_at(PBT_EVENT_NEW, 3);		/* within a batch: it is a smaller one */
	pbt_start(in);
	each_number_once(in, 0, 9);
	pbt_close(in);
	in = pbt_open(*state, "[source h]\nrate = 0\ncount = 9");
	pbt_fail_at(PBT_EVENT_NEW, 1);
	pbt_start(in);
	int result;
	assert_true(pbt_wait_ended(in, PBT_LONG, &result));
	assert_true(pbt_logged(*state, "out of memory"));
	pbt_start(in);
	each_number_once(in, 0, 9);
}

/* The first at once, and then it sleeps as long as the rate says. */
static void a_rate_is_kept(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source g]\nrate = 1");
	pbt_start(in);
	int64_t timeout;
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
	assert_true(timeout > 0 && timeout <= 1000);
}

static void too_large_a_body_is_refused(void **state)
{
	pbt_set_max_event(*state, 2000);
	assert_null(pbt_open(*state, "[source g]\nsize = 2001"));
	assert_string_equal(pbt_errors(*state), "test.ini:2: [source g] size: is more than max_event, "
			    "2000 bytes\n");
	assert_null(pbt_open(*state, "[source g]\nsize = 33"));
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null), cmocka_unit_test(test_unknown_option),
		WITH_HOST(events_are_numbered),
		WITH_HOST(the_least_body_is_json),
		WITH_HOST(numbers_go_on),
		WITH_HOST(what_the_store_refuses_is_made_again),
		WITH_HOST(without_memory_none_is_left_out),
		WITH_HOST(a_rate_is_kept),
		WITH_HOST(too_large_a_body_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
