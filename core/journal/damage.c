/*
 * damage.c - what is no valid block is named, counted, kept for the operator, and passed over.
 *
 * A whole header is trusted for its block's length even when the records are broken, so that a
 * search never looks for blocks inside of one; the salt keeps an event's body from posing as a block.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "journal/segment.h"

#define CHUNK 65536

int view_fits(const struct view *view, const struct block_header *b, uint64_t offset)
{
	return b->salt == view->salt && b->segment == view->number && b->offset == offset &&
	       b->first_seq >= view->first_seq && b->first_seq + b->events <= view->end_seq &&
	       block_size(b) <= view->end - offset ? 0 : -EBADMSG;
}

/* Is there a header in its place among these bytes of the segment? The index of the first, else -1; *scanned is how
 * many bytes need not be looked at again. */
static ssize_t search_chunk(const struct view *view, uint64_t offset, const unsigned char *data,
			    size_t len, size_t *scanned)
{
	size_t at = 0;
	*scanned = 0;
	while (len - at >= BLOCK_HEADER) {
		const unsigned char *hit = memmem(data + at, len - at, block_magic, sizeof block_magic);
		at = hit == NULL ? len - (sizeof block_magic - 1) : (size_t)(hit - data);
		*scanned = at;
		if (hit == NULL || len - at < BLOCK_HEADER)
			return -1;
		struct block_header b;
		if (block_header_decode(hit, &b) == 0 && view_fits(view, &b, offset + at) == 0)
			return (ssize_t)at;
		*scanned = ++at;
	}
	return -1;
}

int damage_search(struct segmented *j, const struct view *view, uint64_t from, uint64_t *at)
{
	unsigned char *chunk = xcalloc(1, CHUNK);
	int r = 0;
	*at = view->end;
	while (view->end - from >= BLOCK_HEADER) {
		size_t got, scanned;
		uint64_t left = view->end - from;
		r = files_read(j->files, view->file, chunk, left < CHUNK ? (size_t)left : CHUNK, from, &got);
		if (r != 0 || got < BLOCK_HEADER)
			break;
		ssize_t found = search_chunk(view, from, chunk, got, &scanned);
		if (found >= 0) {
			*at = from + (uint64_t)found;
			break;
		}
		if (scanned == 0)
			break;
		from += scanned;
	}
	free(chunk);
	return r;
}

static int copy_range(struct segmented *j, int from_file, struct hole hole, int to_file)
{
	unsigned char *chunk = xcalloc(1, CHUNK);
	int r = 0;
	for (uint64_t at = hole.from; r == 0 && at < hole.to; at += CHUNK) {
		uint64_t left = hole.to - at;
		struct iovec part = { .iov_base = chunk };
		r = files_read(j->files, from_file, chunk, left < CHUNK ? (size_t)left : CHUNK, at,
			       &part.iov_len);
		if (r == 0)
			r = files_write(j->files, to_file, &part, 1, at - hole.from);
	}
	free(chunk);
	return r == 0 ? files_sync(j->files, to_file) : r;
}

/* A copy for the operator; that there is room for it is not sure. */
static void keep_copy(struct segmented *j, const struct view *view, struct hole hole, const char *name)
{
	int file = files_create(j->files, name);
	if (file == -EEXIST)
		return;
	int r = file < 0 ? file : copy_range(j, view->file, hole, file);
	if (file >= 0)
		files_close_file(j->files, file);
	if (r != 0) {
		files_remove(j->files, name);
		log_warn("journal: %s/%s: cannot keep a copy: %s", j->folder, name, strerror(-r));
	}
}

void damage_name(uint64_t segment, uint64_t from, char name[static FLAW_NAME_SIZE])
{
	snprintf(name, FLAW_NAME_SIZE, "damaged/%016llx-%016llx.block", (unsigned long long)segment,
		 (unsigned long long)from);
}

/* Say so and keep a copy; or just tell whoever only reads. */
static void keep_or_tell(struct segmented *j, const struct view *view, struct hole hole)
{
	char name[FLAW_NAME_SIZE], segment[SEGMENT_NAME_SIZE];
	if (j->read_only) {
		segments_flaw(j, FLAW_BLOCK, view->number, hole.from, hole.to);
		return;
	}
	damage_name(view->number, hole.from, name);
	segment_name(view->number, segment);
	log_error("journal: %s/%s: %llu bytes at %llu are no valid block; set aside as %s", j->folder,
		  segment, (unsigned long long)(hole.to - hole.from), (unsigned long long)hole.from, name);
	keep_copy(j, view, hole, name);
}

void damage_set_aside(struct segmented *j, const struct view *view, struct hole hole)
{
	struct segment *s = view->segment;
	s->holes = xrealloc(s->holes, s->n_holes + 1, sizeof *s->holes);
	s->holes[s->n_holes++] = hole;
	pthread_mutex_lock(&j->lock);
	j->damaged_blocks++;
	j->damaged_bytes += hole.to - hole.from;
	pthread_mutex_unlock(&j->lock);
	keep_or_tell(j, view, hole);
}

int damage_pass(struct segmented *j, const struct view *view, uint64_t from, uint64_t size, uint64_t *to)
{
	const struct segment *s = view->segment;
	for (size_t i = 0; i < s->n_holes; i++) {
		if (from >= s->holes[i].from && from < s->holes[i].to) {
			*to = s->holes[i].to;
			return 0;
		}
	}
	int r = 0;
	if (size > 0)
		*to = from + size;
	else
		r = damage_search(j, view, from + 1, to);
	if (r == 0)
		damage_set_aside(j, view, (struct hole){ from, *to });
	return r;
}
