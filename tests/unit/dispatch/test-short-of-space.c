/* test-short-of-space.c - a start without space for the state, or without the state; what may go at once then. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define STRICT HEAD "[sink s0]\nplugin = script\nretry = 10s, 10s\n[route r]\nto = s0\n"
#define RELAXED HEAD "[sink s0]\nplugin = script_async\nretry = 10s, 10s\n[route r]\nto = s0\n"
#define TWO STRICT "[sink s1]\nplugin = script_async\n[route q]\nto = s1\n"

static struct journal_ops never_trims;

static int trim_nothing(struct journal *j, uint64_t seq, struct journal_pos pos)
{
	(void)j, (void)seq, (void)pos;
	return 0;
}

/* The segments that may go stay, as after a crash just before. */
static void keep_segments(struct lab *lab)
{
	never_trims = *lab->env.journal->ops;
	never_trims.trim = trim_nothing;
	lab->env.journal->ops = &never_trims;
}

static size_t segments(struct lab *lab)
{
	struct journal_stat st;
	journal_stat(lab->env.journal, &st);
	return st.segments;
}

static void emit_many(struct lab *lab, const char *type, const char *answer, int n)
{
	for (int i = 0; i < n; i++) {
		lab_emit(lab, type, answer);
		lab_settle(lab);
	}
}

static void a_start_goes_on_without_space_for_the_state(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "hold");
	lab_settle(lab);
	lab_crash(lab);
	state_disk_full(lab->state_disk, true);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	lab_emit(lab, "b", "ok");
	lab_wait(lab, 5000);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	assert_string_equal(lab->settled, "a:1 b:1 ");
	assert_int_equal(lab->d->router.saves, 1);	/* it waits */
	state_disk_full(lab->state_disk, false);
	lab_wait(lab, 5000);
	assert_true(lab->d->router.saves > 1);
	lab_stop(lab);
	lab->sinks[0].seen[0] = '\0';
	lab_start(lab, RELAXED);
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "");
}

/* Its numbers would stand in the journal, and after a crash be another's; and it could pass over what came in meanwhile. */
static void nothing_new_begins_without_space_for_the_state(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	lab_stop(lab);
	state_disk_full(lab->state_disk, true);
	assert_false(lab_try_start(lab, TWO));
	state_disk_full(lab->state_disk, false);
	lab_start(lab, TWO);
}

static void a_removed_lanes_events_stay_until_its_rows_are_saved(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.segment_size = 4096;
	lab_start(lab, TWO);
	lab->sinks[0].always = "ok";
	lab->sinks[1].always = "retry";
	lab_emit(lab, "a", "");
	lab_settle(lab);
	lab->sinks[1].always = "ok";
	emit_many(lab, "b", "a body that makes it longer", 100);
	lab_wait(lab, 900);
	lab_crash(lab);
	state_disk_full(lab->state_disk, true);
	lab_start_only(lab, STRICT);
	clock_manual_advance(&lab->clock, 2000);	/* opening took long: segments are looked at before the first save */
	lab_settle(lab);
	state_disk_full(lab->state_disk, false);
	lab_wait(lab, 5000);
	assert_true(segments(lab) <= 2);
	struct buf event = BUF_INIT(BUF_MAX);
	uint32_t rows = 0;
	assert_int_equal(rows_get_kept(lab->env.state, 1, &rows, &event), 0);
	assert_int_equal(rows, 1);
	buf_free(&event);
}

static void what_the_state_needs_no_more_goes_at_start(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.segment_size = 4096;
	lab_start(lab, STRICT);
	keep_segments(lab);
	emit_many(lab, "a", "ok", 200);
	lab_wait(lab, 3000);
	size_t before = segments(lab);
	assert_true(before > 4);
	lab_crash(lab);
	state_disk_full(lab->state_disk, true);
	lab_start(lab, STRICT);
	assert_true(segments(lab) <= 2);
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_non_null(strstr(lab->sinks[0].seen, "b/1 "));
}

static void what_a_straggler_needs_stays_at_start(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.segment_size = 4096;
	lab_start(lab, RELAXED);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	emit_many(lab, "b", "ok", 200);
	lab_wait(lab, 900);
	lab_crash(lab);
	state_disk_full(lab->state_disk, true);
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	lab_wait(lab, 15000);
	assert_non_null(strstr(lab->sinks[0].seen, "a/2 "));
	assert_int_equal(lab->d->router.lost, 0);
}

/* Another folder, a disk that was replaced: the journal is there and nobody knows how far each lane was. */
static void a_lost_state_repeats_and_loses_nothing(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, TWO);
	lab_emit(lab, "a", "ok");
	lab_settle(lab);
	lab_emit(lab, "b", "ok");	/* and watermarks in the journal */
	lab_emit(lab, "c", "retry");
	lab_settle(lab);
	lab_crash(lab);
	state_disk_free(lab->state_disk);
	lab->state_disk = state_disk_new();
	lab->sinks[0].always = lab->sinks[1].always = "ok";
	lab_start(lab, TWO);
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 c/1 ");
	assert_string_equal(lab->sinks[1].seen, "a/1 b/1 c/1 ");
	lab_stop(lab);
	lab_start(lab, TWO);
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "");
}

static void too_large_for_a_block_fails_its_unit(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, STRICT);
	struct feed *f = lab->d->feeds[0];
	size_t limit = f->open.records.limit;
	f->open.records.limit = f->closed.records.limit = 500;
	struct pb_mark mark = { "file", span_str("at") };
	char key[400];
	memset(key, 'k', sizeof key);
	key[sizeof key - 1] = '\0';
	struct pb_mark long_mark = { key, span_str("at") };
	assert_int_equal(feed_emit(f, NULL, 0, &mark, (void *)"one"), 0);
	assert_int_equal(feed_commit(f), 0);
	assert_int_equal(feed_emit(f, NULL, 0, &mark, (void *)"two"), 0);
	assert_int_equal(feed_emit(f, NULL, 0, &long_mark, (void *)"three"), 0);
	long_mark.key++;
	assert_int_equal(feed_emit(f, NULL, 0, &long_mark, (void *)"four"), 0);
	assert_int_equal(feed_commit(f), 0);
	f->open.records.limit = f->closed.records.limit = limit;
	assert_int_equal(feed_emit(f, NULL, 0, &mark, (void *)"five"), 0);
	assert_int_equal(feed_commit(f), 0);
	assert_string_equal(lab->settled, "one:1 two:3 three:3 four:3 five:1 ");
}

static void put_mark(struct lab *lab, const char *key, const char *value)
{
	struct pb_mark mark = { key, value != NULL ? span_str(value) : SPAN_NONE };
	assert_int_equal(feed_emit(lab->d->feeds[0], NULL, 0, &mark, NULL), 0);
	feed_commit(lab->d->feeds[0]);
}

/* Else its source would store again what is in the journal. */
static void a_start_without_space_for_the_state_knows_the_journals_marks(void **state)
{
	struct lab *lab = *state;
	char at[8] = "";
	lab_start(lab, STRICT);
	put_mark(lab, "file", "1");
	put_mark(lab, "other", "1");
	lab_wait(lab, 2000);
	put_mark(lab, "file", "2");
	put_mark(lab, "other", NULL);
	lab_crash(lab);
	state_disk_full(lab->state_disk, true);
	lab_start(lab, STRICT);
	assert_int_equal(feed_restore(lab->d->feeds[0], "file", at, sizeof at), 1);
	assert_string_equal(at, "2");
	assert_int_equal(feed_restore(lab->d->feeds[0], "other", at, sizeof at), -ENOENT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(a_start_goes_on_without_space_for_the_state),
		T(nothing_new_begins_without_space_for_the_state),
		T(a_start_without_space_for_the_state_knows_the_journals_marks),
		T(a_removed_lanes_events_stay_until_its_rows_are_saved),
		T(what_the_state_needs_no_more_goes_at_start), T(what_a_straggler_needs_stays_at_start),
		T(a_lost_state_repeats_and_loses_nothing), T(too_large_for_a_block_fails_its_unit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
