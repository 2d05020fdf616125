/* mend.c - headers written anew, files moved to damaged/, gaps filled. */
#include "journal/mend.h"

#include <errno.h>
#include <stdio.h>

#include "journal/segment.h"

static int write_header(struct files *files, int file, const struct segment_header *header)
{
	unsigned char bytes[SEGMENT_HEADER];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
	segment_header_encode(header, bytes);
	int r = files_write(files, file, &part, 1, 0);
	return r == 0 ? files_sync(files, file) : r;
}

int journal_mend_header(const char *folder, uint64_t segment)
{
	int r;
	char name[SEGMENT_NAME_SIZE];
	struct segment_header header;
	struct files *files = files_open(folder, &r);
	if (files == NULL)
		return r;
	segment_name(segment, name);
	int file = files_open_file(files, name);
	r = file < 0 ? file : segment_header_read(files, file, segment, &header);
	if (r == 1)
		r = write_header(files, file, &header);
	if (file >= 0)
		files_close_file(files, file);
	files_close(files);
	return r;
}

/* The name is taken first: that makes the folder, and nothing is overwritten. */
static int move_aside(struct files *files, const char *name)
{
	char to[FLAW_NAME_SIZE];
	snprintf(to, sizeof to, "damaged/%s", name);
	int file = files_create(files, to);
	if (file < 0)
		return file;
	files_close_file(files, file);
	int r = files_rename(files, name, to);
	return r == 0 ? files_sync_folder(files) : r;
}

int journal_set_segment_aside(const char *folder, uint64_t segment)
{
	int r;
	char name[SEGMENT_NAME_SIZE];
	struct files *files = files_open(folder, &r);
	if (files == NULL)
		return r;
	segment_name(segment, name);
	r = move_aside(files, name);
	files_close(files);
	return r;
}

int journal_fill_gap(const char *folder, uint64_t segment, uint64_t first_seq)
{
	int r;
	struct segment_header header = { segment, first_seq, segment_salt() };
	struct files *files = files_open(folder, &r);
	if (files == NULL)
		return r;
	int file = segment_create(files, &header);
	if (file >= 0)
		files_close_file(files, file);
	files_close(files);
	return file < 0 ? file : 0;
}
