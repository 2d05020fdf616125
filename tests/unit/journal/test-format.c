/* test-format.c - the example in doc/store-format.md is what the program writes, byte for byte, and reads. */
#include "journal/lab.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "event/codec.h"
#include "journal/simulated.h"
#include "unit/dump.h"

static struct pb_event *example_event(void)
{
	static const char body[] = "{\"event\":\"report_run_started\"}";
	struct pb_event *event = event_new(span_str(body), 1767323045678);
	event_set(event, "id", "e1");
	event_set(event, "type", "report_run_started");
	event_set(event, "source", "hooks");
	event_set_origin(event, 1);
	return event;
}

/* A segment of one block: lane 1 is done with all before event 7, and event 7. */
static size_t example(unsigned char to[static 512])
{
	static const unsigned char watermark[] = { 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0 };
	struct segment_header segment = { .number = 1, .first_seq = 7, .salt = 0x1122334455667788 };
	struct buf records = BUF_INIT(512);
	struct pb_event *event = example_event();
	size_t begun = record_begin(&records, RECORD_WATERMARK);
	buf_add(&records, watermark, sizeof watermark);
	record_end(&records, begun);
	begun = record_begin(&records, RECORD_EVENT);
	assert_int_equal(codec_pack(&records, event), 0);
	record_end(&records, begun);
	struct block_header block = {
		.salt = segment.salt, .segment = 1, .offset = SEGMENT_HEADER, .first_seq = 7,
		.length = (uint32_t)records.len, .events = 1, .crc = crc32c(0, records.data, records.len),
	};
	segment_header_encode(&segment, to);
	block_header_encode(&block, to + SEGMENT_HEADER);
	memcpy(to + SEGMENT_HEADER + BLOCK_HEADER, records.data, records.len);
	size_t n = SEGMENT_HEADER + BLOCK_HEADER + records.len;
	buf_free(&records);
	event_unref(event);
	return n;
}

static void the_dump_is_what_is_written(void **state)
{
	(void)state;
	unsigned char want[512], got[512];
	size_t n = example(want), m = read_dump("### A segment", got, sizeof got);
	if (n != m || memcmp(want, got, n) != 0)
		print_dump(want, n);
	assert_int_equal(m, n);
	assert_memory_equal(got, want, n);
}

static void the_dump_is_read(void **state)
{
	(void)state;
	unsigned char bytes[512];
	struct journal_options options = { .segment_size = 1 << 20 };
	struct journal_disk *disk = journal_disk_new(1);
	journal_disk_put(disk, "0000000000000001.seg", span_of(bytes, read_dump("### A segment", bytes, sizeof bytes)));
	struct journal *j = journal_simulated(disk, &options);
	assert_non_null(j);
	struct journal_cursor *c = journal_cursor(j, 7);
	struct record r;
	assert_int_equal(journal_next(j, c, &r), 1);
	assert_int_equal(r.kind, RECORD_WATERMARK);
	assert_int_equal(r.seq, 7);
	assert_int_equal(journal_next(j, c, &r), 1);
	assert_int_equal(r.kind, RECORD_EVENT);
	assert_int_equal(r.seq, 7);
	struct pb_event *event = codec_unpack(r.data);
	assert_non_null(event);
	assert_string_equal(event_id(event), "e1");
	event_unref(event);
	journal_cursor_close(j, c);
	journal_close(j);
	journal_disk_free(disk);
}

int main(void)
{
	log_open(PB_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dump_is_what_is_written),
		cmocka_unit_test(the_dump_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
