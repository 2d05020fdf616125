/* test-verify.c - stores whose files are wrong in one way each: found, mended, and then right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/span.h"
#include "state/lock.h"
#include "state/records.h"
#include "state/repair.h"
#include "unit/state/store-lab.h"

static void a_whole_store_is_right(void **state)
{
	struct lab *lab = *state;
	store_expect(lab, WRONG_FLAW, 0);
	assert_int_equal(lab->notes, 0);
	assert_int_equal(store_mend(lab, false), 0);
}

static void what_is_there_is_seen(void **state)
{
	struct lab *lab = *state;
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	struct journal_segment s;
	char text[LANE_TEXT_SIZE];
	assert_non_null(in);
	assert_false(in->running);
	assert_int_equal(in->stat.segments, 3);
	assert_true(journal_segment_at(in->journal, 1, &s));
	assert_int_equal(s.first_seq, 3);
	assert_false(journal_segment_at(in->journal, 3, &s));
	struct inspect_lane *lane = inspect_lane(in, 2);
	assert_non_null(lane);
	assert_string_equal(inspect_lane_title(in, 2, text), "all out");
	assert_string_equal(inspect_lane_title(in, 9, text), "lane 9");
	assert_true(lane->saved);
	assert_int_equal(lane->watermark, 7);
	assert_int_equal(lane->stragglers, 1);
	assert_int_equal(lane->dead, 1);
	assert_int_equal(lane->next_due_ms, 500);
	struct pb_event *ev = inspect_event(in, 4);
	assert_string_equal(event_id(ev), "e4");
	event_unref(ev);
	assert_null(inspect_event(in, 7));
	inspect_close(in);
}

static void a_damaged_block_costs_its_events(void **state)
{
	struct lab *lab = *state;
	store_flip(lab, FIRST, 200);
	store_expect(lab, WRONG_FLAW, 1);
	assert_non_null(strstr(lab->texts, "events 1 to 2 are lost"));
	assert_null(strstr(lab->texts, "not yet past"));
	store_expect_mended(lab, 1);
	store_look(lab);
	assert_int_equal(lab->notes, 1);
	assert_non_null(strstr(lab->texts, "set aside as damaged/0000000000000001-0000000000000040.block"));
}

/* A row that needs it goes too; who had not passed it is named. */
static void a_damaged_block_that_is_needed(void **state)
{
	struct lab *lab = *state;
	rows_put_lane(&lab->batch, 2, 3);
	store_apply(lab);
	store_flip(lab, SECOND, 200);
	assert_int_equal(store_look(lab), 3);
	assert_int_equal(lab->found[WRONG_GONE], 2);
	assert_non_null(strstr(lab->texts, "events 3 to 4 are lost; not yet past them: 'all out'"));
	store_expect_mended(lab, 3);
}

static void a_damaged_header_is_written_anew(void **state)
{
	struct lab *lab = *state;
	store_flip(lab, FIRST, 30);
	store_expect(lab, WRONG_FLAW, 1);
	store_expect_mended(lab, 1);
}

static void a_file_that_is_no_segment_is_set_aside(void **state)
{
	struct lab *lab = *state;
	store_flip(lab, SECOND, 30);
	store_flip(lab, SECOND, 70);
	assert_int_equal(store_look(lab), 3);
	assert_int_equal(lab->found[WRONG_FLAW], 1);
	assert_int_equal(lab->found[WRONG_GONE], 2);
	store_expect_mended(lab, 4);
	assert_int_equal(access(store_part(lab, "journal/damaged/0000000000000002.seg"), F_OK), 0);
}

static void missing_segments_are_told(void **state)
{
	struct lab *lab = *state;
	unlink(store_part(lab, SECOND));
	assert_int_equal(store_look(lab), 3);
	assert_int_equal(lab->found[WRONG_GAP], 1);
	assert_non_null(strstr(lab->texts, "events 3 to 4 are lost"));
	store_expect_mended(lab, 3);
}

static void a_missing_beginning_is_told(void **state)
{
	struct lab *lab = *state;
	rows_put_lane(&lab->batch, 2, 2);
	store_apply(lab);
	unlink(store_part(lab, FIRST));
	store_expect(lab, WRONG_OLDEST, 1);
	store_expect_mended(lab, 1);
}

/* A start that ended before it had saved the state looks so. */
static void a_beginning_that_all_have_passed_may_be_gone(void **state)
{
	struct lab *lab = *state;
	unlink(store_part(lab, FIRST));
	assert_int_equal(store_look(lab), 0);
}

/* No number is given twice. */
static void a_missing_end_is_told(void **state)
{
	struct lab *lab = *state;
	unlink(store_part(lab, THIRD));
	store_expect(lab, WRONG_TIME, 1);
	store_expect_mended(lab, 1);
	struct journal *j = journal_open(store_part(lab, "journal"), &(struct journal_options){ .max_size = 0 },
					 &lab->error);
	struct journal_stat st;
	journal_stat(j, &st);
	assert_int_equal(st.next_seq, 7);
	journal_close(j);
}

static void a_torn_end_is_only_told(void **state)
{
	struct lab *lab = *state;
	FILE *f = fopen(store_part(lab, THIRD), "ab");
	fputs("what was being written", f);
	long size = ftell(f);
	fclose(f);
	store_expect(lab, WRONG_FLAW, 0);
	assert_int_equal(lab->notes, 1);
	assert_non_null(strstr(lab->texts, "cuts off 22 bytes"));
	f = fopen(store_part(lab, THIRD), "rb");
	fseek(f, 0, SEEK_END);
	assert_int_equal(ftell(f), size);
	fclose(f);
}

static void a_missing_journal_is_told(void **state)
{
	struct lab *lab = *state;
	unlink(store_part(lab, FIRST));
	unlink(store_part(lab, SECOND));
	unlink(store_part(lab, THIRD));
	store_look(lab);
	assert_int_equal(lab->found[WRONG_NO_JOURNAL], 1);
	assert_int_equal(store_mend(lab, false), 0);		/* it may come back */
}

static void a_missing_state_is_told(void **state)
{
	struct lab *lab = *state;
	unlink(store_part(lab, "state/data.mdb"));
	store_expect(lab, WRONG_NO_STATE, 1);
	assert_non_null(strstr(lab->texts, "events 1 to 6"));
	assert_int_equal(store_mend(lab, false), 0);
	assert_int_not_equal(access(store_part(lab, "state/data.mdb"), F_OK), 0);
}

static void no_store_is_no_store(void **state)
{
	struct lab *lab = *state;
	char nowhere[100];
	snprintf(nowhere, sizeof nowhere, "%s/nowhere", lab->folder);
	assert_null(inspect_open(nowhere, &lab->error));
	assert_int_equal(errno, ENOENT);
	struct repair repair = { .clock = &clock_system, .say = store_step, .arg = lab };
	assert_int_equal(repair_run(nowhere, &repair, &lab->error), -ENOENT);
	assert_int_not_equal(access(nowhere, F_OK), 0);
}

/* Pages that are not LMDB's end a process, but not ours. */
static void a_state_that_cannot_be_read_is_set_aside(void **state)
{
	struct lab *lab = *state;
	FILE *f = fopen(store_part(lab, "state/data.mdb"), "r+b");
	fseek(f, 8192, SEEK_SET);
	for (int i = 0; i < 40 * 4096; i++)
		fputc(0xff - i % 7, f);
	fclose(f);
	store_expect(lab, WRONG_STATE, 1);
	assert_int_equal(store_mend(lab, false), 1);
	assert_int_equal(access(store_part(lab, "state/damaged-1.mdb"), F_OK), 0);
	store_expect(lab, WRONG_NO_STATE, 1);
}

static void a_store_in_use_is_not_repaired(void **state)
{
	struct lab *lab = *state;
	int lock = store_lock(lab->folder, &lab->error);
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	assert_true(in->running);
	inspect_close(in);
	struct repair repair = { .clock = &clock_system, .say = store_step, .arg = lab };
	assert_int_equal(repair_run(lab->folder, &repair, &lab->error), -EBUSY);
	close(lock);
}

#define test(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_whole_store_is_right),
		test(what_is_there_is_seen),
		test(a_damaged_block_costs_its_events),
		test(a_damaged_block_that_is_needed),
		test(a_damaged_header_is_written_anew),
		test(a_file_that_is_no_segment_is_set_aside),
		test(missing_segments_are_told),
		test(a_missing_beginning_is_told),
		test(a_beginning_that_all_have_passed_may_be_gone),
		test(a_missing_end_is_told),
		test(a_torn_end_is_only_told),
		test(a_missing_journal_is_told),
		test(a_missing_state_is_told),
		test(no_store_is_no_store),
		test(a_state_that_cannot_be_read_is_set_aside),
		test(a_store_in_use_is_not_repaired),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
