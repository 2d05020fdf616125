/* test-dead.c - dead letters found, replayed, purged and held to their quotas. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "dispatch/ask.h"
#include "event/event.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define SINK "[sink s0]\nplugin = script_async\nretry = 10s, 10s\n"
#define RELAXED HEAD SINK "[route r]\nto = s0\n"
#define STRICT HEAD SINK "order = strict\n[route r]\nto = s0\n"
#define OTHER HEAD "[sink s1]\nplugin = script\n[route r]\nto = s1\n"

/* "ROUTE SINK TYPE REASON, " for each that was found; a lane that is not configured has a "-" before it. */
struct list {
	char text[4096];
	struct delivery_key keys[DEAD_CHANGE_MAX];
	size_t n;
};

static void note(void *arg, const struct dead_letter *letter)
{
	struct list *l = arg;
	size_t len = strlen(l->text);
	snprintf(l->text + len, sizeof l->text - len, "%s%s %s %s %s, ", letter->configured ? "" : "-",
		 letter->route, letter->sink, letter->event != NULL ? event_type(letter->event) : "lost",
		 dead_reason_name(letter->row.reason));
	l->keys[l->n++] = letter->key;
}

static int at_once(struct inbox *in, struct inbox_call *call)
{
	(void)in;
	call->run(call);
	return 0;
}

/* All that fit, a few at a time. */
static struct list find(struct lab *lab, struct dead_filter filter, size_t most)
{
	struct list l = { .n = 0 };
	struct delivery_key at = { 0 };
	int more = 1;
	filter.events = true;
	while (more > 0)
		more = dead_find(&lab->d->router, at_once, &filter, &at, most, note, &l);
	assert_int_equal(more, 0);
	return l;
}

static struct dead_change change(struct lab *lab, bool replay)
{
	struct list l = find(lab, (struct dead_filter){ 0 }, 100);
	struct dead_change c = { .replay = replay, .keys = l.keys, .n = l.n };
	dead_change(&lab->d->router, &c);
	c.keys = NULL;
	return c;
}

/* Three dead letters of types a, b, c. */
static void three_die(struct lab *lab, const char *ini)
{
	lab_start(lab, ini);
	lab_emit(lab, "a", "reject");
	lab_emit(lab, "b", "reject");
	lab_emit(lab, "c", "reject");
	lab_settle(lab);
	lab_wait(lab, 100);
	lab->sinks[0].always = "ok";
	lab->sinks[0].seen[0] = '\0';
}

static void found_by_what_they_are(void **state)
{
	struct lab *lab = *state;
	three_die(lab, RELAXED);
	const struct { struct dead_filter filter; const char *found; } cases[] = {
		{ { 0 }, "r s0 a rejected, r s0 b rejected, r s0 c rejected, " },
		{ { .sink = "s0", .route = "r", .type = "b" }, "r s0 b rejected, " },
		{ { .type = "[ab]" }, "" },
		{ { .type = "?" , .reason = DEAD_REJECTED }, "r s0 a rejected, r s0 b rejected, r s0 c rejected, " },
		{ { .reason = DEAD_EXHAUSTED }, "" },
		{ { .id = "nobody" }, "" },
		{ { .since_ms = lab->clock.wall_ms }, "" },
		{ { .until_ms = lab->clock.wall_ms - 1000 }, "" },
		{ { .since_ms = lab->clock.wall_ms - 1000, .until_ms = lab->clock.wall_ms, .type = "a" },
		  "r s0 a rejected, " },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t most = 1; most < 5; most++)
			assert_string_equal(find(lab, cases[i].filter, most).text, cases[i].found);
	struct delivery_key at = { 0 };
	assert_int_equal(dead_find(&lab->d->router, at_once, &(struct dead_filter){ .sink = "s9" }, &at, 9,
				   note, NULL),
			 -ENOENT);
}

static void replayed_with_its_id_and_a_new_schedule(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab_wait(lab, 60000);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 1);
	assert_int_equal(change(lab, true).done, 1);
	assert_int_equal(change(lab, true).done, 0);	/* it is on its way */
	assert_int_equal(lab_lane(lab, "r s0")->dead, 0);
	lab_wait(lab, 100);
	assert_string_equal(lab->sinks[0].seen, "a/1 a/2 a/3 a/1 ");
	lab_wait(lab, 60000);
	assert_string_equal(lab->sinks[0].seen, "a/1 a/2 a/3 a/1 a/2 a/3 ");
	assert_int_equal(lab_lane(lab, "r s0")->dead, 1);
	lab->sinks[0].always = "ok";
	assert_int_equal(change(lab, true).done, 1);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 0);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 1);
	assert_string_equal(find(lab, (struct dead_filter){ 0 }, 9).text, "");
}

static void replayed_in_a_strict_lane_holds_nothing_back(void **state)
{
	struct lab *lab = *state;
	three_die(lab, STRICT);
	lab->sinks[0].always = "retry";
	assert_int_equal(change(lab, true).done, 3);
	lab_wait(lab, 100);
	lab->sinks[0].always = "ok";
	lab_emit(lab, "d", "ok");
	lab_wait(lab, 100);
	assert_non_null(strstr(lab->sinks[0].seen, "d/1"));
	lab_wait(lab, 13000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 4);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
}

/* Until it is on disk a crash undoes it; then it comes although the old row went. */
static void a_replay_survives_a_crash_once_it_is_saved(void **state)
{
	struct lab *lab = *state;
	three_die(lab, RELAXED);
	change(lab, true);
	lab_crash(lab);
	lab_start(lab, RELAXED);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 3);
	assert_string_equal(lab->sinks[0].seen, "");
	change(lab, true);
	for (int i = 0; i < 3; i++) {	/* the save, and no more */
		clock_manual_advance(&lab->clock, 6);
		router_turn(&lab->d->router);
		saver_step(&lab->d->router.saver);
	}
	lab_crash(lab);
	lab_start(lab, RELAXED);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 0);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 3);
}

/* The segments are gone, the events kept: a replay moves none of that, a purge gives it up. */
static void kept_events_go_with_their_last_row(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.segment_size = 4096;
	three_die(lab, RELAXED);
	uint64_t seq = find(lab, (struct dead_filter){ 0 }, 9).keys[0].seq;
	for (int i = 0; i < 200; i++)
		lab_emit(lab, "x", "ok");
	lab_wait(lab, 5000);
	uint32_t rows = 0;
	assert_int_equal(rows_get_kept(lab->env.state, seq, &rows, NULL), 0);
	lab->sinks[0].always = "reject";
	change(lab, true);
	lab_wait(lab, 100);
	assert_int_equal(rows_get_kept(lab->env.state, seq, &rows, NULL), 0);
	assert_int_equal(rows, 1);
	assert_string_equal(find(lab, (struct dead_filter){ .type = "a" }, 9).text, "r s0 a rejected, ");
	assert_int_equal(change(lab, false).done, 3);
	lab_wait(lab, 100);
	assert_int_equal(rows_get_kept(lab->env.state, seq, &rows, NULL), -ENOENT);
	assert_int_equal(lab_lane(lab, "r s0")->dead, 0);
	assert_int_equal(lab_lane(lab, "r s0")->purged, 3);
}

static void of_a_lane_that_is_gone(void **state)
{
	struct lab *lab = *state;
	three_die(lab, RELAXED);
	lab_stop(lab);
	lab_start(lab, OTHER);
	assert_string_equal(find(lab, (struct dead_filter){ .sink = "s0", .type = "a" }, 1).text,
			    "-r s0 a rejected, ");
	struct dead_change c = change(lab, true);
	assert_int_equal(c.done, 0);
	assert_int_equal(c.removed, 3);
	lab_stop(lab);
	lab_start(lab, RELAXED);
	assert_int_equal(change(lab, true).done, 3);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 3);
	lab_stop(lab);
}

static void purged_of_a_lane_that_is_gone(void **state)
{
	struct lab *lab = *state;
	three_die(lab, RELAXED);
	lab_stop(lab);
	lab_start(lab, OTHER);
	assert_int_equal(change(lab, false).done, 3);
	lab_wait(lab, 100);
	assert_string_equal(find(lab, (struct dead_filter){ 0 }, 9).text, "");
}

/* Its lane has not passed it: after a crash it would be met again as if it were new. */
static void not_before_its_lane_has_passed_it(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "slow", "hold");
	lab_emit(lab, "a", "reject");
	lab_settle(lab);
	lab_wait(lab, 100);
	assert_int_equal(change(lab, false).waiting, 1);
	lab_wait(lab, 3000);
	assert_int_equal(change(lab, false).done, 1);
}

static void only_what_is_missing_is_replayed(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[filter f]\nplugin = shape\nmode = split\n" SINK "[route r]\nfilters = f\nto = s0\n");
	lab_emit(lab, "a", "hold");
	lab_settle(lab);
	lab_answer(lab, 0, 0, PB_OK);
	lab_answer(lab, 0, 1, PB_REJECT);
	lab_answer(lab, 0, 2, PB_OK);
	lab_settle(lab);
	lab_wait(lab, 100);
	lab->sinks[0].n_held = 0;
	assert_int_equal(change(lab, true).done, 1);
	lab_wait(lab, 100);
	assert_int_equal(lab->sinks[0].n_held, 1);
	assert_string_equal(pb_event_id(pb_delivery_event(lab->sinks[0].held[0])) + 36, "~2");
}

static void more_than_dead_max_are_purged(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD SINK "dead_max = 2\n[route r]\nto = s0\n[route q]\nto = s0\n");
	for (int i = 0; i < 300; i++)
		lab_emit(lab, i < 299 ? "old" : "new", "reject");
	lab_settle(lab);
	lab_wait(lab, 1000);
	struct list l = find(lab, (struct dead_filter){ 0 }, 100);
	assert_string_equal(l.text, "r s0 new rejected, q s0 new rejected, ");
	assert_int_equal(lab_lane(lab, "r s0")->dead + lab_lane(lab, "q s0")->dead, 2);
	assert_int_equal(lab_lane(lab, "r s0")->purged, 299);
}

static void older_than_dead_keep_are_purged(void **state)
{
	struct lab *lab = *state;
	three_die(lab, HEAD SINK "dead_keep = 1h\n[route r]\nto = s0\n");
	lab_wait(lab, 1800 * 1000);
	lab->sinks[0].always = "reject";
	lab_emit(lab, "young", "ok");
	lab_settle(lab);
	lab_wait(lab, 100);
	assert_int_equal(find(lab, (struct dead_filter){ 0 }, 9).n, 4);
	lab_wait(lab, 1805 * 1000);
	lab_wait(lab, 100);
	assert_string_equal(find(lab, (struct dead_filter){ 0 }, 9).text, "r s0 young rejected, ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(found_by_what_they_are), T(replayed_with_its_id_and_a_new_schedule),
		T(replayed_in_a_strict_lane_holds_nothing_back),
		T(a_replay_survives_a_crash_once_it_is_saved), T(kept_events_go_with_their_last_row),
		T(of_a_lane_that_is_gone), T(purged_of_a_lane_that_is_gone),
		T(not_before_its_lane_has_passed_it), T(only_what_is_missing_is_replayed),
		T(more_than_dead_max_are_purged), T(older_than_dead_keep_are_purged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
