/* lines.c - a file that holds whole lines, whatever happens. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/lines.h"

void lines_init(struct lines *lines, const char *path, mode_t mode, bool sync)
{
	*lines = (struct lines){ .path = path, .mode = mode, .sync = sync, .begins = "",
				 .fd = -1, .whole = -1 };
}

void lines_close(struct lines *lines)
{
	if (lines->fd >= 0)
		close(lines->fd);
	lines->fd = -1;
	lines->whole = -1;
}

bool lines_gone(const struct lines *lines)
{
	struct stat st;
	return lines->fd >= 0 && fstat(lines->fd, &st) == 0 && st.st_nlink == 0;
}

static int fail(struct lines *lines, const char *doing, int error)
{
	snprintf(lines->error, sizeof lines->error, "%s: %s", doing, strerrordesc_np(error));
	return -error;
}

static int refuse(struct lines *lines, const char *why, int error)
{
	snprintf(lines->error, sizeof lines->error, "%s", why);
	return -error;
}

/* The new name is as durable as the lines will be. */
static int folder_sync(const char *path)
{
	char *folder = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	if (folder == NULL)
		return -ENOMEM;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
	free(folder);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno;	/* may be entered, not read: no way to sync */
	if (fsync(fd) < 0 && errno != EINVAL)
		error = -errno;
	close(fd);
	return error;
}

static int file_make(struct lines *lines)
{
	const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	lines->fd = open(lines->path, flags);
	if (lines->fd >= 0 || errno != ENOENT)
		return lines->fd < 0 ? fail(lines, "cannot open", errno) : 0;
	lines->fd = open(lines->path, flags | O_CREAT | O_EXCL, lines->mode);
	if (lines->fd < 0)
		return fail(lines, "cannot make", errno);
	if (fchmod(lines->fd, lines->mode) < 0)		/* whatever the umask is */
		return fail(lines, "cannot set the mode", errno);
	int error = lines->sync ? folder_sync(lines->path) : 0;
	return error < 0 ? fail(lines, "cannot sync the folder", -error) : 0;
}

static int file_claim(struct lines *lines, off_t *size)
{
	struct stat st;
	if (fstat(lines->fd, &st) < 0)
		return fail(lines, "cannot stat", errno);
	if (!S_ISREG(st.st_mode))
		return refuse(lines, "not a regular file", EINVAL);
	/* Where locks are not to be had (some network file systems) the operator is trusted. */
	if (flock(lines->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return refuse(lines, "another sink or program writes to it", EBUSY);
	*size = st.st_size;
	return 0;
}

/* How many bytes follow the last newline, up to just over `most`; -errno. */
static off_t tail_length(int fd, off_t size, off_t most)
{
	char block[4096];
	for (off_t end = size; end > 0 && size - end <= most; ) {
		size_t len = end < (off_t)sizeof block ? (size_t)end : sizeof block;
		ssize_t got = pread(fd, block, len, end - (off_t)len);
		if (got != (ssize_t)len)
			return got < 0 ? -errno : -EIO;
		const char *newline = memrchr(block, '\n', len);
		end -= (off_t)len;
		if (newline != NULL)
			return size - (end + (newline - block) + 1);
		if (end == 0)
			return size;
	}
	return size == 0 ? 0 : most + 1;
}

/* Is the torn line at `at` one of ours? A crash may have left zeros in place of it. */
static bool tail_is_ours(const struct lines *lines, off_t at, off_t len)
{
	char begin[64];
	size_t want = strlen(lines->begins);
	if (len > (off_t)lines->longest)
		return false;
	if ((off_t)want > len)
		want = (size_t)len;
	return pread(lines->fd, begin, want, at) == (ssize_t)want &&
	       (want == 0 || begin[0] == '\0' || memcmp(begin, lines->begins, want) == 0);
}

static int file_mend(struct lines *lines, off_t size, off_t *torn)
{
	*torn = tail_length(lines->fd, size, (off_t)lines->longest);
	if (*torn < 0)
		return fail(lines, "cannot read", (int)-*torn);
	if (*torn == 0)
		return 0;
	if (!tail_is_ours(lines, size - *torn, *torn))
		return refuse(lines, "its last line has no end and is none of this sink's", EINVAL);
	if (ftruncate(lines->fd, size - *torn) < 0)
		return fail(lines, "cannot cut off a torn line", errno);
	return 0;
}

int lines_open(struct lines *lines, off_t *torn)
{
	off_t size = 0;
	*torn = 0;
	int error = file_make(lines);
	if (error == 0)
		error = file_claim(lines, &size);
	if (error == 0)
		error = file_mend(lines, size, torn);
	if (error != 0)
		lines_close(lines);
	return error;
}

/* What a failure left behind; while it cannot be cut off nothing may follow it. */
static int lines_cut(struct lines *lines, off_t size)
{
	lines->whole = size;
	if (ftruncate(lines->fd, size) < 0)
		return fail(lines, "cannot cut off what was not written whole", errno);
	lines->whole = -1;
	return 0;
}

off_t lines_size(struct lines *lines)
{
	struct stat st;
	int error = lines->whole >= 0 ? lines_cut(lines, lines->whole) : 0;
	if (error < 0)
		return error;
	if (fstat(lines->fd, &st) < 0)
		return fail(lines, "cannot stat", errno);
	return st.st_size;
}

size_t lines_append(struct lines *lines, const char *data, const size_t ends[], size_t n)
{
	size_t all = ends[n - 1], at = 0, whole = 0;
	off_t from = lines_size(lines);
	if (from < 0)
		return 0;
	while (at < all) {
		ssize_t got = write(lines->fd, data + at, all - at);
		if (got < 0 && errno != EINTR)
			break;
		at += got > 0 ? (size_t)got : 0;
	}
	if (at == all)
		return n;
	fail(lines, "cannot write", errno);
	while (whole < n && ends[whole] <= at)
		whole++;
	size_t keep = whole == 0 ? 0 : ends[whole - 1];
	if (keep < at)
		lines_cut(lines, from + (off_t)keep);
	return whole;
}

int lines_sync(struct lines *lines, off_t from)
{
	if (!lines->sync || fdatasync(lines->fd) == 0)
		return 0;
	/* What the page cache still holds is no longer known. */
	int error = fail(lines, "cannot sync", errno);
	lines_cut(lines, from);
	return error;
}
