/*
 * fuzz-segment.c - a journal over a hostile segment: opened or refused, read, appended to, opened again.
 *
 * The first byte says what is made right before that, so that damage gets past the checksums: 1 the segment
 * header's, 2 those of the blocks, each found where the one before it ends; 4 a second segment seals it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/span.h"
#include "fuzz/fuzz.h"
#include "journal/block.h"
#include "journal/simulated.h"

enum { FIX_HEADER = 1, FIX_BLOCKS = 2, SEALED = 4 };

static void fix_blocks(uint8_t *data, size_t size)
{
	size_t at = SEGMENT_HEADER;
	while (size > at && size - at >= BLOCK_HEADER) {
		uint8_t *block = data + at;
		uint32_t length = get_le32(block + 40);
		if (length > size - at - BLOCK_HEADER)
			length = (uint32_t)(size - at - BLOCK_HEADER);
		memcpy(block, block_magic, sizeof block_magic);
		put_le32(block + 4, SEGMENT_VERSION);
		memcpy(block + 8, data + 32, 8);
		put_le64(block + 16, 1);
		put_le64(block + 24, at);
		put_le32(block + 48, crc32c(0, block + BLOCK_HEADER, length));
		put_le32(block + 52, crc32c(0, block, 52));
		at += BLOCK_HEADER + length;
	}
}

static void fix_header(uint8_t *data)
{
	memcpy(data, "PBSEGMNT", 8);
	put_le32(data + 8, SEGMENT_VERSION);
	put_le64(data + 16, 1);
	put_le32(data + 60, crc32c(0, data, 60));
}

static void put_second(struct journal_disk *disk, const uint8_t *data)
{
	unsigned char bytes[SEGMENT_HEADER];
	struct segment_header second = { .number = 2, .first_seq = get_le64(data + 24) + 1000, .salt = 7 };
	segment_header_encode(&second, bytes);
	journal_disk_put(disk, "0000000000000002.seg", span_of(bytes, sizeof bytes));
}

/* Everything readable, twice the same; get() and the cursor agree. */
static uint64_t read_all(struct journal *j)
{
	struct journal_cursor *c = journal_cursor(j, 0);
	struct buf event = BUF_INIT(1 << 24);
	struct record r;
	uint64_t n = 0, last = 0;
	int got;
	while ((got = journal_next(j, c, &r)) == 1) {
		if (r.kind != RECORD_EVENT)
			continue;
		assert(n == 0 || r.seq > last);
		last = r.seq;
		if (n++ < 50) {
			buf_reset(&event);
			assert(journal_get(j, r.seq, &event) == 0 && event.len == r.data.len);
			assert(event.len == 0 || memcmp(event.data, r.data.data, event.len) == 0);
		}
	}
	assert(got == 0);
	journal_cursor_close(j, c);
	buf_free(&event);
	return n;
}

static int append_one(struct journal *j)
{
	struct buf records = BUF_INIT(100);
	struct pb_span part;
	uint64_t seq;
	size_t begun = record_begin(&records, RECORD_EVENT);
	buf_add_str(&records, "new");
	record_end(&records, begun);
	part = buf_span(&records);
	int r = journal_append(j, &part, 1, 1, &seq);
	buf_free(&records);
	return r;
}

static void use(struct journal_disk *disk)
{
	static const struct journal_options options = { .segment_size = 1 << 20 };
	struct journal *j = journal_simulated(disk, &options);
	if (j == NULL)
		return;
	uint64_t n = read_all(j);
	int r = append_one(j);
	assert(r == 0 || r == -EOVERFLOW);
	n += r == 0;
	assert(read_all(j) == n);
	journal_close(j);
	j = journal_simulated(disk, &options);
	assert(j != NULL && read_all(j) == n);
	journal_close(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	log_open(PB_ERROR);
	uint8_t how = data[0];
	size_t len = size - 1;
	uint8_t *copy = malloc(len + SEGMENT_HEADER);
	assert(copy != NULL);
	memset(copy, 0, len + SEGMENT_HEADER);
	memcpy(copy, data + 1, len);
	if (how & FIX_BLOCKS)
		fix_blocks(copy, len);
	if (how & FIX_HEADER && len >= SEGMENT_HEADER)
		fix_header(copy);
	struct journal_disk *disk = journal_disk_new(1);
	journal_disk_put(disk, "0000000000000001.seg", span_of(copy, len));
	if (how & SEALED && len >= SEGMENT_HEADER)
		put_second(disk, copy);
	use(disk);
	journal_disk_free(disk);
	free(copy);
	return 0;
}
