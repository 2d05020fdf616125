/* test-engine.c - an event's whole way under a clock that the test moves. */
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

static void accepted_and_delivered(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab_emit(lab, "a", "ok");
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_string_equal(lab->settled, "a:1 b:1 ");
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	assert_int_equal(lane_watermark(lab_lane(lab, "r s0")), lab->d->router.next);
}

static void nothing_repeats_after_a_clean_stop(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab_emit(lab, "a", "ok");
	lab_stop(lab);
	lab_start(lab, STRICT);
	assert_string_equal(lab->sinks[0].seen, "");
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "b/1 ");
}

/* Idle for a moment, the daemon has saved what was answered; what is in flight at the crash comes again. */
static void a_crash_repeats_what_was_in_flight(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "ok");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_emit(lab, "b", "hold");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	assert_string_equal(lab->sinks[0].seen, "b/1 ");
}

/* Progress travels in the next block, so that a crash before any save repeats nothing long delivered. */
static void watermarks_ride_in_blocks(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	for (int i = 0; i < 20; i++) {
		lab_emit(lab, "a", "ok");
		lab_settle(lab);
	}
	lab_emit(lab, "last", "ok");
	lab_crash(lab);
	lab_start(lab, STRICT);
	assert_string_equal(lab->sinks[0].seen, "last/1 ");
}

static void relaxed_lets_others_pass(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	lab_wait(lab, 100);
	struct lane *lane = lab_lane(lab, "r s0");
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	assert_int_equal(lane->stragglers, 1);
	assert_int_equal(lane_watermark(lane), lab->d->router.next);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 a/2 ");
	lab_wait(lab, 100);
	assert_int_equal(lane->stragglers, 0);
	assert_int_equal(lane->n_loose, 0);
}

static void strict_waits_in_place(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab_emit(lab, "a", "retry");
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	lab_wait(lab, 5000);
	assert_null(strstr(lab->sinks[0].seen, "b/1 a/2"));
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	assert_non_null(strstr(lab->sinks[0].seen, "a/2 "));
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
	assert_int_equal(lane_watermark(lab_lane(lab, "r s0")), lab->d->router.next);
}

static void exhausted_is_dead_with_its_reason(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 60000);
	assert_string_equal(lab->sinks[0].seen, "a/1 a/2 a/3 ");
	assert_int_equal(lab_lane(lab, "r s0")->dead, 1);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
}

static void a_straggler_survives_a_crash(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	assert_string_equal(lab->sinks[0].seen, "");
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 1);
	lab_wait(lab, 13000);
	assert_string_equal(lab->sinks[0].seen, "a/2 ");
}

/* A clock set back by a year does not make it wait for one. */
static void waits_survive_a_clock_that_jumps(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_stop(lab);
	lab->clock.wall_ms -= INT64_C(365) * 24 * 3600 * 1000;
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	lab_wait(lab, 13000);
	assert_string_equal(lab->sinks[0].seen, "a/2 ");
}

static void rejected_is_dead_at_once(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "reject");
	lab_settle(lab);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 1);
	lab_wait(lab, 60000);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
}

static void down_holds_and_probes(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab->sinks[0].always = "down";
	for (int i = 0; i < 8; i++)
		lab_emit(lab, "a", "ok");
	lab_settle(lab);
	assert_int_equal(lab->d->router.outlets[0]->breaker.state, BREAKER_OPEN);
	size_t before = strlen(lab->sinks[0].seen);
	lab_wait(lab, 10000);
	/* After 1, 2 and 4 s: one probe each, and no attempt is burnt. */
	assert_int_equal(strlen(lab->sinks[0].seen) - before, 3 * strlen("a/1 "));
	lab->sinks[0].always = "ok";
	lab_wait(lab, 10000);
	assert_int_equal(lab->d->router.outlets[0]->breaker.state, BREAKER_CLOSED);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 8);
	assert_null(strstr(lab->sinks[0].seen, "a/2"));
}

static void untried_comes_again_but_not_at_once(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab->sinks[0].always = "untried";
	lab_emit(lab, "a", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
	lab->sinks[0].always = NULL;
	lab_wait(lab, 2000);
	assert_string_equal(lab->sinks[0].seen, "a/1 a/1 ");
}

/* The window is full of what hangs: the lane falls behind, and later catches up, in order, each once. */
static void behind_and_caught_up(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[sink s0]\nplugin = script_async\nmax_in_flight = 4\norder = strict\n[route r]\nto = s0\n");
	char type[16], expected[8192] = "";
	for (int i = 0; i < 500; i++) {
		snprintf(type, sizeof type, "t%d", i);
		lab_emit(lab, type, i == 0 ? "hold" : "ok");
		snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s/1 ", type);
		lab_settle(lab);
	}
	assert_false(lab_lane(lab, "r s0")->live);
	assert_true(lab_lane(lab, "r s0")->count < 50);
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, expected);
	assert_true(lab_lane(lab, "r s0")->live);
}

/* One hangs, others pass: it gets a row, so that a crash repeats only it. */
static void an_aged_delivery_lets_the_watermark_pass(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "slow", "hold");
	for (int i = 0; i < 20; i++)
		lab_emit(lab, "a", "ok");
	lab_settle(lab);
	lab_wait(lab, 3000);
	assert_int_equal(lane_watermark(lab_lane(lab, "r s0")), lab->d->router.next);
	assert_int_equal(lab_lane(lab, "r s0")->n_loose, 1);
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	lab_wait(lab, 2000);
	assert_string_equal(lab->sinks[0].seen, "slow/1 ");
}

static void an_aged_delivery_is_answered_after_all(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "slow", "hold");
	lab_emit(lab, "a", "ok");
	lab_settle(lab);
	lab_wait(lab, 3000);
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	lab_wait(lab, 5000);
	assert_string_equal(lab->sinks[0].seen, "slow/1 a/1 ");
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
	assert_int_equal(lab_lane(lab, "r s0")->n_loose, 0);
}

#define FILTERED(mode) HEAD "[filter f]\nplugin = shape\nmode = " mode "\n" \
	"[sink s0]\nplugin = script_async\nretry = 10s\n[route r]\nfilters = f\nto = s0\n"

static void filters_drop_split_and_fail(void **state)
{
	static const struct { const char *ini, *seen; int dead; } cases[] = {
		{ FILTERED("pass"), "a/1 ", 0 },
		{ FILTERED("drop"), "", 0 },
		{ FILTERED("split"), "a/1 a/1 a/1 ", 0 },
		{ FILTERED("fail"), "", 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct lab *lab = lab_new();
		lab_start(lab, cases[i].ini);
		lab_emit(lab, "a", "ok");
		lab_settle(lab);
		lab_wait(lab, 100);
		assert_string_equal(lab->sinks[0].seen, cases[i].seen);
		assert_int_equal(lab_lane(lab, "r s0")->dead, cases[i].dead);
		assert_int_equal(lane_watermark(lab_lane(lab, "r s0")), lab->d->router.next);
		lab_free(lab);
	}
}

static void only_the_missing_part_is_sent_again(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, FILTERED("split"));
	lab_emit(lab, "a", "hold");
	lab_settle(lab);
	assert_int_equal(lab->sinks[0].n_held, 3);
	assert_string_equal(pb_event_id(pb_delivery_event(lab->sinks[0].held[1])) + 36, "~2");
	lab_answer(lab, 0, 0, PB_OK);
	lab_answer(lab, 0, 1, PB_RETRY);
	lab_answer(lab, 0, 2, PB_OK);
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_crash(lab);
	lab_start(lab, FILTERED("split"));
	lab_wait(lab, 13000);
	assert_int_equal(lab->sinks[0].n_held, 1);
	assert_string_equal(pb_event_id(pb_delivery_event(lab->sinks[0].held[0])) + 36, "~2");
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
}

/* The segment of a straggler goes; its event is kept until it is delivered, and then gone. */
static void segments_go_and_stragglers_stay(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.segment_size = 4096;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	uint64_t seq = lab->d->router.next;
	lab_settle(lab);
	for (int i = 0; i < 200; i++)
		lab_emit(lab, "b", "ok");
	lab_wait(lab, 5000);
	struct journal_stat stat;
	journal_stat(lab->env.journal, &stat);
	assert_true(stat.first_seq > seq);
	uint32_t rows;
	assert_int_equal(rows_get_kept(lab->env.state, seq, &rows, NULL), 0);
	assert_int_equal(rows, 1);
	lab->sinks[0].always = "ok";
	lab->sinks[0].seen[0] = '\0';
	lab_wait(lab, 13000);
	assert_string_equal(lab->sinks[0].seen, "a/2 ");
	lab_wait(lab, 100);
	assert_int_equal(rows_get_kept(lab->env.state, seq, &rows, NULL), -ENOENT);
}

/* Dead letters of a lane that is no longer configured keep their events too. */
static void removed_lanes_keep_their_events(void **state)
{
	struct lab *lab = *state;
	const char *other = HEAD "[sink s1]\nplugin = script\n[route r]\nto = s1\n";
	lab->journal_options.segment_size = 4096;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "reject");
	uint64_t seq = lab->d->router.next;
	lab_settle(lab);
	lab_wait(lab, 100);
	lab_stop(lab);
	lab_start(lab, other);
	for (int i = 0; i < 200; i++)
		lab_emit(lab, "b", "ok");
	lab_wait(lab, 5000);
	struct journal_stat stat;
	journal_stat(lab->env.journal, &stat);
	assert_true(stat.first_seq > seq);
	uint32_t rows = 0;
	assert_int_equal(rows_get_kept(lab->env.state, seq, &rows, NULL), 0);
	assert_int_equal(rows, 1);
}

/* Very many pass one that hangs: it does not take a second until the watermark passes it. */
static void many_pass_one_that_hangs(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "slow", "hold");
	for (int i = 0; i < 300; i++) {
		lab_emit(lab, "a", "ok");
		lab_settle(lab);
	}
	lab_wait(lab, 100);
	assert_int_equal(lane_watermark(lab_lane(lab, "r s0")), lab->d->router.next);
}

static void a_full_store_refuses_and_goes_on(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab_emit(lab, "a", "ok");
	journal_disk_room(lab->journal_disk, 0);
	lab_emit(lab, "b", "ok");
	journal_disk_room(lab->journal_disk, UINT64_MAX);
	lab_emit(lab, "c", "ok");
	lab_settle(lab);
	assert_string_equal(lab->settled, "a:1 b:3 c:1 ");
	assert_string_equal(lab->sinks[0].seen, "a/1 c/1 ");
}

static void a_removed_lane_leaves_dead_letters(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 100);
	uint32_t number = lab_lane(lab, "r s0")->number;
	lab_stop(lab);
	lab_start(lab, HEAD "[sink s1]\nplugin = script\n[route r]\nto = s1\n");
	lab_wait(lab, 100);
	uint64_t at;
	assert_int_equal(rows_get_lane(lab->env.state, number, &at), -ENOENT);
	assert_string_equal(lab->sinks[1].seen, "");
	lab_stop(lab);
	lab_start(lab, RELAXED);
	assert_int_equal(lab_lane(lab, "r s0")->number, number);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 1);
}

static void marks_are_restored(void **state)
{
	struct lab *lab = *state;
	char value[16];
	lab_start(lab, STRICT);
	struct pb_mark mark = { "file", span_str("100") };
	assert_int_equal(feed_emit(lab->d->feeds[0], NULL, 0, &mark, NULL), 0);
	feed_commit(lab->d->feeds[0]);
	assert_int_equal(feed_restore(lab->d->feeds[0], "file", value, sizeof value), 3);
	assert_int_equal(feed_restore(lab->d->feeds[0], "file", value, 2), -ERANGE);
	lab_crash(lab);
	lab_start(lab, STRICT);
	assert_int_equal(feed_restore(lab->d->feeds[0], "file", value, sizeof value), 3);
	assert_memory_equal(value, "100", 3);
	mark.value = SPAN_NONE;
	assert_int_equal(feed_emit(lab->d->feeds[0], NULL, 0, &mark, NULL), 0);
	feed_commit(lab->d->feeds[0]);
	lab_stop(lab);
	lab_start(lab, STRICT);
	assert_int_equal(feed_restore(lab->d->feeds[0], "file", value, sizeof value), -ENOENT);
}

static void set_mark(struct feed *f, const char *key, struct pb_span value)
{
	struct pb_mark mark = { key, value };
	assert_int_equal(feed_emit(f, NULL, 0, &mark, (void *)"m"), 0);
	feed_commit(f);
}

/* They are in memory: what names ever new ones is refused, and what removes them goes on. */
static void marks_have_their_limit(void **state)
{
	struct lab *lab = *state;
	char value[16], key[16];
	lab_start(lab, HEAD "max_marks = 3\n[sink s0]\nplugin = script\n[route r]\nfrom = in\nto = s0\n");
	struct feed *f = lab->d->feeds[0];
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "%d", i);
		set_mark(f, key, span_str("x"));
		assert_int_equal(feed_restore(f, key, value, sizeof value), i < 3 ? 1 : -ENOENT);
	}
	assert_string_equal(lab->settled, "m:1 m:1 m:1 m:3 m:3 m:3 m:3 m:3 m:3 m:3 ");
	lab->settled[0] = '\0';
	set_mark(f, "2", span_str("yy"));	/* one that it has */
	for (int i = 0; i < 10; i++) {
		set_mark(f, i == 0 ? "1" : key, SPAN_NONE);
		lab_wait(lab, 5000);
		snprintf(key, sizeof key, "new %d", i);
		set_mark(f, key, span_str("z"));
		assert_int_equal(feed_restore(f, key, value, sizeof value), 1);
	}
	assert_int_equal(feed_restore(f, "2", value, sizeof value), 2);
	assert_null(strchr(lab->settled, '3'));
}

static void routes_choose_by_type_and_source(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[source other]\nplugin = drive\n[sink s0]\nplugin = script\n"
		  "[sink s1]\nplugin = script\n[route r]\nfrom = in\nevents = report_*, x\nto = s0\n"
		  "[route q]\nfrom = other\nto = s1\n");
	lab_emit(lab, "report_run", "ok");
	lab_emit(lab, "y", "ok");
	lab_emit(lab, "x", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "report_run/1 x/1 ");
	assert_string_equal(lab->sinks[1].seen, "");
	assert_int_equal(lab->d->router.unrouted, 1);
}

/* More than may be kept in memory is committed before the router comes to it. */
static void the_router_falls_behind_the_sources(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	char *body = calloc(1, 100001);
	memset(body, 'x', 100000);
	lab->sinks[0].always = "ok";
	for (int i = 0; i < 40; i++)
		lab_emit(lab, "big", body);
	free(body);
	assert_true(lab->d->router.inbox.bytes <= lab->env.memory);
	lab_settle(lab);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 40);
	assert_true(lab_lane(lab, "r s0")->live);
}

#define ALARMED HEAD "[sink s0]\nplugin = script_async\nretry = 10s\n[route r]\nto = s0\n" \
	"[sink s1]\nplugin = script\n[route alarms]\nfrom = patchbay\nto = s1\n"

static void it_tells_of_itself(void **state)
{
	struct lab *lab = *state;
	lab->sinks[1].always = "ok";
	lab_start(lab, ALARMED);
	lab_emit(lab, "a", "reject");
	lab_settle(lab);
	lab_wait(lab, 100);
	assert_string_equal(lab->sinks[1].seen, "patchbay.delivery.dead/1 ");
	lab->sinks[0].always = "down";
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 3000);
	assert_string_equal(lab->sinks[1].seen,
			    "patchbay.delivery.dead/1 patchbay.sink.down/1 patchbay.sink.up/1 ");
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 b/1 ");
}

/* A dead alarm is not told of: it would be the next, and so on for ever. */
static void alarms_do_not_cause_themselves(void **state)
{
	struct lab *lab = *state;
	lab->sinks[1].always = "reject";
	lab_start(lab, ALARMED);
	lab_emit(lab, "a", "reject");
	lab_settle(lab);
	lab_wait(lab, 10000);
	assert_string_equal(lab->sinks[1].seen, "patchbay.delivery.dead/1 ");
	assert_int_equal(lab_lane(lab, "alarms s1")->dead, 1);
}

static void alarms_are_bounded(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, ALARMED);
	for (int i = 0; i < 2 * ALARMS_MAX; i++)
		alarms_tell(&lab->d->alarms, "patchbay.test", 0, "i", "\"x\"", NULL);
	assert_int_equal(lab->d->alarms.n, ALARMS_MAX);
	assert_int_equal(lab->d->alarms.lost, ALARMS_MAX);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(accepted_and_delivered), T(nothing_repeats_after_a_clean_stop),
		T(a_crash_repeats_what_was_in_flight), T(watermarks_ride_in_blocks),
		T(relaxed_lets_others_pass), T(strict_waits_in_place),
		T(exhausted_is_dead_with_its_reason), T(a_straggler_survives_a_crash),
		T(waits_survive_a_clock_that_jumps), T(rejected_is_dead_at_once),
		T(down_holds_and_probes), T(untried_comes_again_but_not_at_once), T(behind_and_caught_up),
		T(an_aged_delivery_lets_the_watermark_pass), T(an_aged_delivery_is_answered_after_all),
		T(filters_drop_split_and_fail), T(only_the_missing_part_is_sent_again),
		T(it_tells_of_itself), T(alarms_do_not_cause_themselves), T(alarms_are_bounded),
		T(removed_lanes_keep_their_events), T(many_pass_one_that_hangs),
		T(segments_go_and_stragglers_stay), T(a_full_store_refuses_and_goes_on),
		T(a_removed_lane_leaves_dead_letters), T(marks_are_restored), T(marks_have_their_limit),
		T(routes_choose_by_type_and_source), T(the_router_falls_behind_the_sources),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
