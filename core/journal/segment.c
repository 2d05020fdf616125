/* segment.c - the list of segments: names, files opened when needed, the index, trimming. */
#include "journal/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"

#define SEALED_OPEN_MAX 8	/* files of sealed segments kept open at a time */

struct segmented *segmented_of(struct journal *journal)
{
	struct segmented *j = CONTAINER_OF(journal, struct segmented, journal);
	CHECK_OBJ(j, SEGMENTED_MAGIC);
	return j;
}

void segment_name(uint64_t number, char name[static SEGMENT_NAME_SIZE])
{
	snprintf(name, SEGMENT_NAME_SIZE, "%016llx.seg", (unsigned long long)number);
}

bool segment_number(const char *name, uint64_t *number)
{
	char again[SEGMENT_NAME_SIZE];
	*number = strtoull(name, NULL, 16);
	segment_name(*number, again);
	return strcmp(name, again) == 0 && *number > 0 && *number <= NUMBER_MAX;
}

uint64_t segment_salt(void)
{
	uint64_t salt;
	while (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		;
	return salt;
}

/* The header is durable before the file gets its name: a file of that name always has one. */
static int create_named(struct files *files, int file, const struct segment_header *header,
			const char *temporary, const char *name)
{
	unsigned char bytes[SEGMENT_HEADER];
	segment_header_encode(header, bytes);
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
	step_at("segment: made, empty");
	int r = files_write(files, file, &part, 1, 0);
	step_at("segment: header written");
	if (r == 0)
		r = files_sync(files, file);
	step_at("segment: header synced");
	if (r == 0)
		r = files_rename(files, temporary, name);
	step_at("segment: named, folder not synced");
	if (r == 0 && files_sync_folder(files) != 0)
		r = -EIO;	/* the name may be there or not: no way back */
	return r;
}

int segment_create(struct files *files, const struct segment_header *header)
{
	char name[SEGMENT_NAME_SIZE], temporary[SEGMENT_NAME_SIZE + sizeof ".new"];
	segment_name(header->number, name);
	snprintf(temporary, sizeof temporary, "%s.new", name);
	files_remove(files, temporary);
	int file = files_create(files, temporary);
	if (file < 0)
		return file;
	int r = create_named(files, file, header, temporary, name);
	if (r == 0)
		return file;
	files_close_file(files, file);
	files_remove(files, temporary);
	return r;
}

struct segment *segment_new(const struct segment_header *header, int file, uint64_t end)
{
	struct segment *s = xcalloc(1, sizeof *s);
	*s = (struct segment){ .header = *header, .file = file, .end = end };
	return s;
}

void segment_free(struct segment *s, struct files *files)
{
	if (s->file >= 0)
		files_close_file(files, s->file);
	index_free(&s->index);
	free(s->holes);
	free(s);
}

void segments_push(struct segmented *j, struct segment *s)
{
	if (j->n == j->cap) {
		j->cap = j->cap == 0 ? 16 : j->cap * 2;
		j->segments = xrealloc(j->segments, j->cap, sizeof(struct segment *));
	}
	s->base = j->newest != NULL ? j->newest->base + j->newest->end : 0;
	j->segments[j->n++] = s;
	j->bytes += s->end;
	j->newest = s;
}

/* The first segment whose number is at least this, j->n when there is none. */
static size_t find_number(const struct segmented *j, uint64_t number)
{
	size_t low = 0, high = j->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (j->segments[mid]->header.number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The last segment that begins at or below `seq`, else the oldest. */
static size_t find_seq(const struct segmented *j, uint64_t seq)
{
	size_t low = 0, high = j->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (j->segments[mid]->header.first_seq <= seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low == 0 ? 0 : low - 1;
}

int segments_take_idle_file(struct segmented *j)
{
	struct segment *idle = NULL;
	size_t n = 0;
	for (size_t i = 0; i + 1 < j->n; i++) {
		struct segment *s = j->segments[i];
		if (s->file < 0)
			continue;
		n++;
		if ((j->ticks == 0 || s->used != j->ticks) && (idle == NULL || s->used < idle->used))
			idle = s;
	}
	if (n <= SEALED_OPEN_MAX || idle == NULL)
		return -1;
	int file = idle->file;
	idle->file = -1;	/* the index stays: it is small, and whoever comes back need not walk the segment */
	return file;
}

static int open_sealed(struct segmented *j, struct segment *s)
{
	char name[SEGMENT_NAME_SIZE];
	segment_name(s->header.number, name);
	int file = files_open_file(j->files, name);
	if (file < 0) {
		log_error("journal: %s/%s: %s", j->folder, name, strerror(-file));
		return file == -ENOENT ? -EIO : file;
	}
	pthread_mutex_lock(&j->lock);
	s->file = file;
	int idle = segments_take_idle_file(j);
	pthread_mutex_unlock(&j->lock);
	if (idle >= 0)
		files_close_file(j->files, idle);
	return 0;
}

static void fill_view(const struct segmented *j, size_t i, struct view *view)
{
	struct segment *s = j->segments[i];
	*view = (struct view){
		.segment = s, .number = s->header.number, .salt = s->header.salt,
		.first_seq = s->header.first_seq, .end = s->end, .file = s->file,
		.sealed = i + 1 < j->n,
		.end_seq = i + 1 < j->n ? j->segments[i + 1]->header.first_seq : j->next_seq,
	};
}

int segments_view(struct segmented *j, uint64_t number, struct view *view)
{
	pthread_mutex_lock(&j->lock);
	size_t i = find_number(j, number);
	int r = i < j->n ? 0 : -ENOENT;
	if (r == 0) {
		fill_view(j, i, view);
		view->segment->used = ++j->ticks;
	}
	pthread_mutex_unlock(&j->lock);
	if (r == 0 && view->file < 0) {
		r = open_sealed(j, view->segment);
		view->file = view->segment->file;
	}
	return r;
}

struct journal_pos segments_find(struct segmented *j, uint64_t seq)
{
	pthread_mutex_lock(&j->lock);
	const struct segment *s = j->segments[find_seq(j, seq)];
	struct journal_pos pos = {
		.segment = s->header.number,
		.offset = index_by_seq(&s->index, seq, SEGMENT_HEADER),
	};
	pthread_mutex_unlock(&j->lock);
	return pos;
}

struct journal_pos segments_find_pos(struct segmented *j, struct journal_pos pos)
{
	pthread_mutex_lock(&j->lock);
	size_t i = find_number(j, pos.segment);
	if (i < j->n && j->segments[i]->header.number == pos.segment)
		pos.offset = index_by_offset(&j->segments[i]->index, pos.offset, SEGMENT_HEADER);
	pthread_mutex_unlock(&j->lock);
	return pos;
}

uint64_t segments_bytes_from(struct journal *journal, uint64_t seq)
{
	struct segmented *j = segmented_of(journal);
	uint64_t bytes = 0;
	pthread_mutex_lock(&j->lock);
	if (seq < j->next_seq) {
		const struct segment *last = j->segments[j->n - 1], *s = j->segments[find_seq(j, seq)];
		bytes = last->base + last->end - s->base - index_by_seq(&s->index, seq, SEGMENT_HEADER);
	}
	pthread_mutex_unlock(&j->lock);
	return bytes;
}

void segments_index(struct segmented *j, struct segment *s, uint64_t seq, uint64_t offset)
{
	pthread_mutex_lock(&j->lock);
	index_add(&s->index, seq, offset);
	pthread_mutex_unlock(&j->lock);
}

/* The oldest segment, if nobody needs it. It stays on the list until its file is gone. */
static struct segment *oldest_unneeded(struct segmented *j, uint64_t seq, struct journal_pos pos)
{
	pthread_mutex_lock(&j->lock);
	struct segment *s = j->segments[0];
	bool needed = j->n < 2 || j->segments[1]->header.first_seq > seq ||
		      journal_pos_cmp((struct journal_pos){ s->header.number, s->end }, pos) > 0;
	pthread_mutex_unlock(&j->lock);
	return needed ? NULL : s;
}

static void take_oldest(struct segmented *j)
{
	pthread_mutex_lock(&j->lock);
	struct segment *s = j->segments[0];
	j->n--;
	memmove(j->segments, j->segments + 1, j->n * sizeof(struct segment *));
	j->bytes -= s->end;
	pthread_mutex_unlock(&j->lock);
	segment_free(s, j->files);
}

static int remove_oldest(struct segmented *j, const struct segment *s)
{
	char name[SEGMENT_NAME_SIZE];
	segment_name(s->header.number, name);
	step_at("trim: to be removed");
	int r = files_remove(j->files, name);
	step_at("trim: removed, folder not synced");
	if (r == 0 || r == -ENOENT) {
		take_oldest(j);
		return 0;
	}
	if (!j->trim_failed)
		log_error("journal: %s/%s: cannot be removed, tried again: %s", j->folder, name, strerror(-r));
	j->trim_failed = true;
	return r;
}

int segments_trim(struct journal *journal, uint64_t seq, struct journal_pos pos)
{
	struct segmented *j = segmented_of(journal);
	int gone = 0, r = 0;
	struct segment *s;
	while (r == 0 && (s = oldest_unneeded(j, seq, pos)) != NULL) {
		r = remove_oldest(j, s);
		gone += r == 0;
	}
	if (gone > 0 && r == 0)
		r = files_sync_folder(j->files);
	step_at("trim: done");
	return r < 0 ? r : gone;
}
