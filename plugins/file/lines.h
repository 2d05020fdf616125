/*
 * lines.h - a file that holds whole lines, whatever happens.
 *
 * A short write or a failed sync is undone by cutting the file back; a line that a
 * crash tore is cut off when the file is opened. The file is locked, since cutting is
 * safe only for its one writer.
 */
#ifndef FILE_LINES_H
#define FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lines {
	const char *path;
	mode_t mode;		/* of a file that is made, exactly */
	bool sync;		/* fdatasync with lines_sync() */
	size_t longest;		/* no line of ours is longer */
	const char *begins;	/* how each line of ours begins; "": any */
	int fd;			/* -1: not open */
	off_t whole;		/* after a failure: cut back to here before the next write; else -1 */
	char error[160];	/* why the last call failed */
};

/* Opens nothing yet; `path` must stay. */
void lines_init(struct lines *, const char *path, mode_t mode, bool sync);
/* Open or make the file; the rest of a torn last line is cut off, *torn bytes (not ours:
 * refused). 0 or -errno. */
int lines_open(struct lines *, off_t *torn);
void lines_close(struct lines *);
/* True when the open file was deleted: nobody would find what is written to it. */
bool lines_gone(const struct lines *);
/* Where the next write will begin. The size, or -errno. */
off_t lines_size(struct lines *);
/* Append all or, up to a line's end, less: on a failure whole lines stay of data[0..ends[n - 1]),
 * the i-th ending at ends[i]. How many; fewer than n: lines->error says why. */
size_t lines_append(struct lines *, const char *data, const size_t ends[], size_t n);
/* 0 or -errno; then the file is as it was at size `from`, as far as that can be. */
int lines_sync(struct lines *, off_t from);

#endif
