/* test-verify.c - stores that are wrong in one way each: found, mended, and then right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/span.h"
#include "event/codec.h"
#include "state/lock.h"
#include "state/records.h"
#include "state/repair.h"
#include "state/verify.h"

#define WRONGS (WRONG_NO_DUE + 1)

struct lab {
	char folder[64], part[256];
	struct pb_error error;
	struct state_batch batch;
	unsigned found[WRONGS], notes, steps;
	char texts[8000];
};

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static const char *part(struct lab *lab, const char *name)
{
	snprintf(lab->part, sizeof lab->part, "%s/%s", lab->folder, name);
	return lab->part;
}

static void add_event(struct buf *to, unsigned n)
{
	char id[16];
	struct pb_event *ev = event_new(span_str("{\"some\":\"body\"}"), 1000);
	snprintf(id, sizeof id, "e%u", n);
	event_set(ev, "id", id);
	event_set(ev, "type", "t");
	event_set(ev, "source", "s");
	size_t begun = record_begin(to, RECORD_EVENT);
	codec_pack(to, ev);
	record_end(to, begun);
	event_unref(ev);
}

/* Blocks of two events, of which each fills a segment: 1 and 2, 3 and 4, 5 and 6. Each says that lane 2 is past what is before. */
static void make_journal(struct lab *lab)
{
	struct journal *j = journal_open(part(lab, "journal"), &(struct journal_options){ .segment_size = 100 },
					 &lab->error);
	assert_non_null(j);
	for (unsigned n = 1; n < 7; n += 2) {
		struct buf records = BUF_INIT(10000);
		uint64_t seq;
		add_event(&records, n);
		add_event(&records, n + 1);
		size_t begun = record_begin(&records, RECORD_WATERMARK);
		watermarks_add(&records, &(struct watermark){ 2, n });
		record_end(&records, begun);
		assert_int_equal(journal_append(j, &(struct pb_span){ records.data, records.len }, 1, 2, &seq), 0);
		assert_int_equal(seq, n);
		buf_free(&records);
	}
	journal_close(j);
}

static void apply(struct lab *lab)
{
	struct state *s = state_open(part(lab, "state"), 1 << 20, &lab->error);
	assert_non_null(s);
	assert_int_equal(state_apply(s, &lab->batch), 0);
	state_close(s);
	batch_reset(&lab->batch);
}

static const struct straggler_row waiting = { .attempts = 1, .first_ms = 5, .due_ms = 500 };
static const struct dead_row rejected = { .reason = DEAD_REJECTED, .attempts = 1, .dead_ms = 9 };
static const struct meta_row meta = {
	.applied_seq = 7, .applied = { 4, 64 }, .kept_below = 1, .clean = true, .node = "n",
};

/* Lane 2 is past all: 3 waits, 4 is dead. Nothing is wrong. */
static void make_state(struct lab *lab)
{
	struct state_batch *b = &lab->batch;
	rows_put_meta(b, &meta);
	rows_put_name(b, &(struct name_row){ NAME_SOURCE, 1, "in" });
	rows_put_name(b, &(struct name_row){ NAME_LANE, 2, "all out" });
	rows_put_name(b, &(struct name_row){ NAME_SINK, 3, "out" });
	rows_put_lane(b, 2, 7);
	rows_put_straggler(b, (struct delivery_key){ 2, 3 }, &waiting, -1);
	rows_put_dead(b, (struct delivery_key){ 2, 4 }, &rejected);
	apply(lab);
}

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);
	snprintf(lab->folder, sizeof lab->folder, "/tmp/patchbay-verify-XXXXXX");
	assert_non_null(mkdtemp(lab->folder));
	error_init(&lab->error);
	batch_init(&lab->batch);
	make_journal(lab);
	make_state(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;
	batch_free(&lab->batch);
	error_free(&lab->error);
	nftw(lab->folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
	free(lab);
	return 0;
}

static void add_text(struct lab *lab, const char *text)
{
	strncat(lab->texts, text, sizeof lab->texts - strlen(lab->texts) - 2);
	strncat(lab->texts, "\n", 2);
}

static void on_wrong(void *arg, const struct finding *f)
{
	struct lab *lab = arg;
	lab->found[f->wrong]++;
	add_text(lab, f->text);
	add_text(lab, f->means);
}

static void on_note(void *arg, const char *text)
{
	struct lab *lab = arg;
	lab->notes++;
	add_text(lab, text);
}

static void on_step(void *arg, const char *text)
{
	struct lab *lab = arg;
	lab->steps++;
	add_text(lab, text);
}

static int64_t look(struct lab *lab)
{
	memset(lab->found, 0, sizeof lab->found);
	lab->notes = 0;
	lab->texts[0] = '\0';
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	if (in == NULL)
		print_error("%s\n", error_text(&lab->error));
	assert_non_null(in);
	int64_t found = verify_run(in, &(struct verify){ .wrong = on_wrong, .note = on_note, .arg = lab });
	inspect_close(in);
	return found;
}

static void expect(struct lab *lab, enum wrong wrong, unsigned n)
{
	int64_t found = look(lab);
	if (found != n || lab->found[wrong] != n)
		print_error("%s", lab->texts);
	assert_int_equal(found, n);
	assert_int_equal(lab->found[wrong], n);
}

static int64_t mend(struct lab *lab, bool dry_run)
{
	lab->steps = 0;
	lab->texts[0] = '\0';
	struct repair repair = { .dry_run = dry_run, .clock = &clock_system, .say = on_step, .arg = lab };
	int64_t done = repair_run(lab->folder, &repair, &lab->error);
	if (done < 0)
		print_error("%s\n", error_text(&lab->error));
	return done;
}

/* A dry run changes nothing; then it is mended. */
static void expect_mended(struct lab *lab, int64_t steps)
{
	int64_t before = look(lab);
	assert_true(mend(lab, true) > 0);
	assert_int_equal(look(lab), before);
	int64_t done = mend(lab, false);
	if (done != steps)
		print_error("%s", lab->texts);
	assert_int_equal(done, steps);
	if (look(lab) != 0)
		print_error("%s", lab->texts);
	assert_int_equal(look(lab), 0);
	assert_int_equal(mend(lab, false), 0);
}

static void flip(struct lab *lab, const char *name, long at)
{
	FILE *f = fopen(part(lab, name), "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	int c = fgetc(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	fputc(c ^ 4, f);
	fclose(f);
}

/* In all its places: old pages may still have it. */
static void flip_text(struct lab *lab, const char *name, const char *text)
{
	static char data[1 << 20];
	FILE *f = fopen(part(lab, name), "rb");
	size_t len = fread(data, 1, sizeof data, f);
	fclose(f);
	const char *at = data;
	unsigned n = 0;
	while ((at = memmem(at, len - (size_t)(at - data), text, strlen(text))) != NULL) {
		flip(lab, name, at - data + 1);
		at++;
		n++;
	}
	assert_true(n > 0);
}

#define FIRST "journal/0000000000000001.seg"
#define SECOND "journal/0000000000000002.seg"
#define THIRD "journal/0000000000000003.seg"

static void a_whole_store_is_right(void **state)
{
	struct lab *lab = *state;
	expect(lab, WRONG_FLAW, 0);
	assert_int_equal(lab->notes, 0);
	assert_int_equal(mend(lab, false), 0);
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
	flip(lab, FIRST, 200);
	expect(lab, WRONG_FLAW, 1);
	assert_non_null(strstr(lab->texts, "events 1 to 2 are lost"));
	assert_null(strstr(lab->texts, "not yet past"));
	expect_mended(lab, 1);
	look(lab);
	assert_int_equal(lab->notes, 1);
	assert_non_null(strstr(lab->texts, "set aside as damaged/0000000000000001-0000000000000040.block"));
}

/* A row that needs it goes too; who had not passed it is named. */
static void a_damaged_block_that_is_needed(void **state)
{
	struct lab *lab = *state;
	rows_put_lane(&lab->batch, 2, 3);
	apply(lab);
	flip(lab, SECOND, 200);
	assert_int_equal(look(lab), 3);
	assert_int_equal(lab->found[WRONG_GONE], 2);
	assert_non_null(strstr(lab->texts, "events 3 to 4 are lost; not yet past them: 'all out'"));
	expect_mended(lab, 3);
}

static void a_damaged_header_is_written_anew(void **state)
{
	struct lab *lab = *state;
	flip(lab, FIRST, 30);
	expect(lab, WRONG_FLAW, 1);
	expect_mended(lab, 1);
}

static void a_file_that_is_no_segment_is_set_aside(void **state)
{
	struct lab *lab = *state;
	flip(lab, SECOND, 30);
	flip(lab, SECOND, 70);
	assert_int_equal(look(lab), 3);
	assert_int_equal(lab->found[WRONG_FLAW], 1);
	assert_int_equal(lab->found[WRONG_GONE], 2);
	expect_mended(lab, 4);
	assert_int_equal(access(part(lab, "journal/damaged/0000000000000002.seg"), F_OK), 0);
}

static void missing_segments_are_told(void **state)
{
	struct lab *lab = *state;
	unlink(part(lab, SECOND));
	assert_int_equal(look(lab), 3);
	assert_int_equal(lab->found[WRONG_GAP], 1);
	assert_non_null(strstr(lab->texts, "events 3 to 4 are lost"));
	expect_mended(lab, 3);
}

static void a_missing_beginning_is_told(void **state)
{
	struct lab *lab = *state;
	rows_put_lane(&lab->batch, 2, 2);
	apply(lab);
	unlink(part(lab, FIRST));
	expect(lab, WRONG_OLDEST, 1);
	expect_mended(lab, 1);
}

/* A start that ended before it had saved the state looks so. */
static void a_beginning_that_all_have_passed_may_be_gone(void **state)
{
	struct lab *lab = *state;
	unlink(part(lab, FIRST));
	assert_int_equal(look(lab), 0);
}

/* No number is given twice. */
static void a_missing_end_is_told(void **state)
{
	struct lab *lab = *state;
	unlink(part(lab, THIRD));
	expect(lab, WRONG_TIME, 1);
	expect_mended(lab, 1);
	struct journal *j = journal_open(part(lab, "journal"), &(struct journal_options){ .max_size = 0 },
					 &lab->error);
	struct journal_stat st;
	journal_stat(j, &st);
	assert_int_equal(st.next_seq, 7);
	journal_close(j);
}

static void a_torn_end_is_only_told(void **state)
{
	struct lab *lab = *state;
	FILE *f = fopen(part(lab, THIRD), "ab");
	fputs("what was being written", f);
	long size = ftell(f);
	fclose(f);
	expect(lab, WRONG_FLAW, 0);
	assert_int_equal(lab->notes, 1);
	assert_non_null(strstr(lab->texts, "cuts off 22 bytes"));
	f = fopen(part(lab, THIRD), "rb");
	fseek(f, 0, SEEK_END);
	assert_int_equal(ftell(f), size);
	fclose(f);
}

static void a_missing_journal_is_told(void **state)
{
	struct lab *lab = *state;
	unlink(part(lab, FIRST));
	unlink(part(lab, SECOND));
	unlink(part(lab, THIRD));
	look(lab);
	assert_int_equal(lab->found[WRONG_NO_JOURNAL], 1);
	assert_int_equal(mend(lab, false), 0);		/* it may come back */
}

static void a_missing_state_is_told(void **state)
{
	struct lab *lab = *state;
	unlink(part(lab, "state/data.mdb"));
	expect(lab, WRONG_NO_STATE, 1);
	assert_non_null(strstr(lab->texts, "events 1 to 6"));
	assert_int_equal(mend(lab, false), 0);
	assert_int_not_equal(access(part(lab, "state/data.mdb"), F_OK), 0);
}

static void no_store_is_no_store(void **state)
{
	struct lab *lab = *state;
	char nowhere[100];
	snprintf(nowhere, sizeof nowhere, "%s/nowhere", lab->folder);
	assert_null(inspect_open(nowhere, &lab->error));
	assert_int_equal(errno, ENOENT);
	struct repair repair = { .clock = &clock_system, .say = on_step, .arg = lab };
	assert_int_equal(repair_run(nowhere, &repair, &lab->error), -ENOENT);
	assert_int_not_equal(access(nowhere, F_OK), 0);
}

/* Pages that are not LMDB's end a process, but not ours. */
static void a_state_that_cannot_be_read_is_set_aside(void **state)
{
	struct lab *lab = *state;
	FILE *f = fopen(part(lab, "state/data.mdb"), "r+b");
	fseek(f, 8192, SEEK_SET);
	for (int i = 0; i < 40 * 4096; i++)
		fputc(0xff - i % 7, f);
	fclose(f);
	expect(lab, WRONG_STATE, 1);
	assert_int_equal(mend(lab, false), 1);
	assert_int_equal(access(part(lab, "state/damaged-1.mdb"), F_OK), 0);
	expect(lab, WRONG_NO_STATE, 1);
}

static void rows_that_contradict(void **state)
{
	struct lab *lab = *state;
	rows_put_dead(&lab->batch, (struct delivery_key){ 2, 3 }, &rejected);
	apply(lab);
	expect(lab, WRONG_TWICE, 1);
	expect_mended(lab, 1);
	rows_put_straggler(&lab->batch, (struct delivery_key){ 2, 70 }, &waiting, -1);
	apply(lab);
	expect(lab, WRONG_FUTURE, 1);
	expect_mended(lab, 1);
	rows_put_lane(&lab->batch, 2, 9);
	apply(lab);
	expect(lab, WRONG_LANE, 1);
	expect_mended(lab, 1);
}

static void rows_without_a_name(void **state)
{
	struct lab *lab = *state;
	rows_put_lane(&lab->batch, 8, 3);
	rows_put_straggler(&lab->batch, (struct delivery_key){ 8, 5 }, &waiting, -1);
	rows_put_dead(&lab->batch, (struct delivery_key){ 8, 6 }, &rejected);
	apply(lab);
	expect(lab, WRONG_NAMELESS, 3);
	expect_mended(lab, 3);
}

static void due_rows_are_as_the_stragglers(void **state)
{
	struct lab *lab = *state;
	rows_put_due(&lab->batch, (struct delivery_key){ 2, 4 }, 100);
	rows_put_due(&lab->batch, (struct delivery_key){ 2, 3 }, 100);
	rows_put_due(&lab->batch, (struct delivery_key){ 9, 3 }, 500);
	apply(lab);
	expect(lab, WRONG_DUE, 3);
	expect_mended(lab, 3);
	rows_del_due(&lab->batch, (struct delivery_key){ 2, 3 }, 500);
	apply(lab);
	expect(lab, WRONG_NO_DUE, 1);
	expect_mended(lab, 1);
}

/* 3 and 4 are needed by a row each; 1 and 2 by none. */
static void kept_counts_are_the_rows(void **state)
{
	struct lab *lab = *state;
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	for (uint64_t seq = 2; seq < 5; seq++) {
		struct buf bytes = BUF_INIT(10000);
		assert_int_equal(inspect_event_bytes(in, seq, &bytes), 0);
		rows_put_kept(&lab->batch, seq, seq == 4 ? 1 : 2, buf_span(&bytes));
		buf_free(&bytes);
	}
	inspect_close(in);
	apply(lab);
	expect(lab, WRONG_KEPT, 2);
	expect_mended(lab, 2);
	unlink(part(lab, FIRST));
	unlink(part(lab, SECOND));
	struct meta_row later = meta;
	later.kept_below = 5;
	rows_put_meta(&lab->batch, &later);
	apply(lab);
	expect(lab, WRONG_GONE, 0);
	rows_del_kept(&lab->batch, 4);
	apply(lab);
	expect(lab, WRONG_GONE, 1);
	expect_mended(lab, 1);
}

/* One in each table that can be told by its text. */
static void damaged_rows_are_made_again(void **state)
{
	struct lab *lab = *state;
	struct straggler_row straggler = waiting;
	struct dead_row dead = rejected;
	straggler.error = span_str("text of a straggler");
	dead.error = span_str("text of a dead letter");
	rows_put_straggler(&lab->batch, (struct delivery_key){ 2, 5 }, &straggler, -1);
	rows_put_dead(&lab->batch, (struct delivery_key){ 2, 6 }, &dead);
	rows_put_mark(&lab->batch, 1, span_str("file"), (struct journal_pos){ 1, 64 }, span_str("text of a mark"));
	apply(lab);
	expect(lab, WRONG_DAMAGE, 0);
	flip_text(lab, "state/data.mdb", "text of a");
	assert_int_equal(look(lab), 4);
	assert_int_equal(lab->found[WRONG_DAMAGE], 3);
	assert_int_equal(lab->found[WRONG_DUE], 1);
	expect_mended(lab, 4);
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	assert_int_equal(in->n_rows, 4);
	assert_int_equal(in->n_marks, 0);
	inspect_close(in);
}

/* The state's own row says what it was of; what is lost with it is made good from the journal. */
static void a_damaged_meta_row_is_made_again(void **state)
{
	struct lab *lab = *state;
	struct meta_row named = meta;
	snprintf(named.node, sizeof named.node, "the node's name");
	rows_put_meta(&lab->batch, &named);
	apply(lab);
	flip_text(lab, "state/data.mdb", "the node's name");
	expect(lab, WRONG_DAMAGE, 1);
	expect_mended(lab, 1);
}

/* By a batch that bypasses nothing but the checksum: what LMDB gives back is another row's. */
static void flip_lane(struct lab *lab)
{
	static const char value[] = "\x07\0\0\0\0\0\0\0";
	static char data[1 << 20];
	FILE *f = fopen(part(lab, "state/data.mdb"), "rb");
	size_t len = fread(data, 1, sizeof data, f);
	fclose(f);
	static const char key[] = "\0\0\0\2";
	for (size_t i = 0; i + 16 < len; i++)
		if (memcmp(data + i, key, 4) == 0 && memcmp(data + i + 8, value, 8) == 0)
			flip(lab, "state/data.mdb", (long)i + 9);
}

/* The journal's blocks say how far it was. */
static void a_damaged_watermark_is_taken_from_the_journal(void **state)
{
	struct lab *lab = *state;
	flip_lane(lab);
	expect(lab, WRONG_DAMAGE, 1);
	expect_mended(lab, 1);
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	assert_true(in->lanes[0].saved);
	assert_int_equal(in->lanes[0].watermark, 5);
	inspect_close(in);
}

static void a_store_in_use_is_not_repaired(void **state)
{
	struct lab *lab = *state;
	int lock = store_lock(lab->folder, &lab->error);
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	assert_true(in->running);
	inspect_close(in);
	struct repair repair = { .clock = &clock_system, .say = on_step, .arg = lab };
	assert_int_equal(repair_run(lab->folder, &repair, &lab->error), -EBUSY);
	close(lock);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		test(rows_that_contradict),
		test(rows_without_a_name),
		test(due_rows_are_as_the_stragglers),
		test(kept_counts_are_the_rows),
		test(damaged_rows_are_made_again),
		test(a_damaged_meta_row_is_made_again),
		test(a_damaged_watermark_is_taken_from_the_journal),
		test(a_store_in_use_is_not_repaired),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
