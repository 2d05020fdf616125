/* test-block.c - records are framed as they are read, and what is no block, header or frame is told. */
#include "journal/lab.h"

#include "base/bytes.h"
#include "base/crc32c.h"

static void fill(struct buf *records)
{
	lab_event(records, 1, 0);
	size_t begun = record_begin(records, RECORD_MARK);
	record_end(records, begun);
	lab_event(records, 2, 40);
}

/* Wherever the bytes are parted, they are the same records; any other number of events or bytes is not. */
static void parts_may_end_anywhere(void **state)
{
	(void)state;
	struct buf records = BUF_INIT(1000);
	fill(&records);
	for (size_t a = 0; a <= records.len; a++) {
		for (size_t b = a; b <= records.len; b++) {
			const struct pb_span parts[] = {
				span_of(records.data, a), span_of(records.data + a, b - a), SPAN_NONE,
				span_of(records.data + b, records.len - b),
			};
			assert_true(block_parts_hold(parts, 4, 2));
			assert_false(block_parts_hold(parts, 4, 1));
			assert_int_equal(block_parts_hold(parts, 3, 2), b == records.len);
		}
	}
	assert_true(block_parts_hold(NULL, 0, 0));
	buf_free(&records);
}

static void a_frame_beyond_the_end_is_broken(void **state)
{
	(void)state;
	struct buf records = BUF_INIT(1000);
	fill(&records);
	for (size_t len = 0; len < records.len; len++) {
		char *cut = malloc(len + 1);	/* so that a sanitizer sees a step beyond */
		memcpy(cut, records.data, len);
		cut = realloc(cut, len > 0 ? len : 1);
		struct pb_span data;
		uint32_t kind;
		size_t at = 0, n = 0;
		while (block_record(span_of(cut, len), &at, &kind, &data))
			n++;
		assert_true(n < 3 && at <= len);
		free(cut);
	}
	buf_free(&records);
}

static void a_full_buffer_takes_no_record(void **state)
{
	(void)state;
	struct buf records = BUF_INIT(12);
	size_t begun = record_begin(&records, RECORD_EVENT);
	buf_add_str(&records, "four");
	record_end(&records, begun);
	assert_int_equal(records.failed, 0);
	begun = record_begin(&records, RECORD_EVENT);
	record_end(&records, begun);
	assert_int_equal(records.failed, -EMSGSIZE);
	assert_int_equal(records.len, 12);
	buf_free(&records);
}

static void headers_are_told(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint64_t value;
		int want;
	} cases[] = {
		{ 0, 0x5858585858585858, -EMEDIUMTYPE },	/* magic */
		{ 8, SEGMENT_VERSION + 1, -EPROTONOSUPPORT },
		{ 16, NUMBER_MAX, 0 }, { 16, NUMBER_MAX + 1, -EMEDIUMTYPE },
		{ 24, NUMBER_MAX, 0 }, { 24, UINT64_MAX, -EMEDIUMTYPE },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned char bytes[SEGMENT_HEADER];
		struct segment_header got, header = { .number = 3, .first_seq = 4, .salt = 5 };
		segment_header_encode(&header, bytes);
		assert_int_equal(segment_header_decode(bytes, &got), 0);
		assert_true(got.number == 3 && got.first_seq == 4 && got.salt == 5);
		put_le64(bytes + cases[i].at, cases[i].value);
		assert_int_equal(segment_header_decode(bytes, &got), -EBADMSG);
		put_le32(bytes + 60, crc32c(0, bytes, 60));
		assert_int_equal(segment_header_decode(bytes, &got), cases[i].want);
	}
}

static void a_block_must_be_what_its_header_says(void **state)
{
	(void)state;
	struct buf records = BUF_INIT(1000);
	fill(&records);
	struct block_header got, header = {
		.salt = 1, .segment = 2, .offset = 3, .first_seq = 4, .length = (uint32_t)records.len,
		.events = 2, .crc = crc32c(0, records.data, records.len),
	};
	unsigned char bytes[BLOCK_HEADER];
	block_header_encode(&header, bytes);
	assert_int_equal(block_header_decode(bytes, &got), 0);
	assert_true(got.salt == 1 && got.segment == 2 && got.offset == 3 && got.first_seq == 4);
	assert_true(got.length == header.length && got.events == 2 && got.crc == header.crc);
	assert_int_equal(block_check(&header, records.data), 0);
	header.events = 3;
	assert_int_equal(block_check(&header, records.data), -EBADMSG);
	header.events = 2;
	header.crc++;
	assert_int_equal(block_check(&header, records.data), -EBADMSG);
	header.length = BLOCK_MAX + 1;
	block_header_encode(&header, bytes);
	assert_int_equal(block_header_decode(bytes, &got), -EBADMSG);
	buf_free(&records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_may_end_anywhere),
		cmocka_unit_test(a_frame_beyond_the_end_is_broken),
		cmocka_unit_test(a_full_buffer_takes_no_record),
		cmocka_unit_test(headers_are_told),
		cmocka_unit_test(a_block_must_be_what_its_header_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
