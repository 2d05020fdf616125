/* block.c - encode and check what is in a segment. */
#include "journal/block.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/crc32c.h"

static const char segment_magic[8] = "PBSEGMNT";
const unsigned char block_magic[4] = { 'P', 'B', 'B', 'K' };

void segment_header_encode(const struct segment_header *h, unsigned char to[static SEGMENT_HEADER])
{
	memset(to, 0, SEGMENT_HEADER);
	memcpy(to, segment_magic, sizeof segment_magic);
	put_le32(to + 8, SEGMENT_VERSION);
	put_le64(to + 16, h->number);
	put_le64(to + 24, h->first_seq);
	put_le64(to + 32, h->salt);
	put_le32(to + 60, crc32c(0, to, 60));
}

int segment_header_decode(const unsigned char from[static SEGMENT_HEADER], struct segment_header *h)
{
	if (get_le32(from + 60) != crc32c(0, from, 60))
		return -EBADMSG;
	if (memcmp(from, segment_magic, sizeof segment_magic) != 0)
		return -EMEDIUMTYPE;
	if (get_le32(from + 8) != SEGMENT_VERSION)
		return -EPROTONOSUPPORT;
	*h = (struct segment_header){
		.number = get_le64(from + 16),
		.first_seq = get_le64(from + 24),
		.salt = get_le64(from + 32),
	};
	return h->number <= NUMBER_MAX && h->first_seq <= NUMBER_MAX ? 0 : -EMEDIUMTYPE;
}

void block_header_encode(const struct block_header *b, unsigned char to[static BLOCK_HEADER])
{
	memcpy(to, block_magic, sizeof block_magic);
	put_le32(to + 4, SEGMENT_VERSION);
	put_le64(to + 8, b->salt);
	put_le64(to + 16, b->segment);
	put_le64(to + 24, b->offset);
	put_le64(to + 32, b->first_seq);
	put_le32(to + 40, b->length);
	put_le32(to + 44, b->events);
	put_le32(to + 48, b->crc);
	put_le32(to + 52, crc32c(0, to, 52));
}

int block_header_decode(const unsigned char from[static BLOCK_HEADER], struct block_header *b)
{
	if (memcmp(from, block_magic, sizeof block_magic) != 0 ||
	    get_le32(from + 4) != SEGMENT_VERSION || get_le32(from + 52) != crc32c(0, from, 52))
		return -EBADMSG;
	*b = (struct block_header){
		.salt = get_le64(from + 8),
		.segment = get_le64(from + 16),
		.offset = get_le64(from + 24),
		.first_seq = get_le64(from + 32),
		.length = get_le32(from + 40),
		.events = get_le32(from + 44),
		.crc = get_le32(from + 48),
	};
	return b->length <= BLOCK_MAX && b->first_seq <= NUMBER_MAX ? 0 : -EBADMSG;
}

int block_check(const struct block_header *b, const void *records)
{
	if (crc32c(0, records, b->length) != b->crc)
		return -EBADMSG;
	uint32_t kind, events = 0;
	struct pb_span data;
	size_t at = 0;
	while (block_record(span_of(records, b->length), &at, &kind, &data))
		events += kind == RECORD_EVENT;
	return at == b->length && events == b->events ? 0 : -EBADMSG;
}

bool block_record(struct pb_span records, size_t *at, uint32_t *kind, struct pb_span *data)
{
	const char *from = (const char *)records.data + *at;
	size_t left = records.len - *at;
	if (left < RECORD_HEADER || get_le32(from + 4) > left - RECORD_HEADER)
		return false;
	*kind = get_le32(from);
	*data = span_of(from + RECORD_HEADER, get_le32(from + 4));
	*at += RECORD_HEADER + data->len;
	return true;
}

/* Frames being counted; parts may end within one. */
struct frames {
	unsigned char head[RECORD_HEADER];
	size_t have;		/* bytes of it */
	size_t payload;		/* bytes still to come */
	uint32_t events;
};

static void count_frames(struct frames *f, const unsigned char *data, size_t len)
{
	while (len > 0) {
		size_t want = f->payload > 0 ? f->payload : RECORD_HEADER - f->have;
		size_t taken = want < len ? want : len;
		if (f->payload > 0) {
			f->payload -= taken;
		} else {
			memcpy(f->head + f->have, data, taken);
			f->have += taken;
		}
		if (f->have == RECORD_HEADER) {
			f->events += get_le32(f->head) == RECORD_EVENT;
			f->payload = get_le32(f->head + 4);
			f->have = 0;
		}
		data += taken;
		len -= taken;
	}
}

bool block_parts_hold(const struct pb_span parts[], size_t n, uint32_t events)
{
	struct frames f = { .events = 0 };
	for (size_t i = 0; i < n; i++)
		count_frames(&f, parts[i].data, parts[i].len);
	return f.have == 0 && f.payload == 0 && f.events == events;
}

size_t record_begin(struct buf *to, enum record_kind kind)
{
	unsigned char head[RECORD_HEADER] = { 0 };
	put_le32(head, kind);
	size_t begun = to->len;
	buf_add(to, head, sizeof head);
	return begun;
}

void record_end(struct buf *to, size_t begun)
{
	if (to->failed != 0)
		return;
	size_t len = to->len - begun - RECORD_HEADER;
	if (len > BLOCK_MAX)
		to->failed = -EMSGSIZE;
	else
		put_le32(to->data + begun + 4, (uint32_t)len);
}
