/*
 * journal.h - what was accepted, in order, on disk: segments of appended blocks.
 *
 * One append is one block is one fdatasync: valid whole or not at all. Each event in
 * it gets the next sequence number; numbers never restart and are never used twice. The
 * journal knows framed records, not what they mean. It reads back any of them, cuts a
 * torn tail at open, sets a broken block aside and goes on, and gives up segments that
 * nobody needs. One implementation over two kinds of files: on disk (files.c), and in
 * memory, where they crash on demand (simulated.c).
 *
 * Threads: one append at a time (the committing thread); everything else from one other
 * thread (the router's), at the same time as an append. Only stat, bytes_from and charge are called from both.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum record_kind {
	RECORD_EVENT = 1,	/* the codec's bytes; takes a sequence number */
	RECORD_MARK,		/* a source's position: state/records.h */
	RECORD_WATERMARK,	/* lanes' progress: state/records.h */
	RECORD_KEY,		/* what the event that follows is known by: state/records.h */
	RECORD_TIME,		/* when the block was made: state/records.h */
	RECORD_KINDS
};

/* Begin a record at the end of `to`; the payload is then appended to `to` and record_end() called with
 * what record_begin() returned. What does not fit marks the buffer failed. */
size_t record_begin(struct buf *to, enum record_kind);
void record_end(struct buf *to, size_t begun);

/* A place in the journal; compare with journal_pos_cmp(). {0, 0} is before everything. */
struct journal_pos {
	uint64_t segment, offset;
};
int journal_pos_cmp(struct journal_pos, struct journal_pos);

struct record {
	enum record_kind kind;
	uint64_t seq;			/* of an event; of another: the seq the next event gets */
	struct pb_span data;		/* until the next call on the cursor */
	struct journal_pos block_end;	/* where the block after this record's begins */
};

struct journal_cursor;
struct journal;

struct journal_stat {
	uint64_t first_seq;	/* the oldest event still there (== next_seq: none) */
	uint64_t next_seq;	/* what the next event gets */
	bool skips;		/* numbers before that were skipped, and no block on the disk says so yet */
	struct journal_pos end;	/* where the next block goes */
	uint64_t bytes;		/* on disk, all segments, reserved space included */
	uint64_t grown;		/* what that would be if no segment had gone since it was opened */
	size_t segments;
	uint64_t damaged_blocks, damaged_bytes;	/* found since open */
	uint64_t oldest_end_seq;	/* the seq after the last one of the oldest segment, if that is sealed; else 0 */
};

struct journal_ops {
	int (*append)(struct journal *, const struct pb_span parts[], size_t n, uint32_t events,
		      uint64_t *first_seq);
	struct journal_cursor *(*cursor)(struct journal *, uint64_t seq);
	struct journal_cursor *(*cursor_at)(struct journal *, struct journal_pos);
	int (*next)(struct journal_cursor *, struct record *);
	void (*seek)(struct journal_cursor *, uint64_t seq);
	void (*cursor_close)(struct journal_cursor *);
	int (*get)(struct journal *, uint64_t seq, struct buf *);
	int (*trim)(struct journal *, uint64_t seq, struct journal_pos);
	void (*stat)(struct journal *, struct journal_stat *);
	uint64_t (*bytes_from)(struct journal *, uint64_t seq);
	void (*charge)(struct journal *, uint64_t bytes);
	const char *(*why_full)(struct journal *);
	void (*close)(struct journal *);
};

struct journal {
	const struct journal_ops *ops;
};

struct journal_options {
	uint64_t max_size;	/* append says -ENOSPC above it; bytes of all segments and what is charged; 0: no limit */
	uint64_t segment_size;	/* a new segment when this one is as large */
	uint64_t spare;		/* bytes of the disk that an append leaves free: the state's, a segment's header; 0: its
				 * end is only met by writing */
	uint64_t next_seq;	/* the next event gets at least this number: what the state knows to be taken; may be 0 */
	bool unsure;		/* the last run did not end in order: a sync may have failed, after which the cache still shows
				 * what the disk does not have; so the last block is written once more */
};

/* Open or make the journal in `folder` (made 0700 when missing). Recovers: cuts a torn tail, sets broken
 * blocks aside as files in `folder`/damaged, logging each. NULL after error_add(); another format version, or
 * a file that is no segment but bears a segment's name, is refused and nothing is changed. */
struct journal *journal_open(const char *folder, const struct journal_options *, struct pb_error *);

/* What reading finds that is not as it was written. */
enum journal_flaw_kind {
	FLAW_BLOCK,	/* the bytes are no valid block */
	FLAW_TAIL,	/* the bytes after the last block: it was being written, or is */
	FLAW_HEADER,	/* the segment's header is damaged; it is known by its first block */
	FLAW_SEGMENT,	/* the file has a segment's name, but is none or damaged at its beginning: not read */
};
struct journal_flaw {
	enum journal_flaw_kind kind;
	uint64_t segment;	/* its number */
	uint64_t from, to;	/* bytes of it */
};
struct journal_reading {
	void (*flaw)(void *arg, const struct journal_flaw *);	/* each once, in order of the reading */
	void *arg;
};

/* Open the journal in `folder` as it lies, perhaps beside the daemon whose it is: nothing is cut, set aside,
 * made or removed, and every flaw is told. What is there now can be read until it is closed, also what the
 * daemon gives up meanwhile: all segments' files stay open. One thread. NULL after error_add() with errno
 * ENOENT (there is no segment), EPROTONOSUPPORT (another format version), or another. */
struct journal *journal_open_read(const char *folder, const struct journal_reading *, struct pb_error *);

struct journal_segment {
	uint64_t number, bytes;
	uint64_t first_seq;	/* no event in it has a lower one */
};
/* The i-th segment, oldest first; false: there are no more. [the reading thread] */
bool journal_segment_at(struct journal *, size_t i, struct journal_segment *);
/* The file that keeps, or would keep, a copy of a flaw, relative to the folder; is it there? [any] */
#define FLAW_NAME_SIZE sizeof "damaged/0123456789abcdef-0123456789abcdef.block"
bool journal_flaw_kept(struct journal *, const struct journal_flaw *, char name[static FLAW_NAME_SIZE]);

/* Make the `n` parts (framed records, `events` of them RECORD_EVENT) durable as one block.
 * 0: *first_seq is the first event's number. -ENOSPC: nothing was appended, it may be tried again; -EMSGSIZE: nor was
 * anything, it is more than a block takes. Any other error: what is on disk is no longer known, the process must end. */
static inline int journal_append(struct journal *j, const struct pb_span parts[], size_t n,
				 uint32_t events, uint64_t *first_seq)
{
	return j->ops->append(j, parts, n, events, first_seq);
}

/* Read from the first block that has an event `seq` or later; records before it in that block are skipped (others
 * in the block are not). NULL: out of memory. */
static inline struct journal_cursor *journal_cursor(struct journal *j, uint64_t seq)
{
	return j->ops->cursor(j, seq);
}

/* Read from the block that begins at or after `pos`. */
static inline struct journal_cursor *journal_cursor_at(struct journal *j, struct journal_pos pos)
{
	return j->ops->cursor_at(j, pos);
}

/* 1: a record; 0: the end of what is committed (call again later); -errno: a file cannot be read, nothing is passed
 * over, try again. A damaged block is set aside, counted and passed over. A cursor whose segment was trimmed goes on with the oldest one. */
static inline int journal_next(struct journal *j, struct journal_cursor *c, struct record *r)
{
	return j->ops->next(c, r);
}

/* Go on at event `seq`, as a new cursor would, but cheaply where that is in the block it is in. */
static inline void journal_seek(struct journal *j, struct journal_cursor *c, uint64_t seq)
{
	j->ops->seek(c, seq);
}

static inline void journal_cursor_close(struct journal *j, struct journal_cursor *c)
{
	if (c != NULL)
		j->ops->cursor_close(c);
}

/* Append the bytes of event `seq` to `out`. 0, -ENOENT (trimmed, damaged or never there), -errno. */
static inline int journal_get(struct journal *j, uint64_t seq, struct buf *out)
{
	return j->ops->get(j, seq, out);
}

/* Unlink each oldest sealed segment whose events are all below `seq` and which ends at or before `pos`. How many, or -errno. */
static inline int journal_trim(struct journal *j, uint64_t seq, struct journal_pos pos)
{
	return j->ops->trim(j, seq, pos);
}

static inline void journal_stat(struct journal *j, struct journal_stat *st)
{
	j->ops->stat(j, st);
}

/* Bytes from event `seq` to the end, 0 when it is still to come. It may say more: up to 64 KiB, or, in a segment that was
 * not read since the start, up to its beginning. [any] */
static inline uint64_t journal_bytes_from(struct journal *j, uint64_t seq)
{
	return j->ops->bytes_from(j, seq);
}

/* So many bytes that are elsewhere count towards `max_size`, in the place of those charged before. [any] */
static inline void journal_charge(struct journal *j, uint64_t bytes)
{
	j->ops->charge(j, bytes);
}

/* Why the last append that said -ENOSPC did: a phrase that names what is full. The committing thread; until its next append. */
static inline const char *journal_why_full(struct journal *j)
{
	return j->ops->why_full(j);
}

static inline void journal_close(struct journal *j)
{
	if (j != NULL)
		j->ops->close(j);
}

#endif
