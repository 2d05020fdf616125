/* test-contract.c - what state.h and rows.h say, held against each implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "state/rows.h"
#include "state/simulated.h"
#include "state/state.h"

struct lab {
	bool simulated;
	char folder[64];
	struct state_disk *disk;
	struct state *s;
	struct state_batch batch;
};

static void lab_open(struct lab *lab)
{
	struct pb_error error;
	error_init(&error);
	lab->s = lab->simulated ? state_simulated(lab->disk) : state_open(lab->folder, 1 << 20, &error);
	if (lab->s == NULL)
		print_error("%s\n", error_text(&error));
	assert_non_null(lab->s);
	error_free(&error);
}

static int setup(void **state, bool simulated)
{
	struct lab *lab = calloc(1, sizeof *lab);
	lab->simulated = simulated;
	lab->disk = state_disk_new();
	snprintf(lab->folder, sizeof lab->folder, "/tmp/patchbay-state-XXXXXX");
	assert_non_null(mkdtemp(lab->folder));
	lab_open(lab);
	batch_init(&lab->batch);
	*state = lab;
	return 0;
}

static int setup_lmdb(void **state)
{
	return setup(state, false);
}

static int setup_simulated(void **state)
{
	return setup(state, true);
}

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct lab *lab = *state;
	batch_free(&lab->batch);
	state_close(lab->s);
	state_disk_free(lab->disk);
	nftw(lab->folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
	free(lab);
	return 0;
}

/* Apply the batch and begin it anew; then what was read must have come from the disk. */
static void save(struct lab *lab)
{
	assert_int_equal(state_apply(lab->s, &lab->batch), 0);
	batch_reset(&lab->batch);
	state_close(lab->s);
	lab_open(lab);
}

static void put(struct lab *lab, const char *key, const char *value)
{
	batch_put(&lab->batch, STATE_SEEN, span_str(key), span_str(value));
}

static void expect(struct lab *lab, const char *key, const char *value)
{
	struct buf got = BUF_INIT(1 << 20);
	int r = state_get(lab->s, STATE_SEEN, span_str(key), &got);
	assert_int_equal(r, value == NULL ? -ENOENT : 0);
	assert_true(value == NULL || span_is(buf_span(&got), value));
	buf_free(&got);
}

static void later_ops_win(void **state)
{
	struct lab *lab = *state;
	put(lab, "a", "1");
	put(lab, "b", "2");
	put(lab, "a", "3");
	batch_del(&lab->batch, STATE_SEEN, span_str("b"));
	batch_del(&lab->batch, STATE_SEEN, span_str("never there"));
	save(lab);
	expect(lab, "a", "3");
	expect(lab, "b", NULL);
	put(lab, "a", "");
	save(lab);
	struct buf got = BUF_INIT(1 << 20);
	assert_int_equal(state_get(lab->s, STATE_SEEN, span_str("a"), &got), 0);
	assert_int_equal(got.len, 0);
	buf_free(&got);
}

struct walk {
	unsigned n, stop_after;
	uint32_t last;
};

static bool count_row(void *arg, struct pb_span key, struct pb_span value)
{
	struct walk *w = arg;
	char text[16];
	snprintf(text, sizeof text, "%.*s", (int)key.len, (const char *)key.data);
	uint32_t number = (uint32_t)strtoul(text, NULL, 10);
	assert_true(w->n == 0 || number > w->last);
	assert_int_equal(value.len, number % 50);
	w->last = number;
	return ++w->n != w->stop_after;
}

/* More rows than one read transaction hands out. */
static void scan_goes_in_order_from_a_key(void **state)
{
	struct lab *lab = *state;
	char key[16], value[64] = "";
	for (unsigned i = 0; i < 3000; i++) {
		unsigned number = i * 7919 % 3000;
		snprintf(key, sizeof key, "%06u", number);
		batch_put(&lab->batch, STATE_SEEN, span_str(key), span_of(value, number % 50));
	}
	save(lab);
	static const struct { const char *from; unsigned stop_after, n, last; } cases[] = {
		{ NULL, 0, 3000, 2999 }, { "000000", 0, 3000, 2999 }, { "002990", 0, 10, 2999 },
		{ "002989x", 0, 10, 2999 }, { "000100", 700, 700, 799 }, { "003000", 0, 0, 0 },
		{ NULL, 1, 1, 0 }, { NULL, 256, 256, 255 }, { NULL, 257, 257, 256 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct walk w = { .stop_after = cases[i].stop_after };
		assert_int_equal(state_scan(lab->s, STATE_SEEN, span_str(cases[i].from), count_row, &w), 0);
		assert_int_equal(w.n, cases[i].n);
		assert_int_equal(w.last, cases[i].last);
	}
	assert_true(state_bytes(lab->s) > 3000 * 6);
}

static void large_values_are_kept(void **state)
{
	struct lab *lab = *state;
	enum { SIZE = 300000 };
	char *value = malloc(SIZE);
	memset(value, 'x', SIZE);
	rows_put_kept(&lab->batch, 7, 2, span_of(value, SIZE));
	save(lab);
	uint32_t rows = 0;
	struct buf event = BUF_INIT(1 << 20);
	assert_int_equal(rows_get_kept(lab->s, 7, &rows, NULL), 0);
	assert_int_equal(rows, 2);
	assert_int_equal(rows_get_kept(lab->s, 7, &rows, &event), 0);
	assert_true(event.len == SIZE && memcmp(event.data, value, SIZE) == 0);
	rows_del_kept(&lab->batch, 7);
	save(lab);
	assert_int_equal(rows_get_kept(lab->s, 7, &rows, NULL), -ENOENT);
	buf_free(&event);
	free(value);
}

struct names {
	char text[256];
};

static bool add_name(void *arg, const struct name_row *row)
{
	struct names *names = arg;
	size_t len = strlen(names->text);
	snprintf(names->text + len, sizeof names->text - len, "%c%u=%s;", row->kind, row->number, row->name);
	return true;
}

static void names_are_read_back(void **state)
{
	struct lab *lab = *state;
	rows_put_name(&lab->batch, &(struct name_row){ NAME_SOURCE, 1, "hooks" });
	rows_put_name(&lab->batch, &(struct name_row){ NAME_SINK, 2, "team" });
	rows_put_name(&lab->batch, &(struct name_row){ NAME_LANE, 70000, "runs team" });
	rows_put_name(&lab->batch, &(struct name_row){ NAME_SINK, 3, "gone" });
	rows_del_name(&lab->batch, NAME_SINK, "gone");
	save(lab);
	struct names names = { "" };
	assert_int_equal(rows_each_name(lab->s, add_name, &names), 0);
	assert_string_equal(names.text, "k2=team;l70000=runs team;s1=hooks;");
}

static void lanes_and_marks_are_read_back(void **state)
{
	struct lab *lab = *state;
	uint64_t watermark = 0;
	struct buf mark = BUF_INIT(100);
	rows_put_lane(&lab->batch, 3, UINT64_C(1) << 40);
	rows_put_mark(&lab->batch, 1, span_str("a"), (struct journal_pos){ 1, 2 }, span_str("pos"));
	rows_put_mark(&lab->batch, 1, span_str("b"), (struct journal_pos){ 1, 2 }, SPAN_NONE);
	save(lab);
	assert_int_equal(rows_get_lane(lab->s, 3, &watermark), 0);
	assert_true(watermark == UINT64_C(1) << 40);
	assert_int_equal(rows_get_lane(lab->s, 4, &watermark), -ENOENT);
	assert_int_equal(rows_get_mark(lab->s, 1, span_str("b"), &mark), 0);
	assert_int_equal(mark.len, 0);
	assert_int_equal(rows_get_mark(lab->s, 1, span_str("a"), &mark), 0);
	assert_true(span_is(buf_span(&mark), "pos"));
	assert_int_equal(rows_get_mark(lab->s, 2, span_str("a"), &mark), -ENOENT);
	rows_del_mark(&lab->batch, 1, span_str("a"));
	rows_del_lane(&lab->batch, 3);
	save(lab);
	assert_int_equal(rows_get_mark(lab->s, 1, span_str("a"), &mark), -ENOENT);
	assert_int_equal(rows_get_lane(lab->s, 3, &watermark), -ENOENT);
	buf_free(&mark);
}

static void meta_is_read_back(void **state)
{
	struct lab *lab = *state;
	struct meta_row got, meta = {
		.applied_seq = 9, .applied = { 3, 4 }, .kept_below = 7, .clean = true,
		.node = "01234567-89ab-7def-8123-456789abcdef",
	};
	assert_int_equal(rows_get_meta(lab->s, &got), -ENOENT);
	rows_put_meta(&lab->batch, &meta);
	save(lab);
	assert_int_equal(rows_get_meta(lab->s, &got), 0);
	assert_int_equal(got.applied_seq, 9);
	assert_int_equal(journal_pos_cmp(got.applied, meta.applied), 0);
	assert_int_equal(got.kept_below, 7);
	assert_true(got.clean);
	assert_string_equal(got.node, meta.node);
}

struct due {
	char text[256];
};

static bool add_due(void *arg, int64_t due_ms, struct delivery_key d)
{
	struct due *due = arg;
	size_t len = strlen(due->text);
	snprintf(due->text + len, sizeof due->text - len, "%lld:%u/%llu;", (long long)due_ms, d.lane,
		 (unsigned long long)d.seq);
	return true;
}

static bool add_straggler(void *arg, struct delivery_key d, const struct straggler_row *row)
{
	return add_due(arg, row->due_ms, d);
}

static void expect_due_from(struct lab *lab, int64_t from, const char *text)
{
	struct due due = { "" };
	assert_int_equal(rows_each_due(lab->s, 1, from, add_due, &due), 0);
	assert_string_equal(due.text, text);
}

static void expect_due(struct lab *lab, const char *text)
{
	expect_due_from(lab, DUE_FIRST, text);
}

/* However it is put, moved and deleted: one due row a straggler. */
static void stragglers_have_one_due_row(void **state)
{
	struct lab *lab = *state;
	struct delivery_key a = { 1, 300 }, b = { 1, 500 }, other = { 2, 7 };
	struct straggler_row row = {
		.attempts = 2, .first_ms = 100, .due_ms = 900, .wait_ms = 50, .parts = span_of("\x05", 1),
		.error = span_str("refused"), .response = SPAN_NONE,
	};
	rows_put_straggler(&lab->batch, a, &row, -1);
	row.due_ms = 256;
	rows_put_straggler(&lab->batch, b, &row, -1);
	rows_put_straggler(&lab->batch, other, &row, -1);
	save(lab);
	expect_due(lab, "256:1/500;900:1/300;");
	row.due_ms = 100;
	rows_put_straggler(&lab->batch, a, &row, 900);
	rows_put_straggler(&lab->batch, a, &row, 100);
	save(lab);
	expect_due(lab, "100:1/300;256:1/500;");
	struct buf hold = BUF_INIT(1 << 16);
	struct straggler_row got;
	assert_int_equal(rows_get_straggler(lab->s, a, &got, &hold), 0);
	assert_int_equal(got.attempts, 2);
	assert_int_equal(got.first_ms, 100);
	assert_int_equal(got.due_ms, 100);
	assert_int_equal(got.wait_ms, 50);
	assert_true(span_is(got.parts, "\x05") && span_is(got.error, "refused") && got.response.len == 0);
	struct due due = { "" };
	assert_int_equal(rows_each_straggler(lab->s, 1, 0, add_straggler, &due), 0);
	assert_string_equal(due.text, "100:1/300;256:1/500;");
	rows_del_straggler(&lab->batch, a, 100);
	save(lab);
	expect_due(lab, "256:1/500;");
	assert_int_equal(rows_get_straggler(lab->s, a, &got, &hold), -ENOENT);
	buf_free(&hold);
}

/* After all that are due by the clock, those of one thing next to each other, in order of events. */
static void parked_stragglers_come_last(void **state)
{
	struct lab *lab = *state;
	struct straggler_row row = { .attempts = 1, .due_ms = INT64_C(4102444800000), .bytes = 7 };
	struct delivery_key waits = { 1, 900 };
	rows_put_straggler(&lab->batch, waits, &row, -1);
	for (uint64_t seq = 500; seq > 100; seq -= 100) {
		row.key = row.key == 6 ? KEY_HASH_MAX : 6;
		row.due_ms = due_parked(row.key);
		row.after_ms = 88;
		assert_true(due_is_parked(row.due_ms) && due_parked_key(row.due_ms) == row.key);
		rows_put_straggler(&lab->batch, (struct delivery_key){ 1, seq }, &row, -1);
	}
	row.due_ms = due_parked(0);
	rows_put_straggler(&lab->batch, (struct delivery_key){ 1, 700 }, &row, waits.seq);
	save(lab);
	expect_due(lab, "4102444800000:1/900;4611686018427387904:1/700;"
		   "4611686018427387910:1/300;4611686018427387910:1/500;"
		   "6917529027641081855:1/200;6917529027641081855:1/400;");
	expect_due_from(lab, DUE_PARKED + 1, "4611686018427387910:1/300;4611686018427387910:1/500;"
			"6917529027641081855:1/200;6917529027641081855:1/400;");
	expect_due_from(lab, due_parked(7), "6917529027641081855:1/200;6917529027641081855:1/400;");
	struct buf hold = BUF_INIT(1 << 16);
	struct straggler_row got;
	assert_int_equal(rows_get_straggler(lab->s, (struct delivery_key){ 1, 200 }, &got, &hold), 0);
	assert_true(got.key == KEY_HASH_MAX && got.after_ms == 88 && got.bytes == 7);
	assert_false(due_is_parked(4102444800000));
	buf_free(&hold);
}

static bool add_dead(void *arg, struct delivery_key d, const struct dead_row *row)
{
	assert_string_equal(dead_reason_name(row->reason), "expired");
	assert_true(span_is(row->error, "e") && span_is(row->response, "r") && row->parts.len == 0);
	assert_int_equal(row->attempts, 9);
	assert_int_equal(row->bytes, 10);
	assert_int_equal(row->first_ms, 1);
	return add_due(arg, row->dead_ms, d);
}

static void the_dead_are_read_by_lane(void **state)
{
	struct lab *lab = *state;
	struct dead_row row = {
		.reason = DEAD_EXPIRED, .attempts = 9, .first_ms = 1, .dead_ms = 2, .bytes = 10,
		.error = span_str("e"), .response = span_str("r"),
	};
	for (uint32_t lane = 1; lane < 4; lane++)
		for (uint64_t seq = 255; seq < 258; seq++)
			rows_put_dead(&lab->batch, (struct delivery_key){ lane, seq }, &row);
	rows_del_dead(&lab->batch, (struct delivery_key){ 2, 257 });
	save(lab);
	struct due due = { "" };
	assert_int_equal(rows_each_dead(lab->s, 2, 0, add_dead, &due), 0);
	assert_string_equal(due.text, "2:2/255;2:2/256;");
	due.text[0] = '\0';
	assert_int_equal(rows_each_dead(lab->s, 1, 256, add_dead, &due), 0);
	assert_string_equal(due.text, "2:1/256;2:1/257;");
}

int main(void)
{
#define SCENARIO(name) { #name, name, NULL, teardown, NULL }
	struct CMUnitTest tests[] = {
		SCENARIO(later_ops_win),
		SCENARIO(scan_goes_in_order_from_a_key),
		SCENARIO(large_values_are_kept),
		SCENARIO(names_are_read_back),
		SCENARIO(lanes_and_marks_are_read_back),
		SCENARIO(meta_is_read_back),
		SCENARIO(stragglers_have_one_due_row),
		SCENARIO(parked_stragglers_come_last),
		SCENARIO(the_dead_are_read_by_lane),
	};
	int failed = 0;
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tests[i].setup_func = setup_lmdb;
	failed += cmocka_run_group_tests_name("lmdb", tests, NULL, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tests[i].setup_func = setup_simulated;
	failed += cmocka_run_group_tests_name("simulated", tests, NULL, NULL);
	return failed;
}
