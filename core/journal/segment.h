/*
 * segment.h - the segments of an open journal, inside the folder core/journal only.
 *
 * One thread appends (append.c), one other reads and trims (cursor.c, damage.c). What both touch is
 * under `lock`, which is never held during I/O. A segment's struct goes only by trim, so the reading
 * thread may hold on to one while it does not trim.
 */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include <pthread.h>

#include "base/magic.h"
#include "journal/block.h"
#include "journal/files.h"
#include "journal/index.h"
#include "journal/journal.h"

#define SEGMENTED_MAGIC 0x4a736567u
#define SEGMENT_NAME_SIZE sizeof "0123456789abcdef.seg"

struct hole {
	uint64_t from, to;	/* bytes of a segment that are no valid block, found and counted */
};

struct segment {
	struct segment_header header;
	bool header_made_up;	/* the one on disk is damaged */
	uint64_t end;		/* where the next block goes; of a sealed one: its size */
	uint64_t base;		/* bytes of all segments before it since the journal was opened */
	int file;		/* -1: closed; the newest one's is always open */
	uint64_t used;		/* `ticks` when it was last viewed */
	struct index index;
	struct hole *holes;	/* the reading thread's; not sorted */
	size_t n_holes;
};

struct segmented {
	unsigned magic;
	struct journal journal;
	char *folder;		/* for messages */
	struct files *files;
	struct journal_options options;
	bool read_only;		/* nothing on disk changes */
	bool trim_failed;	/* and that was said */
	struct journal_reading reading;	/* who is told, when read_only */

	pthread_mutex_t lock;	/* guards from here … */
	struct segment **segments;	/* ascending; at least one; the last is the newest: not sealed */
	size_t n, cap;
	uint64_t next_seq, bytes;
	uint64_t charged;	/* bytes elsewhere that count towards max_size */
	uint64_t stated_seq;	/* what a reader of the disk would take for next_seq */
	uint64_t ticks;		/* counts views */
	uint64_t damaged_blocks, damaged_bytes;	/* … to here, and each segment's end, file, used and index */

	/* the appending thread's */
	struct segment *newest;
	char why_full[512];	/* the last append had no room, in words */
	int failed;		/* -errno of the failure after which nothing may be appended */
	struct iovec *parts;
	size_t parts_cap;

	/* the reading thread's */
	struct journal_cursor *getter;	/* keeps the block that journal_get() read last */
};

/* What the reading thread may know of a segment without the lock. */
struct view {
	struct segment *segment;
	uint64_t number, salt;
	uint64_t first_seq, end_seq;	/* its events' numbers are in [first_seq, end_seq) */
	uint64_t end;			/* bytes that are committed */
	int file;
	bool sealed;
};

/* What a journal that segmented_open() made is in truth. */
struct segmented *segmented_of(struct journal *);
/* A journal over `files`, which it then owns, or NULL after error_add() (then they are closed too). */
struct journal *segmented_open(struct files *, const char *folder, const struct journal_options *,
			       struct pb_error *);

/* The name of the segment's file. */
void segment_name(uint64_t number, char name[static SEGMENT_NAME_SIZE]);
/* The number in a segment's name; false: the name is not one. */
bool segment_number(const char *name, uint64_t *number);

/* A number that nobody outside can guess. */
uint64_t segment_salt(void);
/* Make the file of a new segment, durable with its header. Its number as a file, -ENOSPC (nothing is left of it), or -errno. */
int segment_create(struct files *, const struct segment_header *);
struct segment *segment_new(const struct segment_header *, int file, uint64_t end);
void segment_free(struct segment *, struct files *);
/* Of the sealed segments with an open file, take the least recently used one's when they are too many, for the caller to
 * close: else -1. Never that of the segment viewed last, which the reading thread may be at work on. The caller holds
 * the lock. */
int segments_take_idle_file(struct segmented *);
/* Put it last. The caller holds the lock, or is alone. */
void segments_push(struct segmented *, struct segment *);

/* The segment `number`, or the next there is; its file is open. 0, -ENOENT, -errno. [reading thread] */
int segments_view(struct segmented *, uint64_t number, struct view *);
/* Where to begin to look for event `seq`. [reading thread] */
struct journal_pos segments_find(struct segmented *, uint64_t seq);
/* Where to begin to look for the block at `pos`. [reading thread] */
struct journal_pos segments_find_pos(struct segmented *, struct journal_pos pos);
void segments_index(struct segmented *, struct segment *, uint64_t seq, uint64_t offset);
int segments_trim(struct journal *, uint64_t seq, struct journal_pos);
uint64_t segments_bytes_from(struct journal *, uint64_t seq);

/* The name of a damaged block's copy. */
void damage_name(uint64_t segment, uint64_t from, char name[static FLAW_NAME_SIZE]);
/* What is known of a segment from its header, else from its first block. 0; 1: from the block; -EBADMSG, -EMEDIUMTYPE,
 * -EPROTONOSUPPORT, -errno. */
int segment_header_read(struct files *, int file, uint64_t number, struct segment_header *);
/* Tell whoever reads of a flaw. */
void segments_flaw(struct segmented *, enum journal_flaw_kind, uint64_t segment, uint64_t from, uint64_t to);

/* Find the segments in the folder, or make the first. 0 or -errno after error_add(). */
int segments_recover(struct segmented *, struct pb_error *);

/* The append, next and get of journal.h's interface: the contract is there. */
int segments_append(struct journal *, const struct pb_span parts[], size_t n, uint32_t events,
		    uint64_t *first_seq);
const char *segments_why_full(struct journal *);
struct journal_cursor *cursor_open(struct journal *, uint64_t seq);
struct journal_cursor *cursor_open_at(struct journal *, struct journal_pos);
int cursor_next(struct journal_cursor *, struct record *);
void cursor_seek(struct journal_cursor *, uint64_t seq);
void cursor_close(struct journal_cursor *);
int cursor_get(struct journal *, uint64_t seq, struct buf *);

/* Is this header in its place in the segment? 0 or -EBADMSG. */
int view_fits(const struct view *, const struct block_header *, uint64_t offset);
/* The next header in its place at or after `from`: *at; view->end when there is none. 0 or -errno. */
int damage_search(struct segmented *, const struct view *, uint64_t from, uint64_t *at);
/* What is at `from` is no valid block: set it aside unless that was done before; *to is where to go on. `size` is what
 * its header says, 0 when there is no telling. 0 or -errno. [reading thread] */
int damage_pass(struct segmented *, const struct view *, uint64_t from, uint64_t size, uint64_t *to);
/* The same for a known range. */
void damage_set_aside(struct segmented *, const struct view *, struct hole);

#endif
