/*
 * files.h - what the journal asks of a folder of files, and nothing more.
 *
 * files.c is the real one; simulated.c keeps the files in memory and crashes on
 * demand. So all of the journal but the system calls is the same in both. Names are
 * relative to the folder; "damaged/NAME" is the one folder in it. A file is a small
 * number. Every call gives 0 or -errno if nothing else is said. [any thread]
 */
#ifndef JOURNAL_FILES_H
#define JOURNAL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct files;

struct files_ops {
	int (*list)(struct files *, void (*each)(void *arg, const char *name), void *arg);
	int (*create)(struct files *, const char *name);
	int (*open)(struct files *, const char *name);
	int (*size)(struct files *, int file, uint64_t *bytes);
	int (*read)(struct files *, int file, void *to, size_t len, uint64_t offset, size_t *got);
	int (*write)(struct files *, int file, struct iovec *, size_t n, uint64_t offset);
	int (*sync)(struct files *, int file);
	int (*truncate)(struct files *, int file, uint64_t len);
	int (*rename)(struct files *, const char *from, const char *to);
	int (*remove)(struct files *, const char *name);
	int (*sync_folder)(struct files *);
	int (*space)(struct files *, uint64_t *bytes);
	void (*close_file)(struct files *, int file);
	void (*close)(struct files *);
};

struct files {
	const struct files_ops *ops;
};

/* The folder on disk, made 0700 when missing. NULL: *error is -errno. */
struct files *files_open(const char *folder, int *error);
/* The same only to read: nothing is made, and what would change a file fails. */
struct files *files_open_read(const char *folder, int *error);

/* Each regular file's name, in no order. */
static inline int files_list(struct files *f, void (*each)(void *arg, const char *name), void *arg)
{
	return f->ops->list(f, each, arg);
}

/* Make a file to read and write: its number, or -EEXIST, -errno. */
static inline int files_create(struct files *f, const char *name)
{
	return f->ops->create(f, name);
}

/* Open one that is there, to read and write: its number or -errno. */
static inline int files_open_file(struct files *f, const char *name)
{
	return f->ops->open(f, name);
}

static inline int files_size(struct files *f, int file, uint64_t *bytes)
{
	return f->ops->size(f, file, bytes);
}

/* Up to `len` bytes from `offset`; *got is less only at the end of the file. */
static inline int files_read(struct files *f, int file, void *to, size_t len, uint64_t offset,
			     size_t *got)
{
	return f->ops->read(f, file, to, len, offset, got);
}

/* All of the parts at `offset`; the parts are used up. When it fails, any of it may have been written. */
static inline int files_write(struct files *f, int file, struct iovec *parts, size_t n, uint64_t offset)
{
	return f->ops->write(f, file, parts, n, offset);
}

/* What was written to the file, and its length, survive a crash. */
static inline int files_sync(struct files *f, int file)
{
	return f->ops->sync(f, file);
}

static inline int files_truncate(struct files *f, int file, uint64_t len)
{
	return f->ops->truncate(f, file, len);
}

static inline int files_rename(struct files *f, const char *from, const char *to)
{
	return f->ops->rename(f, from, to);
}

static inline int files_remove(struct files *f, const char *name)
{
	return f->ops->remove(f, name);
}

/* What was made, renamed and removed so far survives a crash. */
static inline int files_sync_folder(struct files *f)
{
	return f->ops->sync_folder(f);
}

/* How much more may be written; UINT64_MAX: the file system does not say. */
static inline int files_space(struct files *f, uint64_t *bytes)
{
	return f->ops->space(f, bytes);
}

static inline void files_close_file(struct files *f, int file)
{
	f->ops->close_file(f, file);
}

static inline void files_close(struct files *f)
{
	f->ops->close(f);
}

#endif
