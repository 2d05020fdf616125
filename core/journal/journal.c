/*
 * journal.c - the journal as its users see it: open, close, how full it is.
 *
 * What is promised: an append that returned is there after any crash; nothing that was not appended is
 * ever read; a sequence number is given once. The journal knows frames, blocks and segments (segment.h
 * tells who does what); it must not know what an event, a mark or a lane is.
 */
#include "journal/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "journal/segment.h"

static void segmented_stat(struct journal *journal, struct journal_stat *st)
{
	struct segmented *j = segmented_of(journal);
	pthread_mutex_lock(&j->lock);
	const struct segment *newest = j->segments[j->n - 1];
	*st = (struct journal_stat){
		.first_seq = j->segments[0]->header.first_seq,
		.next_seq = j->next_seq,
		.skips = j->next_seq > j->stated_seq,
		.end = { newest->header.number, newest->end },
		.bytes = j->bytes,
		.grown = newest->base + newest->end,
		.segments = j->n,
		.damaged_blocks = j->damaged_blocks,
		.damaged_bytes = j->damaged_bytes,
		.oldest_end_seq = j->n > 1 ? j->segments[1]->header.first_seq : 0,
	};
	pthread_mutex_unlock(&j->lock);
}

static void segmented_charge(struct journal *journal, uint64_t bytes)
{
	struct segmented *j = segmented_of(journal);
	pthread_mutex_lock(&j->lock);
	j->charged = bytes;
	pthread_mutex_unlock(&j->lock);
}

static void segmented_close(struct journal *journal)
{
	struct segmented *j = segmented_of(journal);
	if (j->getter != NULL)
		cursor_close(j->getter);
	for (size_t i = 0; i < j->n; i++)
		segment_free(j->segments[i], j->files);
	files_close(j->files);
	pthread_mutex_destroy(&j->lock);
	free(j->segments);
	free(j->parts);
	free(j->folder);
	j->magic = 0;
	free(j);
}

static const struct journal_ops segmented_ops = {
	.append = segments_append,
	.bytes_from = segments_bytes_from,
	.charge = segmented_charge,
	.why_full = segments_why_full,
	.cursor = cursor_open,
	.cursor_at = cursor_open_at,
	.next = cursor_next,
	.seek = cursor_seek,
	.cursor_close = cursor_close,
	.get = cursor_get,
	.trim = segments_trim,
	.stat = segmented_stat,
	.close = segmented_close,
};

static struct segmented *segmented_new(struct files *files, const char *folder, const struct journal_options *options)
{
	struct segmented *j = xcalloc(1, sizeof *j);
	*j = (struct segmented){
		.magic = SEGMENTED_MAGIC,
		.journal = { &segmented_ops },
		.folder = xstrdup(folder),
		.files = files,
		.options = *options,
	};
	pthread_mutex_init(&j->lock, NULL);
	return j;
}

struct journal *segmented_open(struct files *files, const char *folder, const struct journal_options *options,
			       struct pb_error *error)
{
	struct segmented *j = segmented_new(files, folder, options);
	if (segments_recover(j, error) == 0)
		return &j->journal;
	segmented_close(&j->journal);
	return NULL;
}

struct journal *journal_open(const char *folder, const struct journal_options *options, struct pb_error *error)
{
	int r;
	struct files *files = files_open(folder, &r);
	if (files == NULL) {
		error_add(error, NULL, "journal: %s: %s", folder, strerror(-r));
		return NULL;
	}
	return segmented_open(files, folder, options, error);
}

struct journal *journal_open_read(const char *folder, const struct journal_reading *reading, struct pb_error *error)
{
	int r;
	struct files *files = files_open_read(folder, &r);
	if (files == NULL) {
		error_add(error, NULL, "journal: %s: %s", folder, strerror(-r));
		errno = -r;
		return NULL;
	}
	struct segmented *j = segmented_new(files, folder, &(struct journal_options){ .max_size = 0 });
	j->read_only = true;
	j->reading = *reading;
	j->failed = -EROFS;
	r = segments_recover(j, error);
	if (r == 0)
		return &j->journal;
	segmented_close(&j->journal);
	errno = -r;
	return NULL;
}

void segments_flaw(struct segmented *j, enum journal_flaw_kind kind, uint64_t segment, uint64_t from, uint64_t to)
{
	j->reading.flaw(j->reading.arg, &(struct journal_flaw){ kind, segment, from, to });
}

bool journal_segment_at(struct journal *journal, size_t i, struct journal_segment *of)
{
	struct segmented *j = segmented_of(journal);
	pthread_mutex_lock(&j->lock);
	bool there = i < j->n;
	if (there)
		*of = (struct journal_segment){
			.number = j->segments[i]->header.number, .bytes = j->segments[i]->end,
			.first_seq = j->segments[i]->header.first_seq,
		};
	pthread_mutex_unlock(&j->lock);
	return there;
}

bool journal_flaw_kept(struct journal *journal, const struct journal_flaw *flaw, char name[static FLAW_NAME_SIZE])
{
	struct segmented *j = segmented_of(journal);
	damage_name(flaw->segment, flaw->from, name);
	int file = files_open_file(j->files, name);
	if (file >= 0)
		files_close_file(j->files, file);
	return file >= 0;
}
