/* test-hard-cases.c - what a review found: odd restarts, filters that change, calls that fail, limits. */
#include "unit/dispatch/lab.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/span.h"
#include "event/event.h"
#include "state/rows.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define STRICT HEAD "[sink s0]\nplugin = script\nretry = 10s, 10s\n[route r]\nto = s0\n"
#define RELAXED HEAD "[sink s0]\nplugin = script_async\nretry = 10s, 10s\n[route r]\nto = s0\n"
#define FILTERED(mode) HEAD "[filter f]\nplugin = shape\nmode = " mode "\n" \
	"[sink s0]\nplugin = script_async\nretry = 10s, 10s, 10s, 10s\n[route r]\nfilters = f\nto = s0\n"

static void two_of_three(struct lab *lab)
{
	lab_start(lab, FILTERED("split"));
	lab_emit(lab, "a", "hold");
	lab_settle(lab);
	assert_int_equal(lab->sinks[0].n_held, 3);
	lab_answer(lab, 0, 0, PB_OK);
	lab_answer(lab, 0, 1, PB_OK);
	lab_answer(lab, 0, 2, PB_RETRY);
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_crash(lab);
}

/* All bits of the row are set for the fewer parts that the filter makes now. */
static void fewer_parts_after_a_restart(void **state)
{
	struct lab *lab = *state;
	two_of_three(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, FILTERED("halve"));
	lab_wait(lab, 13000);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
}

/* A filter's EAGAIN forgets which parts have arrived. */
static void a_filter_that_fails_once_repeats_no_part(void **state)
{
	struct lab *lab = *state;
	two_of_three(lab);
	lab_start(lab, FILTERED("later"));
	lab_wait(lab, 13000);
	lab_crash(lab);
	lab_start(lab, FILTERED("split"));
	lab_wait(lab, 13000);
	assert_int_equal(lab->sinks[0].n_held, 1);
}

/* All is delivered, but the newest segment never goes, and nothing fits beside it. */
static void a_large_segment_does_not_fill_the_store_for_good(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.max_size = 64 * 1024;
	lab->journal_options.segment_size = 8 * 1024;
	lab_start(lab, STRICT);
	lab->sinks[0].always = "ok";
	char *body = calloc(1, 40001);
	memset(body, 'x', 40000);
	lab_emit(lab, "a", body);
	lab_settle(lab);
	lab_wait(lab, 60000);
	for (int i = 0; i < 10; i++) {		/* a sender that comes back */
		lab_emit(lab, "b", body);
		lab_settle(lab);
		lab_wait(lab, 5000);
	}
	free(body);
	assert_non_null(strstr(lab->settled, "b:1 "));
}

/* The second that hangs gets no row once the first has one. */
static void passed(struct lab *lab)
{
	lab_start(lab, RELAXED);
	lab_emit(lab, "A", "hold");
	lab_settle(lab);
	lab_wait(lab, 900);
	lab_emit(lab, "B", "hold");
	lab_emit(lab, "C", "ok");
	lab_settle(lab);
	lab_wait(lab, 15000);
}

static void every_passed_delivery_gets_a_row(void **state)
{
	struct lab *lab = *state;
	passed(lab);
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	lab_wait(lab, 3000);
	assert_null(strstr(lab->sinks[0].seen, "C"));
}

static void every_passed_delivery_gets_a_row_at_a_stop(void **state)
{
	struct lab *lab = *state;
	passed(lab);
	lab_stop(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	lab_wait(lab, 3000);
	assert_null(strstr(lab->sinks[0].seen, "C"));
}

static struct journal_ops faulty;
static const struct journal_ops *sound;
static unsigned cursors;
static int get_fails(struct journal *j, uint64_t seq, struct buf *to)
{
	(void)j, (void)seq, (void)to;
	return -EMFILE;
}

static struct journal_cursor *count_cursor(struct journal *j, uint64_t seq)
{
	cursors++;
	return sound->cursor(j, seq);
}

static void break_get(struct lab *lab)
{
	sound = lab->env.journal->ops;
	faulty = *sound;
	faulty.get = get_fails;
	lab->env.journal->ops = &faulty;
}

static void mend(struct lab *lab)
{
	lab->env.journal->ops = sound;
}

/* No descriptor is free at the moment when it is due. */
static void a_straggler_that_could_not_be_read_is_read_later(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 100);
	break_get(lab);
	lab_wait(lab, 13000);
	mend(lab);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 3600 * 1000);
	assert_string_equal(lab->sinks[0].seen, "a/1 a/2 ");
}

/* Nor when the straggler's segment goes. */
static void a_segment_that_could_not_be_read_does_not_go(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.segment_size = 4096;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	for (int i = 0; i < 200; i++)
		lab_emit(lab, "b", "ok");
	break_get(lab);
	lab_wait(lab, 5000);
	mend(lab);
	lab->sinks[0].always = "ok";
	lab->sinks[0].seen[0] = '\0';
	lab_wait(lab, 60000);
	assert_string_equal(lab->sinks[0].seen, "a/2 ");
	assert_int_equal(lab->d->router.lost, 0);
}

/* Stragglers that are due are brought back with no regard for their size. */
static void stragglers_are_bounded_in_memory(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[sink s0]\nplugin = script_async\nretry = 10s, 10s\nbreaker_failures = 0\nmax_in_flight = 4\n[route r]\nto = s0\n");
	lab->sinks[0].always = "retry";
	size_t size = 200000;
	char *body = calloc(1, size + 1);
	memset(body, 'x', size);
	for (int i = 0; i < 200; i++) {
		lab_emit(lab, "a", body);
		lab_settle(lab);
	}
	free(body);
	lab_wait(lab, 2000);
	lab_wait(lab, 2000);
	struct lane *lane = lab_lane(lab, "r s0");
	assert_int_equal(lane->stragglers, 200);
	lab->sinks[0].always = "hold";
	lab_wait(lab, 13000);
	assert_true(lane->n_loose * size <= 8u << 20);
}

/* Two lanes behind at different places: how often is the journal sought? */
static void two_lanes_behind(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[sink s0]\nplugin = script_async\nmax_in_flight = 4\n"
		  "[sink s1]\nplugin = script_async\nmax_in_flight = 4\n"
		  "[route r]\nto = s0\n[route q]\nto = s1\n");
	lab->sinks[0].always = lab->sinks[1].always = "hold";
	for (int i = 0; i < 300; i++)
		lab_emit(lab, "a", "x");
	lab_settle(lab);
	for (int i = 0; i < 30; i++) {		/* one is ahead of the other */
		lab_answer(lab, 0, (size_t)i, PB_OK);
		lab_settle(lab);
	}
	sound = lab->env.journal->ops;
	faulty = *sound;
	faulty.cursor = count_cursor;
	lab->env.journal->ops = &faulty;
	cursors = 0;
	for (int i = 0; i < 100; i++) {
		lab_answer(lab, 0, (size_t)(30 + i), PB_OK);
		lab_settle(lab);
		lab_answer(lab, 1, (size_t)i, PB_OK);
		lab_settle(lab);
	}
	mend(lab);
	assert_true(cursors < 40);
}

/* Marks while nothing settles: how often is the state written? */
static void marks_are_saved_once_a_second(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "hold");
	lab->sinks[0].always = "hold";
	lab_settle(lab);
	lab_wait(lab, 3000);
	uint64_t before = lab->d->router.saves;
	for (int i = 0; i < 100; i++) {
		char at[16];
		snprintf(at, sizeof at, "%d", i);
		struct pb_mark mark = { "file", span_str(at) };
		assert_int_equal(feed_emit(lab->d->feeds[0], NULL, 0, &mark, NULL), 0);
		feed_commit(lab->d->feeds[0]);
		lab_wait(lab, 10);
	}
	assert_true(lab->d->router.saves - before <= 3);
}


#define BROKEN HEAD "[source bad]\nplugin = broken\n[sink s0]\nplugin = script_async\n[route r]\nto = s0\n"
#define OTHER_BROKEN HEAD "[source bad]\nplugin = broken\n[sink s1]\nplugin = script\n[route r]\nto = s1\n"

static void stop_is_called_only_when_open(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_stop(lab);
	lab_start_broken(lab, BROKEN);
}

static void a_start_that_fails_kills_no_stragglers(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_stop(lab);
	lab_start_broken(lab, OTHER_BROKEN);
	lab_start(lab, RELAXED);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 1);
}

static void a_clock_set_forward_expires_nothing(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_stop(lab);
	lab->clock.wall_ms += INT64_C(365) * 24 * 3600 * 1000;
	lab_start(lab, RELAXED);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 0);
}

static void a_strict_straggler_ends_in_sight(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_stop(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, HEAD "[sink s0]\nplugin = script\nretry = 10s, 10s\n[route r]\nevents = z\nto = s0\n");
	lab_wait(lab, INT64_C(10) * 24 * 3600 * 1000);
	struct lane *lane = lab_lane(lab, "r s0");
	assert_int_equal(lane->stragglers, 0);
}

/* A row may be ahead of the watermark after a crash. Once it is delivered, nothing but the watermark says so. */
static void a_straggler_ahead_of_the_watermark_is_not_repeated_long_after(void **state)
{
	struct lab *lab = *state;
	const char *ini = HEAD "[sink s0]\nplugin = script_async\nretry = 10s, 10s\n[route r]\nto = s0\n";
	lab_start(lab, ini);
	lab_emit(lab, "a", "hold");
	lab_emit(lab, "b", "retry");
	lab_wait(lab, 100);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	lab_crash(lab);
	lab->sinks[0].seen[0] = '\0';
	lab_start(lab, ini);
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/2 ");
	lab_wait(lab, 3000);
	lab_crash(lab);
	lab->sinks[0].seen[0] = '\0';
	lab_start(lab, ini);
	lab_wait(lab, 20000);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
}

/* A row whose event is gone is dropped once, however often rows are looked at until the disk knows. */
static void a_row_without_its_event_goes_once(void **state)
{
	struct lab *lab = *state;
	struct state_batch rows;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_wait(lab, 1000);
	struct lane *lane = lab_lane(lab, "r s0");
	batch_init(&rows);
	rows_put_straggler(&rows, (struct delivery_key){ lane->number, 0 }, &(struct straggler_row){
		.due_ms = router_wall(&lab->d->router) }, -1);
	assert_int_equal(state_apply(lab->env.state, &rows), 0);
	batch_free(&rows);
	lab_crash(lab);
	lab_start_only(lab, RELAXED);
	lane = lab_lane(lab, "r s0");
	assert_int_equal(lane->stragglers, 2);
	for (int i = 0; i < 5; i++) {
		stragglers_expect(lane, router_wall(&lab->d->router));
		clock_manual_advance(&lab->clock, 10);
		router_turn(&lab->d->router);
	}
	lab_wait(lab, 1000);
	assert_int_equal(lab->d->router.lost, 1);
	assert_int_equal(lane->stragglers, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(a_filter_that_fails_once_repeats_no_part),
		T(a_large_segment_does_not_fill_the_store_for_good),
		T(every_passed_delivery_gets_a_row), T(every_passed_delivery_gets_a_row_at_a_stop),
		T(a_straggler_that_could_not_be_read_is_read_later),
		T(a_segment_that_could_not_be_read_does_not_go),
		T(stragglers_are_bounded_in_memory),
		T(two_lanes_behind), T(marks_are_saved_once_a_second),
		T(stop_is_called_only_when_open), T(a_start_that_fails_kills_no_stragglers),
		T(a_clock_set_forward_expires_nothing), T(a_row_without_its_event_goes_once), T(a_strict_straggler_ends_in_sight),
		T(fewer_parts_after_a_restart),
		T(a_straggler_ahead_of_the_watermark_is_not_repeated_long_after),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
