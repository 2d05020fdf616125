/* test-verify-rows.c - stores whose rows are wrong in one way each: found, mended, and then right. */
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
#include "state/pack.h"
#include "state/records.h"
#include "state/repair.h"
#include "unit/state/store-lab.h"

static void rows_that_contradict(void **state)
{
	struct lab *lab = *state;
	rows_put_dead(&lab->batch, (struct delivery_key){ 2, 3 }, &store_rejected);
	store_apply(lab);
	store_expect(lab, WRONG_TWICE, 1);
	store_expect_mended(lab, 1);
	rows_put_straggler(&lab->batch, (struct delivery_key){ 2, 70 }, &store_waiting, -1);
	store_apply(lab);
	store_expect(lab, WRONG_FUTURE, 1);
	store_expect_mended(lab, 1);
	rows_put_lane(&lab->batch, 2, 9);
	store_apply(lab);
	store_expect(lab, WRONG_LANE, 1);
	store_expect_mended(lab, 1);
}

static void rows_without_a_name(void **state)
{
	struct lab *lab = *state;
	rows_put_lane(&lab->batch, 8, 3);
	rows_put_straggler(&lab->batch, (struct delivery_key){ 8, 5 }, &store_waiting, -1);
	rows_put_dead(&lab->batch, (struct delivery_key){ 8, 6 }, &store_rejected);
	store_apply(lab);
	store_expect(lab, WRONG_NAMELESS, 3);
	store_expect_mended(lab, 3);
}

static void due_rows_are_as_the_stragglers(void **state)
{
	struct lab *lab = *state;
	rows_put_due(&lab->batch, (struct delivery_key){ 2, 4 }, 100);
	rows_put_due(&lab->batch, (struct delivery_key){ 2, 3 }, 100);
	rows_put_due(&lab->batch, (struct delivery_key){ 9, 3 }, 500);
	store_apply(lab);
	store_expect(lab, WRONG_DUE, 3);
	store_expect_mended(lab, 3);
	rows_del_due(&lab->batch, (struct delivery_key){ 2, 3 }, 500);
	store_apply(lab);
	store_expect(lab, WRONG_NO_DUE, 1);
	store_expect_mended(lab, 1);
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
	store_apply(lab);
	store_expect(lab, WRONG_KEPT, 2);
	store_expect_mended(lab, 2);
	unlink(store_part(lab, FIRST));
	unlink(store_part(lab, SECOND));
	struct meta_row later = store_meta;
	later.kept_below = 5;
	rows_put_meta(&lab->batch, &later);
	store_apply(lab);
	store_expect(lab, WRONG_GONE, 0);
	rows_del_kept(&lab->batch, 4);
	store_apply(lab);
	store_expect(lab, WRONG_GONE, 1);
	store_expect_mended(lab, 1);
}

/* One in each table that can be told by its text. */
static void damaged_rows_are_made_again(void **state)
{
	struct lab *lab = *state;
	struct straggler_row straggler = store_waiting;
	struct dead_row dead = store_rejected;
	straggler.error = span_str("text of a straggler");
	dead.error = span_str("text of a dead letter");
	rows_put_straggler(&lab->batch, (struct delivery_key){ 2, 5 }, &straggler, -1);
	rows_put_dead(&lab->batch, (struct delivery_key){ 2, 6 }, &dead);
	rows_put_mark(&lab->batch, 1, span_str("file"), (struct journal_pos){ 1, 64 }, span_str("text of a mark"));
	store_apply(lab);
	store_expect(lab, WRONG_DAMAGE, 0);
	store_flip_text(lab, "state/data.mdb", "text of a");
	assert_int_equal(store_look(lab), 4);
	assert_int_equal(lab->found[WRONG_DAMAGE], 3);
	assert_int_equal(lab->found[WRONG_DUE], 1);
	store_expect_mended(lab, 4);
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	assert_int_equal(in->n_rows, 4);
	assert_int_equal(in->n_marks, 0);
	inspect_close(in);
}

/* The state's own row says what it was of; what is lost with it is made good from the journal. */
static void a_damaged_meta_row_is_made_again(void **state)
{
	struct lab *lab = *state;
	struct meta_row named = store_meta;
	snprintf(named.node, sizeof named.node, "the node's name");
	rows_put_meta(&lab->batch, &named);
	store_apply(lab);
	store_flip_text(lab, "state/data.mdb", "the node's name");
	store_expect(lab, WRONG_DAMAGE, 1);
	store_expect_mended(lab, 1);
}

/* By a batch that bypasses nothing but the checksum: what LMDB gives back is another row's. */
static void flip_lane(struct lab *lab)
{
	static const char value[] = "\x07\0\0\0\0\0\0\0";
	static char data[1 << 20];
	FILE *f = fopen(store_part(lab, "state/data.mdb"), "rb");
	size_t len = fread(data, 1, sizeof data, f);
	fclose(f);
	static const char key[] = "\0\0\0\2";
	for (size_t i = 0; i + 16 < len; i++)
		if (memcmp(data + i, key, 4) == 0 && memcmp(data + i + 8, value, 8) == 0)
			store_flip(lab, "state/data.mdb", (long)i + 9);
}

/* The journal's blocks say how far it was. */
static void a_damaged_watermark_is_taken_from_the_journal(void **state)
{
	struct lab *lab = *state;
	flip_lane(lab);
	store_expect(lab, WRONG_DAMAGE, 1);
	store_expect_mended(lab, 1);
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	assert_true(in->lanes[0].saved);
	assert_int_equal(in->lanes[0].watermark, 5);
	inspect_close(in);
}

#define test(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

static struct seen_row seen(uint64_t seq)
{
	return (struct seen_row){ .source = 1, .seq = seq, .at_ms = 1000 + (int64_t)seq, .hash = { (unsigned char)seq, 7 },
				  .id = span_str("an id") };
}

/* One of the pair, by what the other's key says. */
static void drop_half(struct lab *lab, const char *kind, uint64_t seq)
{
	struct seen_row row = seen(seq);
	struct pack_key key = { .len = 0 };
	key_add(&key, span_str(kind));
	key_u32(&key, row.source);
	if (*kind == 'h')
		key_add(&key, span_of(row.hash, SEEN_HASH));
	key_u64(&key, *kind == 'h' ? ~seq : seq);
	batch_del(&lab->batch, STATE_SEEN, key_span(&key));
}

static void keys_have_both_their_rows(void **state)
{
	struct lab *lab = *state;
	for (uint64_t seq = 1; seq < 6; seq++) {
		struct seen_row row = seen(seq);
		rows_put_seen(&lab->batch, &row);
	}
	store_apply(lab);
	assert_int_equal(store_look(lab), 0);
	drop_half(lab, "h", 2);
	drop_half(lab, "o", 4);
	store_apply(lab);
	store_expect(lab, WRONG_SEEN, 2);
	assert_non_null(strstr(lab->texts, "(e) the key of event 2 of "));
	assert_non_null(strstr(lab->texts, "a repeat of it is stored once more"));
	assert_non_null(strstr(lab->texts, "(e) the key of event 4 of "));
	store_expect_mended(lab, 2);
	struct seen_row other = seen(1);
	other.at_ms++;
	other.seq = 70;		/* never accepted: both rows */
	rows_put_seen(&lab->batch, &other);
	batch_put(&lab->batch, STATE_SEEN, span_str("x"), span_str("y"));
	store_apply(lab);
	store_expect(lab, WRONG_SEEN, 3);
	store_expect_mended(lab, 3);
}

static void many_keys_are_read_a_page_at_a_time(void **state)
{
	struct lab *lab = *state;
	for (uint32_t source = 1; source < 1500; source++) {
		struct seen_row row = seen(3);
		row.source = source;
		rows_put_seen(&lab->batch, &row);
	}
	store_apply(lab);
	assert_int_equal(store_look(lab), 0);
	drop_half(lab, "o", 3);
	store_apply(lab);
	store_expect(lab, WRONG_SEEN, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(rows_that_contradict),
		test(rows_without_a_name),
		test(due_rows_are_as_the_stragglers),
		test(kept_counts_are_the_rows),
		test(damaged_rows_are_made_again),
		test(a_damaged_meta_row_is_made_again),
		test(a_damaged_watermark_is_taken_from_the_journal),
		test(keys_have_both_their_rows),
		test(many_keys_are_read_a_page_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
