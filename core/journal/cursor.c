/*
 * cursor.c - read records in order, from a sequence number or a place on.
 *
 * A cursor finds the block it wants by going from header to header, beginning at what the index
 * knows; each block is checked whole before its first record is handed out. It knows segments by
 * number only, so that any may be trimmed between two calls.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "journal/window.h"

#define CURSOR_MAGIC 0x4a637572u

struct journal_cursor {
	unsigned magic;
	struct segmented *in;
	struct window window;
	struct journal_pos next;	/* where the next block begins, or is looked for */
	struct journal_pos from_pos;	/* blocks that begin before it are passed over */
	uint64_t from_seq;		/* events before it are passed over */
	bool seeking;			/* and blocks without an event from there on */
	uint64_t floor;			/* no block that comes now has a lower number */
	struct block_header block;	/* the one being read; its records are in the window: */
	struct pb_span records;		/* … .data NULL: none */
	size_t at;			/* in the records */
	uint64_t seq;			/* the next event's in the records */
	size_t last_at;			/* where the last event handed out is, */
	uint64_t last_seq;		/* … and its number; UINT64_MAX: there was none yet in the records */
};

int journal_pos_cmp(struct journal_pos a, struct journal_pos b)
{
	if (a.segment != b.segment)
		return a.segment < b.segment ? -1 : 1;
	return a.offset < b.offset ? -1 : a.offset > b.offset;
}

static struct journal_cursor *cursor_new(struct segmented *j)
{
	struct journal_cursor *c = xcalloc(1, sizeof *c);
	*c = (struct journal_cursor){ .magic = CURSOR_MAGIC, .in = j };
	return c;
}

static void seek_seq(struct journal_cursor *c, uint64_t seq)
{
	c->records = SPAN_NONE;
	c->from_seq = seq;
	c->seeking = true;
	c->floor = 0;
	c->next = segments_find(c->in, seq);
}

struct journal_cursor *cursor_open(struct journal *journal, uint64_t seq)
{
	struct journal_cursor *c = cursor_new(segmented_of(journal));
	seek_seq(c, seq);
	return c;
}

struct journal_cursor *cursor_open_at(struct journal *journal, struct journal_pos pos)
{
	struct journal_cursor *c = cursor_new(segmented_of(journal));
	c->from_pos = pos;
	c->next = segments_find_pos(c->in, pos);
	return c;
}

void cursor_close(struct journal_cursor *c)
{
	CHECK_OBJ(c, CURSOR_MAGIC);
	window_free(&c->window);
	c->magic = 0;
	free(c);
}

/* Look at the header where the next block begins. 0, -EBADMSG: there is none, -errno. */
static int read_header(struct journal_cursor *c, const struct view *view, struct block_header *b)
{
	const unsigned char *bytes;
	if (view->end - c->next.offset < BLOCK_HEADER)
		return -EBADMSG;
	int r = window_need(&c->window, c->in, view, c->next.offset, BLOCK_HEADER, &bytes);
	if (r == 0)
		r = block_header_decode(bytes, b);
	if (r == 0 && b->first_seq < c->floor)
		r = -EBADMSG;
	return r == 0 ? view_fits(view, b, c->next.offset) : r;
}

static bool is_wanted(const struct journal_cursor *c, const struct block_header *b)
{
	if (journal_pos_cmp(c->next, c->from_pos) < 0)
		return false;
	return !c->seeking || b->first_seq + b->events > c->from_seq;
}

/* Read and check the records of the block. 0, -EBADMSG, -errno. */
static int read_records(struct journal_cursor *c, const struct view *view, const struct block_header *b)
{
	const unsigned char *bytes;
	int r = window_need(&c->window, c->in, view, c->next.offset, (size_t)block_size(b), &bytes);
	if (r == 0)
		r = block_check(b, bytes + BLOCK_HEADER);
	if (r != 0)
		return r;
	c->block = *b;
	c->records = span_of(bytes + BLOCK_HEADER, b->length);
	c->at = 0;
	c->seq = b->first_seq;
	c->last_seq = UINT64_MAX;
	c->seeking = false;
	return 0;
}

/* Take or pass over the block that begins at c->next. 0 or -errno. */
static int step(struct journal_cursor *c, const struct view *view)
{
	struct block_header b;
	uint64_t begin = c->next.offset, size = 0;
	int r = read_header(c, view, &b);
	if (r == 0) {
		size = block_size(&b);
		c->floor = b.first_seq + b.events;
		segments_index(c->in, view->segment, b.first_seq, begin);
		if (is_wanted(c, &b))
			r = read_records(c, view, &b);
	}
	if (r == 0)
		c->next.offset += size;
	return r == -EBADMSG ? damage_pass(c->in, view, begin, size, &c->next.offset) : r;
}

/* Go on to the next block that is wanted. 1, 0 at the end, -errno. */
static int next_block(struct journal_cursor *c)
{
	c->records = SPAN_NONE;
	while (c->records.data == NULL) {
		struct view view;
		int r = segments_view(c->in, c->next.segment, &view);
		if (r != 0)
			return r == -ENOENT ? 0 : r;
		if (view.number != c->next.segment || c->next.offset < SEGMENT_HEADER)
			c->next = (struct journal_pos){ view.number, SEGMENT_HEADER };
		if (c->next.offset < view.end)
			r = step(c, &view);
		else if (view.sealed)
			c->next = (struct journal_pos){ view.number + 1, SEGMENT_HEADER };
		else
			return 0;
		if (r != 0)
			return r;
	}
	return 1;
}

/* The next record of the block that is wanted. */
static bool next_record(struct journal_cursor *c, struct record *r)
{
	uint32_t kind;
	for (size_t at = c->at; c->records.data != NULL && block_record(c->records, &c->at, &kind, &r->data); at = c->at) {
		r->kind = kind;
		r->seq = c->seq;
		r->block_end = (struct journal_pos){
			c->block.segment, c->block.offset + block_size(&c->block)
		};
		if (kind == RECORD_EVENT && c->seq++ < c->from_seq)
			continue;
		if (kind == RECORD_EVENT) {
			c->last_at = at;
			c->last_seq = r->seq;
		}
		if (kind >= RECORD_EVENT && kind < RECORD_KINDS)
			return true;
	}
	return false;
}

int cursor_next(struct journal_cursor *c, struct record *record)
{
	CHECK_OBJ(c, CURSOR_MAGIC);
	while (!next_record(c, record)) {
		int r = next_block(c);
		if (r <= 0)
			return r;
	}
	return 1;
}

/* Reading a block again costs more than all else: what is asked for is often in the block read last, or is the very event
 * that was read last. */
void cursor_seek(struct journal_cursor *c, uint64_t seq)
{
	CHECK_OBJ(c, CURSOR_MAGIC);
	const struct block_header *b = &c->block;
	if (c->records.data == NULL || seq < b->first_seq || seq >= b->first_seq + b->events) {
		seek_seq(c, seq);
		return;
	}
	c->from_seq = seq;
	if (seq >= c->seq)
		return;
	c->at = seq == c->last_seq ? c->last_at : 0;
	c->seq = seq == c->last_seq ? seq : b->first_seq;
}

int cursor_get(struct journal *journal, uint64_t seq, struct buf *out)
{
	struct segmented *j = segmented_of(journal);
	pthread_mutex_lock(&j->lock);
	bool there = seq >= j->segments[0]->header.first_seq && seq < j->next_seq;
	pthread_mutex_unlock(&j->lock);
	if (!there)
		return -ENOENT;
	if (j->getter == NULL)
		j->getter = cursor_new(j);
	cursor_seek(j->getter, seq);
	struct record record;
	int r;
	while ((r = cursor_next(j->getter, &record)) > 0 && record.kind != RECORD_EVENT)
		;
	if (r <= 0 || record.seq != seq)
		return r < 0 ? r : -ENOENT;
	return buf_add(out, record.data.data, record.data.len);
}
