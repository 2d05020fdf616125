/* test-yield.c - a lane that is down gives up the journal, and takes up what is parked for it in order. */
#include "unit/dispatch/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/sinks.h"
#include "event/event.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define DOWN "[sink s0]\nplugin = %s\nmax_backlog = 1GiB\n%s[route r]\nto = s0\n%s"
#define AGAIN "breaker_failures = 0\nretry = exponential(1s, 10s, 1000)\n"
#define HEALTHY "[sink s1]\nplugin = script_async\n[route q]\nto = s1\n"
#define MAX (1536 << 10)	/* the journal may have half of it, and 1000 events are more */

/* What a sink got: by its number the events in the order they came, and how often. */
struct seen {
	unsigned order[2][8192];
	size_t n[2];
	enum pb_code code[2];
	unsigned holds;		/* sink 0 keeps the first it is given from this number on; 0: none */
	struct pb_delivery *held;
};

static struct seen seen;

static unsigned number_of(const struct pb_event *ev)
{
	return (unsigned)strtoul(event_type(ev) + 1, NULL, 10);
}

static void given(void *arg, struct pb_delivery *d)
{
	(void)arg;
	size_t sink = (size_t)(d->slot->lane->outlet->config->name[1] - '0');
	if (sink == 0 && seen.holds > 0 && number_of(pb_delivery_event(d)) + 1 >= seen.holds && seen.held == NULL) {
		seen.held = d;
		return;
	}
	if (seen.code[sink] == PB_OK)
		seen.order[sink][seen.n[sink]++] = number_of(pb_delivery_event(d));
	pb_answer(d, seen.code[sink], 0, (struct pb_span){ NULL, 0 }, "as told");
}

static void start(struct lab *lab, const char *plugin, const char *options)
{
	char ini[1024];
	snprintf(ini, sizeof ini, HEAD DOWN, plugin, options, HEALTHY);
	lab->journal_options = (struct journal_options){ .max_size = MAX, .segment_size = MAX / 48 };
	lab->given = given;
	lab_start(lab, ini);
}

static int set_up(void **state)
{
	seen = (struct seen){ .code = { PB_OK, PB_OK } };
	*state = lab_new();
	return 0;
}

static uint64_t journal_bytes(struct lab *lab)
{
	struct journal_stat st;
	journal_stat(lab->env.journal, &st);
	return st.bytes;
}

/* Events `from` up to `to`, one of about 1 KiB each; all are accepted. */
static void emit(struct lab *lab, unsigned from, unsigned to)
{
	char body[900] = "", type[16];
	memset(body, 'x', sizeof body - 1);
	for (unsigned i = from; i < to; i++) {
		snprintf(type, sizeof type, "e%u", i);
		lab_emit(lab, type, body);
		lab_wait(lab, 20);
		assert_string_equal(strrchr(lab->settled, ':'), ":1 ");
		lab->settled[0] = '\0';
	}
	lab_wait(lab, 2000);
}

static void expect_all(size_t sink, unsigned from, unsigned to)
{
	assert_int_equal(seen.n[sink], to - from);
	for (unsigned i = from; i < to; i++)
		assert_int_equal(seen.order[sink][i - from], i);
}

/* Once, if in any order. */
static void expect_each(size_t sink, unsigned to)
{
	unsigned char *times = calloc(to, 1);
	assert_int_equal(seen.n[sink], to);
	for (size_t i = 0; i < seen.n[sink]; i++)
		assert_int_equal(++times[seen.order[sink][i]], 1);
	free(times);
}

static void set_sink(struct lab *lab, enum sink_mode mode)
{
	sink_set(lab_lane(lab, "r s0")->outlet, mode, "a test");
	lab_settle(lab);
}

/* Each save takes a moment. */
static void work(struct lab *lab, int64_t ms)
{
	for (; ms > 0; ms -= 100)
		lab_wait(lab, 100);
}

static void check_nothing_waits(struct lab *lab)
{
	struct router *r = &lab->d->router;
	struct lane *lane = lab_lane(lab, "r s0");
	lab_wait(lab, 3000);
	assert_true(lane->live);
	assert_false(lane->from_rows);
	assert_int_equal(lane->stragglers, 0);
	assert_int_equal(lane_watermark(lane), r->next);
	for (uint64_t seq = 1; seq < r->next; seq++)
		assert_true(rows_get_kept(lab->env.state, seq, NULL, NULL) < 0);
}

static void a_disabled_sinks_events_leave_the_journal(void **state)
{
	static const char *const plugins[] = { "script", "script_async" };
	struct lab *lab = *state;
	for (size_t i = 0; i < 2; i++) {
		seen.n[0] = seen.n[1] = 0;
		start(lab, plugins[i], "");
		set_sink(lab, SINK_DISABLED);
		emit(lab, 0, 1000);
		assert_true(journal_bytes(lab) < MAX * 5 / 8);
		assert_int_equal(seen.n[0], 0);
		assert_true(lab_lane(lab, "r s0")->untaken > 100);
		set_sink(lab, SINK_ENABLED);
		work(lab, 20000);
		if (i == 0)
			expect_all(0, 0, 1000);
		else
			expect_each(0, 1000);
		expect_each(1, 1000);
		check_nothing_waits(lab);
		lab_stop(lab);
	}
}

static void what_is_parked_comes_back_after_a_crash(void **state)
{
	struct lab *lab = *state;
	start(lab, "script", "");
	set_sink(lab, SINK_DISABLED);
	for (unsigned i = 0; i < 5; i++) {
		emit(lab, i * 200, (i + 1) * 200);
		lab_crash(lab);
		start(lab, "script", "");
		assert_true(lab_lane(lab, "r s0")->strict);
	}
	assert_true(lab_lane(lab, "r s0")->untaken > 100);
	set_sink(lab, SINK_ENABLED);
	work(lab, 20000);
	expect_all(0, 0, 1000);
	check_nothing_waits(lab);
}

/* Down, it keeps its place and tries the head again and again; nothing overtakes it. */
static void a_strict_lane_goes_on_where_it_stood(void **state)
{
	struct lab *lab = *state;
	start(lab, "script", AGAIN);
	seen.code[0] = PB_RETRY;
	emit(lab, 0, 1000);
	struct lane *lane = lab_lane(lab, "r s0");
	assert_true(lane->from_rows);
	assert_true(lane->head->attempts > 3);
	assert_true(due_is_parked(lane->head->row_due_ms));
	unsigned attempts = lane->head->attempts;
	int64_t left = lane->head->after - router_now(&lab->d->router);
	lab_wait(lab, 1000);
	lab_stop(lab);
	start(lab, "script", AGAIN);
	lane = lab_lane(lab, "r s0");
	assert_true(lane->head->attempts >= attempts);
	assert_true(left <= 12000);
	seen.code[0] = PB_OK;
	work(lab, 30000);
	expect_all(0, 0, 1000);
	check_nothing_waits(lab);
}

/* What is with the sink when its lane is parked is judged when it comes back. */
static void what_is_out_may_be_answered_late(void **state)
{
	struct lab *lab = *state;
	seen.holds = 1;
	start(lab, "script_async", "order = strict\n");
	emit(lab, 0, 1000);
	assert_non_null(seen.held);
	assert_int_equal(seen.n[0], 0);
	assert_true(lab_lane(lab, "r s0")->from_rows);
	seen.order[0][seen.n[0]++] = number_of(pb_delivery_event(seen.held));
	pb_answer(seen.held, PB_OK, 0, (struct pb_span){ NULL, 0 }, "at last");
	work(lab, 20000);
	expect_all(0, 0, 1000);
	check_nothing_waits(lab);
}

/* A relaxed lane takes what hangs with it as a straggler. */
static void one_that_hangs_holds_no_relaxed_lane(void **state)
{
	struct lab *lab = *state;
	start(lab, "script_async", "");
	set_sink(lab, SINK_DISABLED);
	emit(lab, 0, 1000);
	seen.holds = 20;	/* a sink that was enabled must say yes before it is given many */
	set_sink(lab, SINK_ENABLED);
	work(lab, 20000);
	assert_int_equal(seen.n[0], 999);
	assert_true(lab_lane(lab, "r s0")->live);
	assert_int_equal(lab_lane(lab, "r s0")->n_loose, 1);
	seen.order[0][seen.n[0]++] = number_of(pb_delivery_event(seen.held));
	pb_answer(seen.held, PB_OK, 0, (struct pb_span){ NULL, 0 }, "at last");
	expect_each(0, 1000);
	check_nothing_waits(lab);
}

static void a_draining_sink_gets_nothing_new_of_it(void **state)
{
	struct lab *lab = *state;
	start(lab, "script", "");
	set_sink(lab, SINK_DISABLED);
	emit(lab, 0, 300);
	set_sink(lab, SINK_DRAINING);
	set_sink(lab, SINK_DISABLED);
	emit(lab, 300, 320);
	struct outlet *o = lab_lane(lab, "r s0")->outlet;
	sink_set(o, SINK_ENABLED, "");
	sink_set(o, SINK_DRAINING, "a test");	/* before the lane takes anything: all 320 are old */
	emit(lab, 320, 1250);
	work(lab, 20000);
	expect_all(0, 0, 320);
	assert_true(sink_is_drained(o));
	assert_true(lab_lane(lab, "r s0")->untaken > 100);
	set_sink(lab, SINK_ENABLED);
	work(lab, 20000);
	expect_all(0, 0, 1250);
	check_nothing_waits(lab);
}

/* A row that says when it may be tried again holds one that is relaxed by now no longer than that. */
static void a_wait_in_place_ends_although_order_is_relaxed_now(void **state)
{
	struct lab *lab = *state;
	start(lab, "script", AGAIN);
	seen.code[0] = PB_RETRY;
	emit(lab, 0, 600);
	assert_true(lab_lane(lab, "r s0")->head->attempts > 3);
	lab_crash(lab);
	seen.code[0] = PB_OK;
	start(lab, "script", AGAIN "order = relaxed\n");
	work(lab, 30000);
	expect_each(0, 600);
	check_nothing_waits(lab);
}

/* While another lane gives up the journal piece by piece, one that was behind has come to its end: what it takes from
 * there on has no rows, so it must not count as if it had. */
static void a_lane_that_has_caught_up_meanwhile_stays_with_the_journal(void **state)
{
	struct lab *lab = *state;
	const char *ini = HEAD "[sink s0]\nplugin = script\n[route r]\nevents = a\nto = s0\n"
			  "[sink s1]\nplugin = script_async\norder = strict\n[route q]\nevents = b\nto = s1\n";
	lab_start(lab, ini);
	set_sink(lab, SINK_DISABLED);
	for (unsigned i = 0; i < 4000; i++)
		lab_emit(lab, "a", "ok");
	lab_emit(lab, "b", "hold");
	lab_crash(lab);		/* both are behind now */
	lab_start_only(lab, ini);
	yield_lane(lab_lane(lab, "r s0"), 3500, 0);
	yield_lane(lab_lane(lab, "q s1"), 3500, 0);
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned turn = 0; turn < 10; turn++)
			router_turn(&lab->d->router);
		clock_manual_advance(&lab->clock, 10);
		lab_step_all(lab);
	}
	lab_settle(lab);
	assert_string_equal(lab->sinks[1].seen, "b/1 ");
	lab_emit(lab, "b", "ok");	/* waits behind the first */
	lab_wait(lab, 2000);
	lab_crash(lab);
	lab_start(lab, ini);
	assert_string_equal(lab->sinks[1].seen, "b/1 ");
	lab_answer(lab, 1, 0, PB_OK);
	lab_settle(lab);
	assert_string_equal(lab->sinks[1].seen, "b/1 b/1 ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(a_disabled_sinks_events_leave_the_journal), T(what_is_parked_comes_back_after_a_crash),
		T(a_strict_lane_goes_on_where_it_stood), T(what_is_out_may_be_answered_late),
		T(one_that_hangs_holds_no_relaxed_lane),
		T(a_draining_sink_gets_nothing_new_of_it), T(a_wait_in_place_ends_although_order_is_relaxed_now),
		T(a_lane_that_has_caught_up_meanwhile_stays_with_the_journal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
