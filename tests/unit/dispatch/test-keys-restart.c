/* test-keys-restart.c - order_by through crashes, restarts, and other configurations. */
#include "unit/dispatch/keys-lab.h"

#include "dispatch/counts.h"
#include "dispatch/shed.h"

static void a_crash_loses_no_order(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "ok");
	lab_wait(lab, 1000);
	emit(lab, "a3", "a", "ok");
	lab_wait(lab, 1000);
	expect_seen(lab, "a1/1 ");
	lab_crash(lab);
	lab_start(lab, KEYED);
	emit(lab, "a4", "a", "ok");
	emit(lab, "b1", "b", "ok");
	lab_wait(lab, 2000);
	expect_seen(lab, "b1/1 ");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_seen(lab, "a1/2 a2/1 a3/1 a4/1 ");
	expect_rest(lab);
}

/* Nothing but the journal is on disk. */
static void a_crash_before_any_row(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "ok");
	lab_crash(lab);
	lab_start(lab, KEYED);
	expect_seen(lab, "a1/1 ");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_seen(lab, "a1/2 a2/1 ");
	expect_rest(lab);
}

/* A hung event holds the watermark back: rows are ahead of it at the start, and nothing of them is sent out of turn. */
static void rows_ahead_of_the_watermark(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "hung", NULL, "hold");
	emit(lab, "a0", "a", "ok");
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "ok");
	lab_wait(lab, 300);
	assert_int_equal(the_lane(lab)->stragglers, 2);
	lab_crash(lab);
	lab->sinks[0].seen[0] = '\0';
	lab_start(lab, KEYED);
	lab_settle(lab);
	expect_seen(lab, "hung/1 a0/1 ");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_seen(lab, "a1/2 a2/1 ");
	lab_answer(lab, 0, 0, PB_OK);
	expect_rest(lab);
}

/* What was parked under the old option goes out all the same. */
static void the_option_taken_away(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "ok");
	emit(lab, "a3", "a", "ok");
	lab_wait(lab, 1000);
	lab_stop(lab);
	lab_start(lab, FREE);
	emit(lab, "a4", "a", "ok");
	expect_seen(lab, "a4/1 ");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_seen(lab, "a1/2 a2/1 a3/1 ");
	expect_rest(lab);
}

static void a_strict_sink_takes_over(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "hung", NULL, "hold");
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "ok");
	lab_wait(lab, 300);
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab->sinks[0].seen[0] = '\0';
	lab_start(lab, SINK "order = strict\n" ROUTE);
	lab_wait(lab, 20000);
	expect_seen(lab, "hung/1 a1/2 a2/1 ");
	expect_rest(lab);
}

static void a_removed_lane_leaves_nothing_behind(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "retry");
	emit_many(lab, "a", "a", "ok", 5);
	lab_wait(lab, 1000);
	lab_stop(lab);
	lab_start(lab, HEAD "[sink s1]\nplugin = script_async\n[route q]\nto = s1\n");
	lab_wait(lab, 3000);
	struct lane_counts gone = { 0 };
	counts_gone(&lab->d->router, &gone);
	assert_int_equal(gone.died[DEAD_REMOVED], 6);
	lab_stop(lab);
	lab_start(lab, KEYED);
	expect_rest(lab);
}

/* What is held goes on in its order, whatever the sink's order is now; what comes later is in the new one. */
static void reloaded_to(struct lab *lab, const char *ini, const char *at_once, const char *then)
{
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "hold");
	emit(lab, "a2", "a", "ok");
	expect_seen(lab, "a1/1 ");
	assert_true(lab_reload(lab, ini));
	emit(lab, "a3", "a", "ok");
	expect_seen(lab, at_once);
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	expect_seen(lab, then);
	expect_rest(lab);
}

static void reloaded_to_no_order(void **state)
{
	reloaded_to(*state, FREE, "a3/1 ", "a2/1 ");
}

static void reloaded_to_another_key(void **state)
{
	reloaded_to(*state, SINK "order_by = type\n" ROUTE, "a3/1 ", "a2/1 ");
}

static void reloaded_to_strict_order(void **state)
{
	reloaded_to(*state, SINK "order = strict\n" ROUTE, "", "a2/1 a3/1 ");
}

static void reloaded_to_have_keys(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, SINK "order = strict\n" ROUTE);
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "ok");
	expect_seen(lab, "a1/1 ");
	assert_true(lab_reload(lab, KEYED));
	emit(lab, "b1", "b", "hold");
	emit(lab, "b2", "b", "ok");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_seen(lab, "a2/1 b1/1 a1/2 ");
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	expect_seen(lab, "b2/1 ");
	expect_rest(lab);
}

/* The lane leaves, and comes back before all of it is dead: rows that were not yet are still in order. */
static void a_lane_that_comes_back(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "first", "a", "retry");
	emit_many(lab, "a", "a", "ok", 20);
	lab_wait(lab, 1000);
	lab->sinks[0].seen[0] = '\0';
	assert_true(lab_reload(lab, HEAD "[sink s1]\nplugin = script_async\n[route q]\nto = s1\n"));
	assert_true(lab_reload(lab, KEYED));
	lab->sinks[0].always = "ok";
	lab_wait(lab, 14000);
	uint64_t dead = the_lane(lab)->dead;
	if (dead == 0)
		expect_all_in_order(lab, "a", 20);
	else
		assert_int_equal(dead, 21);
	expect_rest(lab);
}

/* One that is given up is dead when the disk knows it; until then a crash would bring it back, and what came after it is out. */
static void what_waits_for_one_that_is_shed_waits_for_the_disk(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a", "k", "retry");
	emit(lab, "b", "k", "ok");
	lab_wait(lab, 2000);
	expect_seen(lab, "a/1 ");
	assert_int_equal(shed_oldest(the_lane(lab)->outlet, 1), 1);
	for (int i = 0; i < 20; i++) {
		clock_manual_advance(&lab->clock, 10);
		router_turn(&lab->d->router);
		sender_step(&lab->d->submitter);
	}
	expect_seen(lab, "");
	lab_wait(lab, 100);
	expect_seen(lab, "b/1 ");
	expect_rest(lab);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(a_crash_loses_no_order), T(a_crash_before_any_row),
		T(rows_ahead_of_the_watermark), T(the_option_taken_away),
		T(a_strict_sink_takes_over), T(a_removed_lane_leaves_nothing_behind),
		T(reloaded_to_no_order), T(reloaded_to_another_key), T(reloaded_to_strict_order),
		T(reloaded_to_have_keys), T(a_lane_that_comes_back),
		T(what_waits_for_one_that_is_shed_waits_for_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
