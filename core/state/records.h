/*
 * records.h - what the journal's records say of sources' and lanes' progress: encoded and decoded.
 *
 * Events are the codec's. What these say is in the state a little later (rows.h).
 */
#ifndef STATE_RECORDS_H
#define STATE_RECORDS_H

#include "base/buf.h"

#define MARK_KEY_MAX 480
#define MARK_VALUE_MAX 4096

/* RECORD_MARK holds some, one after another. */
struct mark {
	uint32_t source;	/* names table */
	struct pb_span key;
	struct pb_span value;	/* {NULL, 0}: the mark is removed */
};

/* Append one; the buffer's failure says whether it fit. */
void marks_add(struct buf *, const struct mark *);
/* Each in turn; *at begins at 0. False at the end, or where the bytes are no mark. */
bool marks_next(struct pb_span data, size_t *at, struct mark *);

/* RECORD_WATERMARK likewise. */
struct watermark {
	uint32_t lane;		/* names table */
	uint64_t seq;		/* all before it is done, or is a straggler or dead */
};

/* Append one; the buffer's failure says whether it fit. */
void watermarks_add(struct buf *, const struct watermark *);
/* Each in turn; *at begins at 0. False at the end. */
bool watermarks_next(struct pb_span data, size_t *at, struct watermark *);

/* RECORD_KEY: the hash of the key by which its sender knows the event that follows: SEEN_HASH bytes (rows.h). */

/* RECORD_TIME: when the block was made; once, before its events. Append a whole record, and read its payload: wall clock,
 * ms; 0: it is none. */
void time_add(struct buf *, int64_t ms);
int64_t time_of(struct pb_span data);

#endif
