/*
 * append.c - make one block durable.
 *
 * The caller's parts go from where they are to the disk: one pwritev, one fdatasync.
 * Nobody reads beyond the committed end, so a block shows only when it is durable; until
 * then a failure for want of space is undone by cutting the file back. Space is not reserved
 * ahead: on ext4, fallocate() made nothing faster, and zeros written 1 MiB ahead made blocks of up
 * to 16 KiB durable 1.5 times as fast, but those of 128 KiB 0.75 times.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "journal/segment.h"

#define SEAL_FROM 65536	/* bytes of a segment that are worth making it one that can go */

/* The journal's own limit, the disk's, the owner's quota and the process's file size limit are one thing to the caller. */
static int as_no_space(int error)
{
	return error == -EDQUOT || error == -EFBIG ? -ENOSPC : error;
}

static int fail(struct segmented *j, const char *what, int error)
{
	log_error("journal: %s: %s: %s", j->folder, what, strerror(-error));
	j->failed = error;
	return error;
}

/* Nothing of the block may be left: it could be whole on the disk although its write or sync failed. */
static int undo(struct segmented *j, int error)
{
	struct segment *s = j->newest;
	int r = files_truncate(j->files, s->file, s->end);
	step_at("undo: cut, not synced");
	if (r == 0)
		r = files_sync(j->files, s->file);
	step_at("undo: synced");
	if (r != 0)
		return fail(j, "cannot take back a block", r == -ENOSPC ? -EIO : r);
	return error;
}

static int roll(struct segmented *j)
{
	struct segment_header header = {
		.number = j->newest->header.number + 1,
		.first_seq = j->next_seq,
		.salt = segment_salt(),
	};
	int file = as_no_space(segment_create(j->files, &header));
	if (file == -ENOSPC)
		return file;
	if (file == -EMFILE || file == -ENFILE || file == -ENOMEM) {
		log_warn("journal: %s: cannot make a segment yet: %s", j->folder, strerror(-file));
		return 0;	/* this one can just as well grow on */
	}
	if (file < 0)
		return fail(j, "cannot make a segment", file);
	step_at("segment: rolled over");
	struct segment *s = segment_new(&header, file, SEGMENT_HEADER);
	pthread_mutex_lock(&j->lock);
	j->stated_seq = j->next_seq;
	segments_push(j, s);
	int idle = segments_take_idle_file(j);
	pthread_mutex_unlock(&j->lock);
	if (idle >= 0)
		files_close_file(j->files, idle);
	return 0;
}

/* Numbers end only where a damaged or forged block said so. */
static bool numbers_end(const struct segmented *j, uint32_t events)
{
	return j->next_seq > NUMBER_MAX - events || j->newest->header.number >= NUMBER_MAX;
}

/* Only a sealed segment can go: what the newest holds may be all that is in the way, and nobody may need it. But
 * not every refusal makes a segment: it must hold something, unless it is the only one. -ENOSPC, or another failure. */
static int refuse(struct segmented *j)
{
	uint64_t worth = j->options.segment_size < SEAL_FROM ? j->options.segment_size : SEAL_FROM;
	pthread_mutex_lock(&j->lock);
	bool alone = j->n == 1;
	pthread_mutex_unlock(&j->lock);
	int r = 0;
	if (j->newest->end > SEGMENT_HEADER && (alone || j->newest->end >= worth))
		r = roll(j);
	return r < 0 ? r : -ENOSPC;
}

static int refuse_for_disk(struct segmented *j)
{
	snprintf(j->why_full, sizeof j->why_full, "no space on the disk of %s", j->folder);
	return refuse(j);
}

static bool disk_has_room(struct segmented *j, uint64_t size)
{
	uint64_t space;
	if (j->options.spare == 0 || files_space(j->files, &space) != 0)
		return true;
	return space >= size && space - size >= j->options.spare;
}

static int make_room(struct segmented *j, uint64_t size)
{
	bool full = j->newest->end >= j->options.segment_size && j->newest->end > SEGMENT_HEADER;
	size += full ? SEGMENT_HEADER : 0;
	pthread_mutex_lock(&j->lock);
	uint64_t bytes = j->bytes + j->charged + size;
	pthread_mutex_unlock(&j->lock);
	if (j->options.max_size != 0 && bytes > j->options.max_size) {
		snprintf(j->why_full, sizeof j->why_full, "max_size, %llu bytes, is reached",
			 (unsigned long long)j->options.max_size);
		return refuse(j);
	}
	if (!disk_has_room(j, size))
		return refuse_for_disk(j);
	return full ? roll(j) : 0;
}

const char *segments_why_full(struct journal *journal)
{
	return segmented_of(journal)->why_full;
}

/* Gather header and parts for pwritev; the block's header but for its place. */
static int gather(struct segmented *j, const struct pb_span parts[], size_t n,
		  struct block_header *block)
{
	if (n + 1 > j->parts_cap) {
		j->parts_cap = n + 16;
		j->parts = xrealloc(j->parts, j->parts_cap, sizeof *j->parts);
	}
	uint64_t length = 0;
	for (size_t i = 0; i < n; i++) {
		j->parts[i + 1] = (struct iovec){ (void *)parts[i].data, parts[i].len };
		block->crc = crc32c(block->crc, parts[i].data, parts[i].len);
		length += parts[i].len;
	}
	block->length = (uint32_t)length;
	return length <= BLOCK_MAX ? 0 : -EMSGSIZE;
}

static int write_block(struct segmented *j, struct block_header *block, size_t n)
{
	struct segment *s = j->newest;
	unsigned char bytes[BLOCK_HEADER];
	block->salt = s->header.salt;
	block->segment = s->header.number;
	block->offset = s->end;
	block->first_seq = j->next_seq;
	block_header_encode(block, bytes);
	j->parts[0] = (struct iovec){ bytes, sizeof bytes };
	step_at("append: nothing written");
	int r = as_no_space(files_write(j->files, s->file, j->parts, n + 1, s->end));
	step_at("append: written, not synced");
	if (r == -ENOSPC)
		return undo(j, r);
	if (r != 0)
		return fail(j, "write", r);
	r = as_no_space(files_sync(j->files, s->file));
	step_at("append: synced");
	if (r == -ENOSPC)
		return undo(j, r);
	return r == 0 ? 0 : fail(j, "sync", r);
}

static void publish(struct segmented *j, const struct block_header *block)
{
	pthread_mutex_lock(&j->lock);
	index_add(&j->newest->index, block->first_seq, block->offset);
	j->newest->end += block_size(block);
	j->bytes += block_size(block);
	j->next_seq += block->events;
	j->stated_seq = j->next_seq;
	pthread_mutex_unlock(&j->lock);
}

int segments_append(struct journal *journal, const struct pb_span parts[], size_t n, uint32_t events,
		    uint64_t *first_seq)
{
	struct segmented *j = segmented_of(journal);
	assert(block_parts_hold(parts, n, events));
	if (j->failed != 0)
		return j->failed;
	struct block_header block = { .events = events };
	j->why_full[0] = '\0';
	int r = gather(j, parts, n, &block);
	if (r == 0 && numbers_end(j, events))
		r = -EOVERFLOW;
	if (r == 0)
		r = make_room(j, block_size(&block));
	if (r == 0)
		r = write_block(j, &block, n);
	if (r == -ENOSPC && j->why_full[0] == '\0')
		r = refuse_for_disk(j);
	if (r != 0)
		return r;
	publish(j, &block);
	*first_seq = block.first_seq;
	return 0;
}
