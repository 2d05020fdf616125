/* test-space.c - what rows still need leaves the journal, in pieces, and the segment with it. */
#include "unit/dispatch/lab.h"

#include <stdlib.h>
#include <string.h>

#include "event/event.h"

#define INI "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n" \
	"[sink s0]\nplugin = script_async\nretry = 10s, 10s\n[route r]\nto = s0\n"
#define LETTERS 2000

static size_t segments(struct lab *lab)
{
	struct journal_stat st;
	journal_stat(lab->env.journal, &st);
	return st.segments;
}

static void answer_all(void *arg, struct pb_delivery *d)
{
	(void)arg;
	pb_answer(d, PB_REJECT, 0, (struct pb_span){ NULL, 0 }, "no");
}

static void fill_a_segment_with_letters(struct lab *lab)
{
	lab->journal_options.segment_size = 1 << 20;
	lab->given = answer_all;
	lab_start(lab, INI);
	char body[1024] = "";
	memset(body, 'x', sizeof body - 1);
	for (int i = 0; i < LETTERS; i++) {
		lab_emit(lab, "a", body);
		if (i % 50 == 0)
			lab_settle(lab);
	}
	lab_settle(lab);
}

static void check_letters(struct lab *lab)
{
	struct router *r = &lab->d->router;
	for (uint64_t seq = 1; seq <= LETTERS; seq++) {
		uint32_t rows = 0;
		struct pb_event *ev = space_event(r, seq);
		assert_non_null(ev);
		event_unref(ev);
		if (seq < r->kept_below) {
			assert_int_equal(rows_get_kept(lab->env.state, seq, &rows, NULL), 0);
			assert_int_equal(rows, 1);
		}
	}
}

/* The largest step by which `kept_below` moves while time passes. */
static uint64_t largest_step(struct lab *lab, int64_t ms)
{
	struct router *r = &lab->d->router;
	uint64_t largest = 0;
	for (; ms > 0; ms -= 5) {
		uint64_t before = r->kept_below;
		clock_manual_advance(&lab->clock, 5);
		router_turn(r);
		lab_step_all(lab);
		if (r->kept_below - before > largest)
			largest = r->kept_below - before;
	}
	return largest;
}

static void a_segments_letters_are_kept_in_pieces(void **state)
{
	struct lab *lab = *state;
	fill_a_segment_with_letters(lab);
	assert_int_equal(segments(lab), 3);
	assert_in_range(largest_step(lab, 5000), 1, 512);
	assert_int_equal(segments(lab), 1);
	assert_true(lab->d->router.kept_below > 1500);
	check_letters(lab);
}

static void a_crash_between_two_pieces_loses_and_leaks_nothing(void **state)
{
	struct lab *lab = *state;
	fill_a_segment_with_letters(lab);
	uint64_t reached = 0;
	for (int i = 0; i < 10; i++) {
		largest_step(lab, 5 * (i + 1));
		lab_crash(lab);
		lab_start_only(lab, INI);
		check_letters(lab);
		assert_true(lab->d->router.kept_below >= reached);
		reached = lab->d->router.kept_below;
		clock_manual_advance(&lab->clock, 1000);
	}
	largest_step(lab, 5000);
	check_letters(lab);
	assert_int_equal(segments(lab), 1);
	struct delivery_key key = { lab_lane(lab, "r s0")->number, 1 };
	for (; key.seq <= LETTERS; key.seq++) {
		struct dead_change c = { .keys = &key, .n = 1 };
		dead_change(&lab->d->router, &c);
		assert_int_equal(c.done, 1);
		if (key.seq % 100 == 0)
			lab_wait(lab, 50);
	}
	lab_wait(lab, 2000);
	for (uint64_t seq = 1; seq < lab->d->router.kept_below; seq++)
		assert_true(rows_get_kept(lab->env.state, seq, NULL, NULL) < 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(a_segments_letters_are_kept_in_pieces),
		T(a_crash_between_two_pieces_loses_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
