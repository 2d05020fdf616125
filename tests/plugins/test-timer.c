/* The timer: when it makes events, what becomes of missed ones, and that its mark keeps its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <patchbay/testing.h>

#define HOUR 3600000
#define BEGIN INT64_C(1767225600000)	/* 2026-01-01 00:00, when the box begins */

extern const struct pb_plugin patchbay_plugin;

static int set_up(void **state)
{
	*state = pbt_new(&patchbay_plugin);
	return 0;
}

static int tear_down(void **state)
{
	return pbt_free(*state);
}

static struct pbt_instance *start(struct pbt_host *host, const char *options)
{
	struct pbt_instance *in = pbt_open(host, "[source t]\n%s", options);
	if (in == NULL)
		fail_msg("%s", pbt_errors(host));
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	return in;
}

/* Let time pass as it does, with its looks at the clock. */
static void pass(struct pbt_instance *in, int64_t ms)
{
	for (int64_t timeout; ms > 0; ms -= timeout) {
		assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
		assert_true(timeout > 0 && timeout <= 10000);
		timeout = timeout < ms ? timeout : ms;
		pbt_advance(pbt_host(in), timeout);
	}
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
}

static void assert_event(struct pbt_instance *in, size_t i, const char *id, const char *body)
{
	assert_true(pbt_n_stored(in) > i);
	const struct pb_event *ev = pbt_stored(in, i);
	struct pb_span is = pb_event_body(ev);
	assert_string_equal(pb_event_id(ev), id);
	assert_int_equal(is.len, strlen(body));
	assert_memory_equal(is.data, body, is.len);
}

static void an_interval_ticks(void **state)
{
	struct pbt_instance *in = start(*state, "every = 30s");
	pass(in, 29999);
	assert_int_equal(pbt_n_stored(in), 0);
	pass(in, 1);
	assert_int_equal(pbt_n_stored(in), 1);
	pass(in, 60000);
	assert_int_equal(pbt_n_stored(in), 3);
	assert_event(in, 0, "t@2026-01-01T00:00:30Z", "{\"time\":\"2026-01-01T00:00:30.000Z\",\"missed\":0}");
	assert_event(in, 2, "t@2026-01-01T00:01:30Z", "{\"time\":\"2026-01-01T00:01:30.000Z\",\"missed\":0}");
	const struct pb_event *ev = pbt_stored(in, 0);
	assert_int_equal(pb_event_time(ev), BEGIN + 30000);
	assert_string_equal(pb_event_type(ev), "tick");
	assert_string_equal(pb_event_source(ev), "t");
	assert_string_equal(pb_event_content_type(ev), "application/json");
	assert_false(pbt_logged(*state, "warning"));
}

static void an_interval_below_a_second(void **state)
{
	struct pbt_instance *in = start(*state, "every = 250ms");
	pass(in, 1000);
	assert_event(in, 2, "t@2026-01-01T00:00:00.750Z", "{\"time\":\"2026-01-01T00:00:00.750Z\",\"missed\":0}");
	assert_string_equal(pb_event_id(pbt_stored(in, 3)), "t@2026-01-01T00:00:01Z");
}

static void an_expression_ticks(void **state)
{
	struct pbt_instance *in = start(*state, "cron = 0 7 * * mon-fri\ntimezone = Europe/Berlin\ntype = report.due\n"
					"content_type = text/plain\nbody = {{type}} of {{source}}");
	pass(in, 6 * HOUR - 1);
	assert_int_equal(pbt_n_stored(in), 0);
	pass(in, 1);
	assert_event(in, 0, "t@2026-01-01T06:00:00Z", "report.due of t");
	assert_string_equal(pb_event_type(pbt_stored(in, 0)), "report.due");
}

/* It is stopped, `ms` pass, and it is there again with these options. */
static struct pbt_instance *miss(struct pbt_instance *in, int64_t ms, const char *options)
{
	struct pbt_host *host = pbt_host(in);
	pbt_close(in);
	pbt_advance(host, ms);
	return start(host, options);
}

static void of_missed_ones_one_event_tells(void **state)
{
	struct pbt_instance *in = start(*state, "every = 1h");
	in = miss(in, 5 * HOUR + 600000, "every = 1h");
	assert_int_equal(pbt_n_stored(in), 1);
	assert_event(in, 0, "t@2026-01-01T05:00:00Z", "{\"time\":\"2026-01-01T05:00:00.000Z\",\"missed\":4}");
	assert_int_equal(pbt_metric(in, "skipped"), 4);
	assert_true(pbt_logged(*state, "5 ticks were missed, of which 1 make an event"));
	in = miss(in, 3 * HOUR - 599999, "every = 1h");	/* the last of these is not late */
	assert_int_equal(pbt_n_stored(in), 2);
	assert_event(in, 1, "t@2026-01-01T08:00:00Z", "{\"time\":\"2026-01-01T08:00:00.000Z\",\"missed\":2}");
	in = miss(in, 0, "every = 1h");
	assert_int_equal(pbt_n_stored(in), 2);
}

static void missed_ones_are_skipped(void **state)
{
	const char *options = "every = 1h\nmissed = skip";
	struct pbt_instance *in = start(*state, options);
	in = miss(in, 5 * HOUR + 600000, options);
	assert_int_equal(pbt_n_stored(in), 0);
	assert_int_equal(pbt_metric(in, "skipped"), 5);
	in = miss(in, 0, options);
	assert_int_equal(pbt_metric(in, "skipped"), 0);		/* and they were dealt with */
	pass(in, HOUR);
	assert_event(in, 0, "t@2026-01-01T06:00:00Z", "{\"time\":\"2026-01-01T06:00:00.000Z\",\"missed\":0}");
}

static void all_missed_ones_are_made_up_for(void **state)
{
	const char *options = "every = 1h\nmissed = all\nmissed_limit = 3";
	struct pbt_instance *in = start(*state, options);
	in = miss(in, 2 * HOUR, options);
	assert_int_equal(pbt_n_stored(in), 2);
	in = miss(in, 5 * HOUR + 600000, options);
	assert_int_equal(pbt_n_stored(in), 5);
	assert_event(in, 1, "t@2026-01-01T02:00:00Z", "{\"time\":\"2026-01-01T02:00:00.000Z\",\"missed\":0}");
	assert_event(in, 2, "t@2026-01-01T05:00:00Z", "{\"time\":\"2026-01-01T05:00:00.000Z\",\"missed\":2}");
	assert_event(in, 4, "t@2026-01-01T07:00:00Z", "{\"time\":\"2026-01-01T07:00:00.000Z\",\"missed\":0}");
}

static void what_is_too_old_is_left_out(void **state)
{
	const char *options = "every = 1h\nmissed = all\nmissed_within = 2h";
	struct pbt_instance *in = start(*state, options);
	in = miss(in, 5 * HOUR + 600000, options);
	assert_int_equal(pbt_n_stored(in), 2);
	assert_event(in, 0, "t@2026-01-01T04:00:00Z", "{\"time\":\"2026-01-01T04:00:00.000Z\",\"missed\":0}");
	assert_true(pbt_logged(*state, "what was due earlier than missed_within ago is left out"));
}

/* The clock is set forward while it runs: what it leapt over was missed. */
static void a_clock_set_forward(void **state)
{
	struct pbt_instance *in = start(*state, "every = 1h");
	pbt_advance(*state, 3 * HOUR + 600000);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_event(in, 0, "t@2026-01-01T03:00:00Z", "{\"time\":\"2026-01-01T03:00:00.000Z\",\"missed\":2}");
}

static void put_mark(struct pbt_host *host, int64_t ms, const char *schedule)
{
	char text[64];
	int len = snprintf(text, sizeof text, "%lld %s", (long long)ms, schedule);
	pbt_put_mark(host, "t", "last", (struct pb_span){ text, (size_t)len });
}

/* The clock was set back by less than three hours: what ticked then does not tick again. */
static void a_clock_set_back_a_little(void **state)
{
	put_mark(*state, BEGIN + 2 * HOUR, "every 3600000");
	struct pbt_instance *in = start(*state, "every = 1h");
	pass(in, 3 * HOUR - 1);
	assert_int_equal(pbt_n_stored(in), 0);
	pass(in, 1);
	assert_event(in, 0, "t@2026-01-01T03:00:00Z", "{\"time\":\"2026-01-01T03:00:00.000Z\",\"missed\":0}");
}

static void a_clock_that_was_far_ahead(void **state)
{
	put_mark(*state, BEGIN + 3 * HOUR + 1, "every 3600000");
	struct pbt_instance *in = start(*state, "every = 1h");
	assert_true(pbt_logged(*state, "the clock was set back by more than three hours: it goes on from now"));
	pass(in, HOUR);
	assert_event(in, 0, "t@2026-01-01T01:00:00Z", "{\"time\":\"2026-01-01T01:00:00.000Z\",\"missed\":0}");
}

/* Another schedule, or a mark that makes no sense: nothing was missed. */
static void another_schedule_begins_anew(void **state)
{
	struct pbt_instance *in = start(*state, "every = 1d");
	in = miss(in, 5 * HOUR + 600000, "every = 1h");
	assert_int_equal(pbt_n_stored(in), 0);
	in = miss(in, 5 * HOUR, "cron = @hourly");
	assert_int_equal(pbt_n_stored(in), 0);
	in = miss(in, 5 * HOUR, "cron = @hourly\ntimezone = Europe/Berlin");
	assert_int_equal(pbt_n_stored(in), 0);
	pbt_close(in);
	pbt_put_mark(*state, "t", "last", (struct pb_span){ "x\0y", 3 });
	in = start(*state, "every = 1h");
	pass(in, HOUR);
	assert_int_equal(pbt_n_stored(in), 1);
}

/* The nearest to a crash: what was made is not stored, and comes when it is there again, once. */
static void a_tick_is_neither_lost_nor_doubled(void **state)
{
	struct pbt_instance *in = start(*state, "every = 1m");
	pbt_store(in, PBT_FULL, 0);
	for (int64_t timeout, left = 60000; left > 0; left -= timeout) {
		assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
		pbt_advance(*state, timeout);
	}
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_int_equal(pbt_n_stored(in), 0);
	pbt_close(in);
	in = pbt_open(*state, "[source t]\nevery = 1m");
	pbt_store(in, PBT_STORES, 0);
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	in = miss(in, 0, "every = 1m");
	assert_int_equal(pbt_n_stored(in), 1);
	assert_event(in, 0, "t@2026-01-01T00:01:00Z", "{\"time\":\"2026-01-01T00:01:00.000Z\",\"missed\":0}");
}

static void what_the_store_refuses_is_made_again(void **state)
{
	struct pbt_instance *in = start(*state, "every = 10s");
	int result;
	pbt_store(in, PBT_REFUSES, 1);
	pbt_advance(*state, 10000);
	assert_true(pbt_wait_ended(in, PBT_LONG, &result));
	assert_true(result < 0);
	assert_true(pbt_logged(*state, "a tick was not stored"));
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_event(in, 0, "t@2026-01-01T00:00:10Z", "{\"time\":\"2026-01-01T00:00:10.000Z\",\"missed\":0}");
}

static void without_memory_it_is_made_again(void **state)
{
	for (enum pbt_call call = PBT_EVENT_NEW; call <= PBT_RENDER; call++) {
		if (call == PBT_CLOUDEVENT || call == PBT_TEXT)
			continue;
		struct pbt_instance *in = start(*state, "every = 10s");
		size_t before = pbt_n_stored(in);
		pbt_fail_at(call, 1);
		pbt_advance(*state, 10000);
		int result;
		assert_true(pbt_wait_ended(in, PBT_LONG, &result));
		pbt_start(in);
		assert_true(pbt_wait_stored(in, before + 1, PBT_LONG));
		pbt_close(in);
	}
	pbt_fail_at(PBT_RENDER, 0);
}

/* Not before its time, not later than allowed, and the same each time it is asked. */
static void jitter_delays_and_changes_no_time(void **state)
{
	struct pbt_instance *in = start(*state, "every = 1h\njitter = 30m");
	int64_t delays[2];
	for (size_t i = 0; i < 2; i++) {
		pass(in, HOUR - 1 - (i > 0 ? delays[0] : 0));
		assert_int_equal(pbt_n_stored(in), i);
		for (delays[i] = -1; pbt_n_stored(in) == i; delays[i] += 1000)
			pass(in, 1000);
		assert_true(delays[i] <= 30 * 60000 + 1000);
		assert_int_equal(pb_event_time(pbt_stored(in, i)), BEGIN + HOUR * (int64_t)(i + 1));
	}
	assert_true(delays[0] != delays[1]);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *options, *error;
	} cases[] = {
		{ "", "test.ini:1: [source t]: expected every or cron\n" },
		{ "every = 1m\ncron = @daily", "[source t] cron: either every or cron" },
		{ "cron = 0 0 31 feb *", "test.ini:2: [source t] cron: there is no such day" },
		{ "cron = 0 0 1 * *\ntimezone = Mars/Olympus", "[source t] timezone: /usr/share/zoneinfo/Mars/Olympus: No such file" },
		{ "every = 1m\ntimezone = local", "[source t] timezone: is for cron; intervals count from" },
		{ "every = 1m\njitter = 2m", "[source t] jitter: is longer than the interval" },
		{ "every = 1m\nbody = {{data.x}}", "[source t] body: there is no {{data.x}}" },
		{ "every = 1m\nbody = {\"a\":{{time}}}", "[source t] body: is not JSON" },
		{ "every = 5ms", "[source t] every: " },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(pbt_open(*state, "[source t]\n%s", cases[i].options));
		if (strstr(pbt_errors(*state), cases[i].error) == NULL)
			fail_msg("%s: %s", cases[i].options, pbt_errors(*state));
	}
}

static void the_zone_is_read_again(void **state)
{
	struct pbt_instance *in = start(*state, "cron = 0 0 * * *\ntimezone = Europe/Berlin");
	pbt_reopen(in);
	pass(in, 23 * HOUR);
	assert_event(in, 0, "t@2026-01-01T23:00:00Z", "{\"time\":\"2026-01-01T23:00:00.000Z\",\"missed\":0}");
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOST(an_interval_ticks), WITH_HOST(an_interval_below_a_second), WITH_HOST(an_expression_ticks),
		WITH_HOST(of_missed_ones_one_event_tells),
		WITH_HOST(missed_ones_are_skipped), WITH_HOST(all_missed_ones_are_made_up_for),
		WITH_HOST(what_is_too_old_is_left_out), WITH_HOST(a_clock_set_forward), WITH_HOST(a_clock_set_back_a_little),
		WITH_HOST(a_clock_that_was_far_ahead), WITH_HOST(another_schedule_begins_anew),
		WITH_HOST(a_tick_is_neither_lost_nor_doubled), WITH_HOST(what_the_store_refuses_is_made_again),
		WITH_HOST(without_memory_it_is_made_again), WITH_HOST(jitter_delays_and_changes_no_time),
		WITH_HOST(what_is_wrong_is_said), WITH_HOST(the_zone_is_read_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
