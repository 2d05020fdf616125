/* test-replay.c - what is delivered stays in the journal for a while, and is delivered again. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/span.h"
#include "dispatch/replay.h"
#include "event/event.h"

#define HEAD(core) "[patchbay]\nstate = /nowhere\n" core "[source in]\nplugin = drive\n"
#define SINK(n) "[sink s" #n "]\nplugin = script_async\nretry = 10s, 10s, 10s\n"
#define ROUTE(n) "[route r" #n "]\nto = s" #n "\n"
#define INI(core) HEAD(core) SINK(0) ROUTE(0)
#define NONE INI("")
#define AGE INI("keep = 1h\n")
#define SIZE INI("keep = 1MiB\n")
#define TWO HEAD("keep = 1h\n") SINK(0) SINK(1) ROUTE(0) "[route r1]\nto = s1\nevents = b\n"
#define STRICT HEAD("keep = 1h\n") SINK(0) "order = strict\n" ROUTE(0)
#define MINUTE INT64_C(60000)

static int set_up(void **state)
{
	struct lab *lab = *state = lab_new();
	lab->journal_options.segment_size = 128 << 10;
	return 0;
}

static struct journal_stat journal(struct lab *lab)
{
	struct journal_stat st;
	journal_stat(lab->env.journal, &st);
	return st;
}

static void answer_ok(void *arg, struct pb_delivery *d)
{
	(void)arg;
	pb_answer(d, PB_OK, 0, SPAN_NONE, NULL);
}

/* So many KiB of events that are delivered at once. */
static void fill(struct lab *lab, int kib)
{
	char body[1024] = "";
	memset(body, 'x', sizeof body - 1);
	lab->given = answer_ok;
	for (int i = 0; i < kib; i++) {
		lab_emit(lab, "a", body);
		if (i % 20 == 0)
			lab_settle(lab);
	}
	lab_settle(lab);
	lab->given = NULL;
}

/* As a thread would call the router, and waits for it. */
static int call_and_wait(struct inbox *in, struct inbox_call *call)
{
	struct router *r = CONTAINER_OF(in, struct router, inbox);
	struct clock_manual *manual = CONTAINER_OF((struct clock *)r->clock, struct clock_manual, clock);
	call->run(call);
	while (call->later && !call->done)
		lab_wait(CONTAINER_OF(manual, struct lab, clock), 10);
	return 0;
}

static struct replay_page replay(struct lab *lab, struct replay_filter filter)
{
	struct replay_page page = { .more = true };
	if (filter.sink == NULL)
		filter.sink = "s0";
	for (uint64_t at = 0; page.more; at = page.at) {
		assert_int_equal(replay_run(&lab->d->router, call_and_wait, &filter, &page), 0);
		assert_true(page.at > at || !page.more);
	}
	lab_wait(lab, 1000);
	return page;
}

static void nothing_is_kept_unless_asked(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, NONE);
	fill(lab, 1000);
	lab_wait(lab, 5000);
	assert_true(journal(lab).segments <= 2);
}

static void kept_by_age(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, AGE);
	fill(lab, 1000);
	size_t all = journal(lab).segments;
	assert_true(all > 6);
	lab_wait(lab, 30 * MINUTE);
	fill(lab, 200);
	lab_stop(lab);
	lab_start(lab, AGE);
	lab_wait(lab, 20 * MINUTE);
	lab_crash(lab);
	lab_start(lab, AGE);
	assert_true(journal(lab).segments >= all);
	lab_wait(lab, 11 * MINUTE);
	lab_wait(lab, 20000);
	assert_true(journal(lab).segments <= 4);
	assert_true(journal(lab).segments >= 2);
	lab_wait(lab, 30 * MINUTE);
	lab_wait(lab, 20000);
	assert_int_equal(journal(lab).segments, 1);
}

static void a_clock_set_back_keeps_no_longer_than_the_run(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, AGE);
	fill(lab, 500);
	lab_stop(lab);
	lab->clock.wall_ms -= 1000 * MINUTE;
	lab_start(lab, AGE);
	fill(lab, 200);
	size_t all = journal(lab).segments;
	lab_wait(lab, 59 * MINUTE);
	assert_int_equal(journal(lab).segments, all);
	lab_wait(lab, 2 * MINUTE);
	assert_int_equal(journal(lab).segments, 1);
}

static void kept_by_size(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, SIZE);
	fill(lab, 3000);
	lab_wait(lab, 20000);
	assert_in_range(journal(lab).bytes, 768 << 10, 1024 << 10);
	lab_stop(lab);
	lab_start(lab, SIZE);
	lab_wait(lab, 5000);
	assert_in_range(journal(lab).bytes, 768 << 10, 1024 << 10);
}

static void the_first_to_yield(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.max_size = 1 << 20;
	lab_start(lab, AGE);
	for (int i = 0; i < 60; i++) {
		fill(lab, 60);
		lab_wait(lab, 2000);
		assert_true(journal(lab).bytes <= 820 << 10);
	}
	assert_int_equal(lab->d->feeds[0]->refused, 0);
	assert_true(journal(lab).segments > 2);
	lab->d->router.max_size = 0;		/* then when it is full */
	fill(lab, 1000);
	assert_true(lab->d->feeds[0]->refused > 0);
	lab_wait(lab, 20000);
	lab_emit(lab, "a", "ok");
	fill(lab, 200);
	assert_true(lab->d->feeds[0]->accepted > 3800);
}

static void delivered_again(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, TWO);
	lab_emit(lab, "a", "ok");
	lab_wait(lab, MINUTE);
	int64_t second = router_wall(&lab->d->router);
	lab_emit(lab, "b", "ok");
	char id[64];
	memcpy(id, lab->first_id, sizeof id);
	lab_wait(lab, MINUTE);
	int64_t third = router_wall(&lab->d->router);
	lab_emit(lab, "c", "ok");
	lab_wait(lab, 5000);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 c/1 ");
	struct { struct replay_filter filter; uint64_t done; const char *seen; } cases[] = {
		{ { .since_ms = 1 }, 3, "a/1 b/1 c/1 " },
		{ { .since_ms = second }, 2, "b/1 c/1 " },
		{ { .since_ms = second, .until_ms = third }, 1, "b/1 " },
		{ { .until_ms = second }, 1, "a/1 " },
		{ { .type = "d*" }, 0, "" },
		{ { .type = "c*" }, 1, "c/1 " },
		{ { .id = id, .route = "r0" }, 1, "b/1 " },
		{ { .sink = "s1" }, 1, "" },
		{ { .dry = true }, 0, "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		lab->sinks[0].seen[0] = '\0';
		struct replay_page page = replay(lab, cases[i].filter);
		assert_int_equal(page.done, cases[i].done);
		assert_int_equal(page.found, cases[i].filter.dry ? 3 : cases[i].done);
		assert_int_equal(page.oldest_ms, second - MINUTE);
		assert_string_equal(lab->sinks[0].seen, cases[i].seen);
	}
	assert_string_equal(lab->sinks[1].seen, "b/1 b/1 ");
	assert_int_equal(lab_lane(lab, "r0 s0")->stragglers, 0);
	struct replay_page page = { .at = 0 };
	assert_int_equal(replay_run(&lab->d->router, call_and_wait, &(struct replay_filter){ .sink = "s2" }, &page),
			 -ENOENT);
	assert_int_equal(replay_run(&lab->d->router, call_and_wait,
				    &(struct replay_filter){ .sink = "s1", .route = "r0" }, &page), -ESRCH);
}

static void what_is_not_settled_is_left_out(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, AGE);
	lab_emit(lab, "a", "ok");
	lab_emit(lab, "b", "reject");
	lab_emit(lab, "c", "retry");
	lab_emit(lab, "d", "hold");
	lab_settle(lab);
	struct replay_page page = replay(lab, (struct replay_filter){ .dry = true });
	assert_int_equal(page.found, 4);
	lab_wait(lab, 5000);		/* one that hangs has a row by now */
	page = replay(lab, (struct replay_filter){ .dry = false });
	assert_int_equal(page.found, 4);
	assert_int_equal(page.done, 1);
	assert_int_equal(page.rows + page.under_way, 3);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 c/1 d/1 a/1 ");
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
}

static void before_the_watermark_only(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab_emit(lab, "a", "ok");
	lab_emit(lab, "b", "hold");
	lab_emit(lab, "c", "ok");
	lab_wait(lab, 1000);
	struct replay_page page = replay(lab, (struct replay_filter){ 0 });
	assert_int_equal(page.done, 1);
	assert_int_equal(page.under_way, 2);
	lab_answer(lab, 0, 0, PB_OK);
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 a/1 c/1 ");
}

static void a_replay_twice_at_once_is_one(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, AGE);
	lab_emit(lab, "a", "ok");
	lab_wait(lab, 1000);
	lab->sinks[0].always = "retry";
	struct replay_page first = replay(lab, (struct replay_filter){ 0 });
	struct replay_page second = replay(lab, (struct replay_filter){ 0 });
	assert_int_equal(first.done, 1);
	assert_int_equal(second.done, 0);
	assert_int_equal(second.rows, 1);
}

static void its_event_outlives_the_segment(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, AGE);
	lab_emit(lab, "first", "ok");
	fill(lab, 500);
	lab_wait(lab, 30 * MINUTE);
	lab->sinks[0].always = "hold";
	struct replay_page page = replay(lab, (struct replay_filter){ .type = "first" });
	assert_int_equal(page.done, 1);
	lab_wait(lab, 40 * MINUTE);
	assert_int_equal(journal(lab).segments, 1);
	uint32_t rows;
	assert_int_equal(rows_get_kept(lab->env.state, 1, &rows, NULL), 0);
	assert_int_equal(rows, 1);
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, AGE);
	lab_wait(lab, 5000);
	assert_string_equal(lab->sinks[0].seen, "first/1 ");
	assert_int_equal(rows_get_kept(lab->env.state, 1, &rows, NULL), -ENOENT);
}

/* The rows of a replay may not be counted before they are on disk. */
static void a_segment_waits_for_rows_that_need_it(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, AGE);
	fill(lab, 500);
	lab_emit(lab, "last", "ok");
	lab_wait(lab, 59 * MINUTE + 30000);
	lab->sinks[0].always = "retry";
	struct replay_page page = { .more = true };
	struct replay_filter filter = { .sink = "s0" };
	for (int i = 0; page.more; i++) {	/* the time passes while it goes on */
		clock_manual_advance(&lab->clock, 10000);
		replay_run(&lab->d->router, call_and_wait, &filter, &page);
	}
	lab_wait(lab, 5000);
	assert_true(page.done > 256);
	lab_wait(lab, 8000);
	assert_int_equal(lab->d->router.lost, 0);
	lab->sinks[0].always = "ok";
	lab_wait(lab, MINUTE);
	assert_int_equal(lab_lane(lab, "r0 s0")->stragglers, 0);
	assert_int_equal(lab->d->router.lost, 0);
	assert_int_equal(lab_lane(lab, "r0 s0")->resent, page.done);
}

static void on_disk_when_it_returns(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, AGE);
	lab_emit(lab, "a", "ok");
	lab_wait(lab, 5000);
	lab->sinks[0].always = "hold";
	replay(lab, (struct replay_filter){ 0 });
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, AGE);
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, lab_teardown)
		T(nothing_is_kept_unless_asked),
		T(kept_by_age),
		T(a_clock_set_back_keeps_no_longer_than_the_run),
		T(kept_by_size),
		T(the_first_to_yield),
		T(delivered_again),
		T(what_is_not_settled_is_left_out),
		T(before_the_watermark_only),
		T(a_replay_twice_at_once_is_one),
		T(its_event_outlives_the_segment),
		T(a_segment_waits_for_rows_that_need_it),
		T(on_disk_when_it_returns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
