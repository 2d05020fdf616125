/*
 * block.h - the bytes of a segment: its header, blocks and framed records.
 *
 * The format and nothing else: no I/O, no state. All numbers are little-endian;
 * doc/store-format.md shows an example. A block names its segment, its offset and
 * the segment's salt, so that neither stale bytes nor an event's body, which may hold
 * whatever a sender likes, can be taken for one.
 */
#ifndef JOURNAL_BLOCK_H
#define JOURNAL_BLOCK_H

#include "base/span.h"
#include "journal/journal.h"

#define SEGMENT_VERSION 1
#define SEGMENT_HEADER 64	/* bytes */
#define BLOCK_HEADER 56
#define BLOCK_MAX (1u << 30)	/* bytes of records in a block */
#define RECORD_HEADER 8
#define NUMBER_MAX (UINT64_C(1) << 62)	/* of a segment, of an event: more is nonsense, and would overflow */

struct segment_header {
	uint64_t number;	/* as in its name */
	uint64_t first_seq;	/* no event in it has a lower one */
	uint64_t salt;		/* random: nobody outside can guess it */
};

/* As it stands at the head of the file, with its checksum. */
void segment_header_encode(const struct segment_header *, unsigned char to[static SEGMENT_HEADER]);
/* 0; -EBADMSG: damaged; -EMEDIUMTYPE: whole, but no segment; -EPROTONOSUPPORT: of another version. */
int segment_header_decode(const unsigned char from[static SEGMENT_HEADER], struct segment_header *);

struct block_header {
	uint64_t salt, segment, offset;
	uint64_t first_seq;
	uint32_t length;	/* of the records, without this header */
	uint32_t events;
	uint32_t crc;		/* crc32c of the records */
};

extern const unsigned char block_magic[4];

/* As it stands before the records, with its checksum. */
void block_header_encode(const struct block_header *, unsigned char to[static BLOCK_HEADER]);
/* Is this a whole header? 0 or -EBADMSG. Where it says it is, and whether the records are whole, is not looked at. */
int block_header_decode(const unsigned char from[static BLOCK_HEADER], struct block_header *);
/* Do the records match their header: the checksum, the frames, the number of events? 0 or -EBADMSG. */
int block_check(const struct block_header *, const void *records);

/* The next of framed records: *at begins at 0 and moves on. False at the end or when the frame is broken
 * (then *at is not the end). */
bool block_record(struct pb_span records, size_t *at, uint32_t *kind, struct pb_span *data);

/* Are the parts, one after another, whole records with this many events? For assertions: what does not hold here would
 * be a damaged block to every reader. */
bool block_parts_hold(const struct pb_span parts[], size_t n, uint32_t events);

static inline uint64_t block_size(const struct block_header *b)
{
	return BLOCK_HEADER + (uint64_t)b->length;
}

#endif
