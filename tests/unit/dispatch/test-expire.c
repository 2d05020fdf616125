/* test-expire.c - what waits for too long is dead, tried or not; only time that a daemon runs counts. */
#include "unit/dispatch/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/sinks.h"

#define INI "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n" \
	"[sink s0]\nplugin = script\nexpire = 1h\nmax_backlog = 1GiB\nretry = 50m\n[route r]\nto = s0\n"
#define MINUTE INT64_C(60000)

static int set_up(void **state)
{
	struct lab *lab = lab_new();
	lab->journal_options = (struct journal_options){ .max_size = 1 << 30, .segment_size = 64 << 10 };
	lab->sinks[0].always = "ok";
	*state = lab;
	return 0;
}

static struct lane *lane_of(struct lab *lab)
{
	return lab_lane(lab, "r s0");
}

static void disable(struct lab *lab)
{
	sink_set(lane_of(lab)->outlet, SINK_DISABLED, "a test");
	lab_settle(lab);
}

static void emit_many(struct lab *lab, const char *type, int n)
{
	lab_emit_some(lab, (size_t)n, type, "x");
	lab_settle(lab);
}

/* Enabled again, the sink gets so many, and so many are dead. */
static void expect_left(struct lab *lab, uint64_t delivered, uint64_t dead)
{
	struct lane *lane = lane_of(lab);
	sink_set(lane->outlet, SINK_ENABLED, "");
	for (int i = 0; i < 100; i++)
		lab_wait(lab, 100);
	assert_int_equal(lane->delivered, delivered);
	assert_int_equal(lane->dead, dead);
	assert_int_equal(lane->stragglers, 0);
	assert_true(lane->live);
}

static void what_was_never_tried_expires(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, INI);
	disable(lab);
	emit_many(lab, "old", 2000);
	lab_wait(lab, 40 * MINUTE);
	emit_many(lab, "new", 30);
	assert_int_equal(lane_of(lab)->dead, 0);
	lab_wait(lab, 30 * MINUTE);
	assert_int_equal(lane_of(lab)->died[DEAD_EXPIRED], 2000);
	expect_left(lab, 30, 2000);
	assert_null(strstr(lab->sinks[0].seen, "old"));
}

static void what_is_parked_expires(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, INI);
	disable(lab);
	emit_many(lab, "old", 2000);
	yield_lane(lane_of(lab), lab->d->router.next, 0);
	lab_wait(lab, 10 * MINUTE);
	assert_true(lane_of(lab)->untaken > 1900);
	emit_many(lab, "new", 30);
	lab_wait(lab, 54 * MINUTE);
	assert_int_equal(lane_of(lab)->died[DEAD_EXPIRED], 2000);
	expect_left(lab, 30, 2000);
}

static void a_straggler_of_a_disabled_sink_expires(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, INI);
	lab->sinks[0].always = "retry";
	emit_many(lab, "a", 1);
	disable(lab);
	lab_wait(lab, 50 * MINUTE);
	assert_int_equal(lane_of(lab)->dead, 0);
	lab_wait(lab, 20 * MINUTE);
	assert_int_equal(lane_of(lab)->dead, 1);
}

static void only_time_that_a_daemon_runs_counts(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, INI);
	disable(lab);
	emit_many(lab, "a", 100);
	lab_wait(lab, 40 * MINUTE);
	for (int i = 0; i < 3; i++) {
		lab_stop(lab);
		clock_manual_advance(&lab->clock, 600 * MINUTE);
		lab_start(lab, INI);
		lab_wait(lab, 5 * MINUTE);
		assert_int_equal(lane_of(lab)->dead, 0);
	}
	lab_crash(lab);
	lab->clock.wall_ms -= 6000 * MINUTE;
	lab_start(lab, INI);
	assert_int_equal(lane_of(lab)->dead, 0);
	lab_wait(lab, 15 * MINUTE);
	assert_int_equal(lane_of(lab)->dead, 100);
}

/* So for one that was tried and is parked since. */
static void only_time_that_a_daemon_runs_counts_for_what_is_parked(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, INI);
	lab->sinks[0].always = "retry";
	emit_many(lab, "a", 1);
	lab_wait(lab, MINUTE);
	disable(lab);
	emit_many(lab, "b", 100);
	yield_lane(lane_of(lab), lab->d->router.next, 0);
	lab_wait(lab, 5 * MINUTE);
	assert_true(lane_of(lab)->from_rows);
	for (int i = 0; i < 3; i++) {
		lab_stop(lab);
		clock_manual_advance(&lab->clock, 600 * MINUTE);
		lab_start(lab, INI);
		lab_wait(lab, 5 * MINUTE);
		assert_int_equal(lane_of(lab)->dead, 0);
	}
	lab_wait(lab, 50 * MINUTE);
	assert_int_equal(lane_of(lab)->dead, 101);
}

/* Replayed, it has all of the time again, however old it is. */
static void what_is_replayed_counts_from_then(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, INI);
	disable(lab);
	emit_many(lab, "a", 2);
	lab_wait(lab, 70 * MINUTE);
	struct lane *lane = lane_of(lab);
	assert_int_equal(lane->dead, 2);
	struct delivery_key keys[] = { { lane->number, 1 }, { lane->number, 2 } };
	struct dead_change change = { .replay = true, .keys = keys, .n = 2 };
	dead_change(&lab->d->router, &change);
	assert_int_equal(change.done, 2);
	lab_wait(lab, 30 * MINUTE);
	assert_int_equal(lane->dead, 0);
	lab_crash(lab);
	lab_start(lab, INI);
	lab_wait(lab, 20 * MINUTE);
	expect_left(lab, 2, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_never_tried_expires), T(what_is_parked_expires),
		T(a_straggler_of_a_disabled_sink_expires), T(only_time_that_a_daemon_runs_counts),
		T(what_is_replayed_counts_from_then), T(only_time_that_a_daemon_runs_counts_for_what_is_parked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
