/* test-tick.c - what is looked at every second, and what many sinks wait for at once, is done in pieces. */
#include "unit/dispatch/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define SINKS 100

/* One route to all of them; all are the lab's sink 0. */
static char *ini(const char *options)
{
	struct buf text = BUF_INIT(1 << 20);
	buf_add_str(&text, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n");
	for (int i = 0; i < SINKS; i++)
		buf_printf(&text, "[sink n%d_0]\nplugin = script_async\n%s\n", i, options);
	buf_add_str(&text, "[route r]\nto = n0_0");
	for (int i = 1; i < SINKS; i++)
		buf_printf(&text, ",n%d_0", i);
	buf_add_str(&text, "\n");
	buf_add_char(&text, '\0');
	return text.data;
}

static void start(struct lab *lab, const char *options)
{
	char *text = ini(options);
	lab_start(lab, text);
	free(text);
	assert_int_equal(lab->d->router.n_lanes, SINKS);
}

static size_t with_row(struct lab *lab)
{
	size_t n = 0;
	for (size_t i = 0; i < SINKS; i++)
		n += lab->d->router.lanes[i]->stragglers > 0;
	return n;
}

static void every_lane_is_looked_at_a_piece_a_turn(void **state)
{
	struct lab *lab = *state;
	start(lab, "");
	lab_emit(lab, "passed", "hold");
	lab_emit(lab, "passing", "ok");
	lab_settle(lab);
	assert_int_equal(with_row(lab), 0);
	clock_manual_advance(&lab->clock, 2000);
	int turns = 1;
	for (size_t before = 0; router_turn(&lab->d->router) == 0 && turns < 100; turns++) {
		size_t now = with_row(lab);
		assert_true(now <= before + 32);
		before = now;
	}
	assert_int_equal(with_row(lab), SINKS);
	assert_in_range(turns, SINKS / 32 + 1, 10);
}

static void what_failed_together_is_not_probed_together(void **state)
{
	struct lab *lab = *state;
	start(lab, "");
	struct router *r = &lab->d->router;
	lab_emit(lab, "e", "down");
	lab_settle(lab);
	size_t same = 0;
	for (size_t i = 0; i < SINKS; i++) {
		int64_t until = r->outlets[i]->breaker.until;
		assert_int_equal(r->outlets[i]->breaker.state, BREAKER_OPEN);
		assert_in_range(until - router_now(r), 1000, 1200);
		for (size_t k = 0; k < i; k++)
			same += r->outlets[k]->breaker.until == until;
	}
	assert_true(same < SINKS / 10);
}

static void what_is_due_of_a_held_sink_waits_for_its_probe(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
		  "[sink s0]\nplugin = script_async\nretry = 100ms, 100ms\nbreaker_failures = 1\n"
		  "[route r]\nto = s0\n");
	struct lane *lane = lab_lane(lab, "r s0");
	lab->sinks[0].always = "retry";
	lab_emit(lab, "a", "x");
	lab_settle(lab);
	lab_wait(lab, 900);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
	assert_int_equal(lane->n_loose, 0);
	assert_int_equal(lane->stragglers, 1);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 200);
	assert_string_equal(lab->sinks[0].seen, "a/1 a/2 ");
	assert_int_equal(lane->stragglers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_lane_is_looked_at_a_piece_a_turn, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(what_failed_together_is_not_probed_together, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(what_is_due_of_a_held_sink_waits_for_its_probe, lab_setup, lab_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
