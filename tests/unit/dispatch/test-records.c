/* test-records.c - marks and watermarks as they stand in the journal, whole and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "dispatch/watermarks.h"
#include "journal/journal.h"
#include "state/records.h"

static void marks_are_read_back(void **state)
{
	(void)state;
	const struct mark marks[] = {
		{ 1, span_str("a"), span_str("pos") },
		{ 2, span_str("b"), SPAN_NONE },
		{ 3, span_str("c"), span_of("", 0) },
	};
	struct buf b = BUF_INIT(1000);
	struct mark m;
	size_t at = 0;
	for (size_t i = 0; i < 3; i++)
		marks_add(&b, &marks[i]);
	for (size_t i = 0; i < 3; i++) {
		assert_true(marks_next(buf_span(&b), &at, &m));
		assert_int_equal(m.source, marks[i].source);
		assert_int_equal(m.key.len, 1);
		assert_true((m.value.data == NULL) == (marks[i].value.data == NULL));
		assert_int_equal(m.value.len, marks[i].value.len);
	}
	assert_false(marks_next(buf_span(&b), &at, &m));
	buf_free(&b);
}

/* However the bytes are cut or changed: no read outside of them. (The sanitizers watch.) */
static void hostile_marks(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(1000);
	marks_add(&b, &(struct mark){ 7, span_str("key"), span_str("value") });
	for (size_t len = 0; len < b.len; len++) {
		for (int change = 0; change < 256; change += 17) {
			char *copy = malloc(len > 0 ? len : 1);
			memcpy(copy, b.data, len);
			if (len > 4)
				copy[4] = (char)change;
			struct mark m;
			size_t at = 0;
			while (marks_next(span_of(copy, len), &at, &m))
				assert_true(at <= len);
			free(copy);
		}
	}
	buf_free(&b);
}

static void only_what_moved_is_taken_once(void **state)
{
	(void)state;
	struct watermarks w;
	struct buf b = BUF_INIT(1000);
	struct watermark m;
	watermarks_init(&w, 5);
	watermarks_take(&w, &b);
	assert_int_equal(b.len, 0);
	watermarks_move(&w, 3, 10);
	watermarks_move(&w, 1, 7);
	watermarks_move(&w, 3, 12);
	size_t head = record_begin(&b, RECORD_WATERMARK);
	size_t start = b.len;
	record_end(&b, head);
	buf_reset(&b);
	watermarks_take(&w, &b);
	struct pb_span data = span_of(b.data + start, b.len - start);
	size_t at = 0;
	assert_true(watermarks_next(data, &at, &m));
	assert_true(m.lane == 3 && m.seq == 12);
	assert_true(watermarks_next(data, &at, &m));
	assert_true(m.lane == 1 && m.seq == 7);
	assert_false(watermarks_next(data, &at, &m));
	size_t len = b.len;
	watermarks_take(&w, &b);
	assert_int_equal(b.len, len);
	watermarks_fini(&w);
	buf_free(&b);
}

/* The watermarks of a record that watermarks_take() made, as "LANE:SEQ ". */
static const char *taken(struct watermarks *w)
{
	static char text[100];
	struct buf b = BUF_INIT(1000);
	struct watermark m;
	text[0] = '\0';
	assert_int_equal(watermarks_take(w, &b), 0);
	struct pb_span data = b.len > 8 ? span_of(b.data + 8, b.len - 8) : SPAN_NONE;
	for (size_t at = 0; data.len > 0 && watermarks_next(data, &at, &m); )
		snprintf(text + strlen(text), sizeof text - strlen(text), "%u:%u ", m.lane, (unsigned)m.seq);
	buf_free(&b);
	return text;
}

static void what_was_not_stored_goes_with_the_next(void **state)
{
	(void)state;
	struct watermarks w;
	struct buf full = BUF_INIT(30);
	watermarks_init(&w, 5);
	watermarks_move(&w, 3, 10);
	watermarks_move(&w, 1, 7);
	assert_string_equal(taken(&w), "3:10 1:7 ");
	watermarks_move(&w, 3, 11);
	watermarks_put_back(&w);
	watermarks_put_back(&w);
	assert_string_equal(taken(&w), "3:11 1:7 ");
	assert_string_equal(taken(&w), "");
	watermarks_put_back(&w);
	assert_string_equal(taken(&w), "");
	watermarks_move(&w, 2, 5);
	watermarks_move(&w, 4, 6);
	assert_int_equal(watermarks_take(&w, &full), -EMSGSIZE);
	assert_int_equal(full.len, 0);
	assert_int_equal(full.failed, 0);
	assert_string_equal(taken(&w), "2:5 4:6 ");
	watermarks_fini(&w);
	buf_free(&full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_read_back), cmocka_unit_test(hostile_marks),
		cmocka_unit_test(only_what_moved_is_taken_once),
		cmocka_unit_test(what_was_not_stored_goes_with_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
