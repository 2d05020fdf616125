/* test-sinks.c - sinks disabled, enabled and drained, by hand or by themselves. */
#include "unit/dispatch/lab.h"

#include <string.h>

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define PLUGIN "[sink s0]\nplugin = script_async\n"
#define SINK PLUGIN "retry = 10s, 10s\n"
#define RELAXED HEAD SINK "[route r]\nto = s0\n"
#define IMPATIENT HEAD PLUGIN "disable_after = 2m\nretry = exponential(10s, 10s, 1000)\n" \
	"expire = 3650d\n[route r]\nto = s0\n"

static struct outlet *outlet(struct lab *lab)
{
	return lab->d->router.outlets[0];
}

static bool set(struct lab *lab, enum sink_mode mode)
{
	bool changed = sink_set(outlet(lab), mode, "by hand");
	lab_wait(lab, 100);
	return changed;
}

static void a_disabled_sink_keeps_its_backlog(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	assert_true(set(lab, SINK_DISABLED));
	assert_false(set(lab, SINK_DISABLED));
	for (int i = 0; i < 300; i++)
		lab_emit(lab, "a", "ok");
	lab_wait(lab, 60000);
	assert_string_equal(lab->sinks[0].seen, "");
	assert_string_equal(sink_state_name(outlet(lab)), "disabled");
	assert_true(lab_lane(lab, "r s0")->count < 150);
	assert_true(set(lab, SINK_ENABLED));
	lab_wait(lab, 1000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 300);
	assert_true(lab_lane(lab, "r s0")->live);
}

static void disabled_over_crash_and_restart(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	set(lab, SINK_DISABLED);
	lab_crash(lab);
	lab_start(lab, RELAXED);
	assert_string_equal(outlet(lab)->stand.why, "by hand");
	lab->sinks[0].always = "ok";
	lab_emit(lab, "b", "ok");
	lab_wait(lab, 60000);
	assert_string_equal(lab->sinks[0].seen, "");
	lab_stop(lab);
	lab_start(lab, RELAXED);
	lab_wait(lab, 60000);
	assert_string_equal(lab->sinks[0].seen, "");
	set(lab, SINK_ENABLED);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 2);
	lab_crash(lab);
	lab_start(lab, RELAXED);
	assert_int_equal(outlet(lab)->stand.mode, SINK_ENABLED);
}

static void what_is_in_flight_is_answered(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "hold");
	lab_settle(lab);
	set(lab, SINK_DISABLED);
	lab_answer(lab, 0, 0, PB_OK);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 1);
	assert_int_equal(lab_lane(lab, "r s0")->count, 0);
}

static void gone_is_gone_until_it_is_enabled(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "gone");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	assert_string_equal(outlet(lab)->stand.why, "the receiver is gone: said gone");
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "");
	set(lab, SINK_ENABLED);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
}

static void draining_takes_nothing_new(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "old", "retry");
	lab_emit(lab, "slow", "hold");
	for (int i = 0; i < 300; i++)
		lab_emit(lab, "old", "ok");
	lab_settle(lab);
	set(lab, SINK_DRAINING);
	lab_emit(lab, "new", "ok");
	lab_wait(lab, 3000);
	assert_string_equal(sink_state_name(outlet(lab)), "draining");
	lab->sinks[0].always = "ok";
	lab_answer(lab, 0, 0, PB_OK);
	lab_wait(lab, 13000);
	assert_string_equal(sink_state_name(outlet(lab)), "drained");
	assert_true(outlet(lab)->stand.drained);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 302);
	assert_null(strstr(lab->sinks[0].seen, "new"));
	lab_stop(lab);
	lab_start(lab, RELAXED);
	lab_emit(lab, "new", "ok");
	lab_wait(lab, 3000);
	assert_string_equal(lab->sinks[0].seen, "");
	assert_string_equal(sink_state_name(outlet(lab)), "drained");
	set(lab, SINK_ENABLED);
	assert_string_equal(lab->sinks[0].seen, "new/1 new/1 ");
	assert_true(lab_lane(lab, "r s0")->live);
}

/* Behind when the draining begins, and most of it not wanted: it ends where it began. */
static void draining_what_is_behind(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD SINK "max_in_flight = 2\n[route r]\nevents = a\nto = s0\n");
	set(lab, SINK_DISABLED);
	for (int i = 0; i < 200; i++)
		lab_emit(lab, i % 4 == 0 ? "a" : "b", "ok");
	lab_settle(lab);
	set(lab, SINK_DRAINING);
	for (int i = 0; i < 200; i++)
		lab_emit(lab, i % 100 == 99 ? "a" : "b", "ok");
	lab_wait(lab, 3000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 50);
	assert_string_equal(sink_state_name(outlet(lab)), "drained");
	set(lab, SINK_ENABLED);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 52);
}

static void nothing_but_failures(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, IMPATIENT);
	lab->sinks[0].always = "retry";
	lab_emit(lab, "a", "ok");
	lab_settle(lab);
	lab_wait(lab, 100000);
	assert_int_equal(outlet(lab)->stand.mode, SINK_ENABLED);
	lab->sinks[0].always = "ok";
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_int_equal(sink_failing(outlet(lab)), 0);
	lab->sinks[0].always = "retry";
	lab_emit(lab, "c", "ok");
	lab_settle(lab);
	lab_wait(lab, 100000);
	assert_int_equal(outlet(lab)->stand.mode, SINK_ENABLED);
	lab_wait(lab, 60000);
	assert_int_equal(outlet(lab)->stand.mode, SINK_DISABLED);
	assert_string_equal(outlet(lab)->stand.why, "nothing but failures for 2m: said retry");
}

/* How long it has failed is known after a restart, whatever the wall clock says; being rejected is no failure. */
static void failing_over_a_restart(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, IMPATIENT);
	lab->sinks[0].always = "retry";
	lab_emit(lab, "a", "ok");
	lab_settle(lab);
	lab_wait(lab, 90000);
	lab_stop(lab);
	lab->clock.wall_ms += INT64_C(30) * 24 * 3600 * 1000;
	lab_start(lab, IMPATIENT);
	lab_wait(lab, 20000);
	assert_int_equal(outlet(lab)->stand.mode, SINK_ENABLED);
	lab_wait(lab, 60000);
	assert_int_equal(outlet(lab)->stand.mode, SINK_DISABLED);
	set(lab, SINK_ENABLED);
	lab->sinks[0].always = "reject";
	for (int i = 0; i < 10; i++) {
		lab_emit(lab, "b", "ok");
		lab_wait(lab, 60000);
	}
	assert_int_equal(outlet(lab)->stand.mode, SINK_ENABLED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(a_disabled_sink_keeps_its_backlog), T(disabled_over_crash_and_restart),
		T(what_is_in_flight_is_answered), T(gone_is_gone_until_it_is_enabled),
		T(draining_takes_nothing_new), T(draining_what_is_behind), T(nothing_but_failures),
		T(failing_over_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
