/* test-sinks.c - sinks disabled, enabled and drained, by hand or by themselves. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <string.h>

#include "dispatch/ask.h"

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

static struct sink_retried retry(struct lab *lab)
{
	struct sink_retried did;
	assert_int_equal(sink_retry(outlet(lab), &did), 0);
	return did;
}

static void what_waits_is_tried_at_once_when_asked(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD PLUGIN "retry = 1h, 1h, 1h\nbreaker_failures = 0\n[route r]\nto = s0\n");
	lab_emit_some(lab, 600, "a", "retry");
	lab_wait(lab, 5000);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 600);
	lab->sinks[0].seen[0] = '\0';
	struct sink_retried did = retry(lab);
	assert_int_equal(did.waiting, 600);
	assert_false(did.probe);
	lab_wait(lab, 10000);
	/* Each once, whatever it answers: the rest of its attempts keep their times. */
	assert_int_equal(lab_lane(lab, "r s0")->retried, 1200);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 600);
	lab->sinks[0].always = "ok";
	retry(lab);
	lab_wait(lab, 10000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 600);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
	assert_int_equal(retry(lab).waiting, 0);
}

static void one_that_waits_in_its_place_too(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD PLUGIN "order = strict\nretry = 1h, 1h\n[route r]\nto = s0\n");
	lab_emit(lab, "a", "retry");
	lab_emit(lab, "b", "ok");
	lab_wait(lab, 5000);
	lab->sinks[0].always = "ok";
	assert_int_equal(retry(lab).waiting, 1);
	lab_wait(lab, 100);
	assert_string_equal(lab->sinks[0].seen, "a/1 a/2 b/1 ");
}

static void one_that_is_down_is_probed(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD PLUGIN "retry = 1h, 1h, 1h\nbreaker_pause = 30m\nbreaker_max_pause = 30m\n[route r]\nto = s0\n");
	lab_emit(lab, "a", "retry");
	lab_wait(lab, 2000);
	lab_emit(lab, "b", "down");
	lab_wait(lab, 60000);
	assert_string_equal(sink_state_name(outlet(lab)), "down");
	lab->sinks[0].seen[0] = '\0';
	lab->sinks[0].always = "down";
	assert_true(retry(lab).probe);
	lab_wait(lab, 2000);
	assert_string_equal(sink_state_name(outlet(lab)), "down");	/* so it says again: nothing else is burnt */
	assert_int_equal(strlen(lab->sinks[0].seen), strlen("b/1 "));	/* one probe */
	lab->sinks[0].always = "ok";
	retry(lab);
	lab_wait(lab, 5000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 2);
	assert_string_equal(sink_state_name(outlet(lab)), "running");
}

static void a_disabled_one_is_not(void **state)
{
	struct lab *lab = *state;
	struct sink_retried did;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	set(lab, SINK_DISABLED);
	assert_int_equal(sink_retry(outlet(lab), &did), -ESHUTDOWN);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(a_disabled_sink_keeps_its_backlog), T(disabled_over_crash_and_restart),
		T(what_is_in_flight_is_answered), T(gone_is_gone_until_it_is_enabled),
		T(draining_takes_nothing_new), T(draining_what_is_behind), T(nothing_but_failures),
		T(failing_over_a_restart), T(what_waits_is_tried_at_once_when_asked), T(one_that_waits_in_its_place_too),
		T(one_that_is_down_is_probed), T(a_disabled_one_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
