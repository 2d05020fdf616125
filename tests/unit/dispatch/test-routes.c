/* test-routes.c - what an event's lanes are when the configuration is another when they come to it. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <string.h>

#include "dispatch/router.h"
#include "event/event.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define S0 "[sink s0]\nplugin = script\nretry = 1s, 1s\nbreaker_failures = 0\nmax_in_flight = 1\n"
#define S1 "[sink s1]\nplugin = script\n"

static bool any_route(void *arg, uint32_t lane, const struct route_row *row)
{
	unsigned *n = arg;
	(void)lane;
	*n += row->until != ROUTE_PRESENT;
	return true;
}

/* By --wrap: while set, every third event that is read finds no memory. */
static unsigned short_of_memory;

struct pb_event *__real_codec_unpack(struct pb_span);
struct pb_event *__wrap_codec_unpack(struct pb_span);
struct pb_event *__wrap_codec_unpack(struct pb_span bytes)
{
	if (short_of_memory == 0 || short_of_memory++ % 3 != 0)
		return __real_codec_unpack(bytes);
	errno = ENOMEM;
	return NULL;
}

/* Rows of what lanes took before. */
static unsigned old_rules(struct lab *lab)
{
	unsigned n = 0;
	assert_int_equal(rows_each_route(lab->env.state, any_route, &n), 0);
	return n;
}

/* The sink holds what it is given first, so that all else waits: some in memory, most in the journal. */
static void hold_back(struct lab *lab, const char *ini)
{
	lab_start(lab, ini);
	lab->sinks[0].always = "down";
	lab_emit_some(lab, 40, "a", "ok");
	lab_emit_some(lab, 40, "b", "ok");
	lab_settle(lab);
	assert_false(lab_lane(lab, "r s0")->live);
}

static void of_a_changed_route_the_backlog_is_matched_as_it_was(void **state)
{
	struct lab *lab = *state;
	hold_back(lab, HEAD S0 "[route r]\nevents = a\nto = s0\n");
	lab_crash(lab);
	lab->sinks[0].always = NULL;
	lab_start(lab, HEAD S0 "[route r]\nevents = b\nto = s0\n");
	lab_emit(lab, "a", "ok");
	lab_emit(lab, "b", "ok");
	lab_wait(lab, 2000);
	struct lane *lane = lab_lane(lab, "r s0");
	assert_true(lane->live);
	assert_int_equal(lane->delivered, 41);	/* each a before, the b after */
	assert_string_equal(lab->sinks[0].seen + strlen(lab->sinks[0].seen) - 4, "b/1 ");
	assert_int_equal(old_rules(lab), 0);
}

static void routes_that_change_again_and_again_are_all_remembered(void **state)
{
	struct lab *lab = *state;
	hold_back(lab, HEAD S0 "[route r]\nevents = a\nto = s0\n");
	lab_crash(lab);
	lab_start(lab, HEAD S0 "[route r]\nevents = b\nto = s0\n");
	lab_emit_some(lab, 3, "a", "ok");
	lab_emit_some(lab, 3, "b", "ok");
	lab_stop(lab);
	lab_start(lab, HEAD S0 "[route r]\nevents = none\nto = s0\n");
	lab_stop(lab);		/* nothing came: it never counted */
	lab_start(lab, HEAD S0 "[route r]\nevents = a, b\nto = s0\n");
	lab_emit_some(lab, 5, "a", "ok");
	lab_settle(lab);
	assert_int_equal(old_rules(lab), 2);
	lab->sinks[0].always = NULL;
	lab_wait(lab, 3000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 40 + 3 + 5);
	assert_int_equal(old_rules(lab), 0);
}

static void what_a_removed_lane_was_behind_is_dead_and_replayable(void **state)
{
	struct lab *lab = *state;
	hold_back(lab, HEAD S0 S1 "[route r]\nevents = a\nto = s0\n");
	uint32_t number = lab_lane(lab, "r s0")->number;
	lab_crash(lab);
	lab->sinks[0].always = NULL;
	lab_start(lab, HEAD S1 "[route q]\nto = s1\n");
	lab_emit_some(lab, 7, "a", "ok");		/* not its any more */
	lab_wait(lab, 1000);
	assert_int_equal(lab->d->router.n_leaving, 0);
	assert_int_equal(lab_removed_letters(lab, number), 40);
	uint64_t at;
	assert_int_equal(rows_get_lane(lab->env.state, number, &at), -ENOENT);
	assert_int_equal(old_rules(lab), 0);
	lab_stop(lab);
	lab_start(lab, HEAD S0 S1 "[route q]\nto = s1\n[route r]\nevents = a\nto = s0\n");
	assert_int_equal(lab_lane(lab, "r s0")->dead, 40);
	struct delivery_key key = { number, 1 };
	struct dead_change change = { .replay = true, .keys = &key, .n = 1 };
	dead_change(&lab->d->router, &change);
	assert_int_equal(change.done, 1);
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
	assert_int_equal(lab_removed_letters(lab, number), 39);
}

static void a_lane_that_leaves_loses_nothing_to_a_lack_of_memory(void **state)
{
	struct lab *lab = *state;
	hold_back(lab, HEAD S0 S1 "[route r]\nevents = a\nto = s0\n");
	uint32_t number = lab_lane(lab, "r s0")->number;
	lab_crash(lab);
	lab_start_only(lab, HEAD S1 "[route q]\nto = s1\n");
	short_of_memory = 1;
	lab_wait(lab, 3000);
	assert_true(short_of_memory > 40);
	short_of_memory = 0;
	lab_wait(lab, 1000);
	assert_int_equal(lab->d->router.n_leaving, 0);
	assert_int_equal(lab_removed_letters(lab, number), 40);
}

static void leaving_goes_on_after_a_crash(void **state)
{
	struct lab *lab = *state;
	hold_back(lab, HEAD S0 S1 "[route r]\nevents = a\nto = s0\n");
	uint32_t number = lab_lane(lab, "r s0")->number;
	lab_crash(lab);
	lab_start_only(lab, HEAD S1 "[route q]\nto = s1\n");
	lab_emit_some(lab, 7, "a", "ok");
	lab_crash(lab);
	lab_start(lab, HEAD S1 "[route q]\nto = s1\n");
	lab_wait(lab, 1000);
	assert_int_equal(lab_removed_letters(lab, number), 40);
}

static void one_that_comes_back_while_it_leaves_goes_on(void **state)
{
	struct lab *lab = *state;
	const char *with = HEAD S0 S1 "[route r]\nevents = a\nto = s0\n[route q]\nto = s1\n";
	hold_back(lab, with);
	uint32_t number = lab_lane(lab, "r s0")->number;
	lab_crash(lab);
	lab->sinks[0].always = NULL;
	lab_start_only(lab, HEAD S1 "[route q]\nto = s1\n");
	lab_emit_some(lab, 7, "a", "ok");
	lab_crash(lab);
	lab_start(lab, with);
	lab_emit(lab, "a", "ok");
	lab_wait(lab, 2000);
	assert_int_equal(lab_removed_letters(lab, number), 0);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 41);
	assert_int_equal(old_rules(lab), 0);
}

static void a_start_that_fails_removes_nothing(void **state)
{
	struct lab *lab = *state;
	hold_back(lab, HEAD S0 "[route r]\nevents = a\nto = s0\n");
	lab_crash(lab);
	lab_start_broken(lab, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = broken\n" S1 "[route q]\nto = s1\n");
	lab->sinks[0].always = NULL;
	lab_start(lab, HEAD S0 "[route r]\nevents = a\nto = s0\n");
	lab_wait(lab, 2000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 40);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(of_a_changed_route_the_backlog_is_matched_as_it_was),
		T(routes_that_change_again_and_again_are_all_remembered),
		T(what_a_removed_lane_was_behind_is_dead_and_replayable),
		T(a_lane_that_leaves_loses_nothing_to_a_lack_of_memory),
		T(leaving_goes_on_after_a_crash),
		T(one_that_comes_back_while_it_leaves_goes_on),
		T(a_start_that_fails_removes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
