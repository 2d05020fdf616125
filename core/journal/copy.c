/* copy.c - file by file; the newest as long as it is when its turn comes: a torn end is cut off at a start. */
#include "journal/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "journal/segment.h"

#define CHUNK (1u << 20)

struct held {
	uint64_t number;
	int fd;
};

struct journal_copy {
	int folder;
	struct held *held;
	size_t n;
	uint64_t done, total;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

static bool is_held(const struct journal_copy *c, uint64_t number)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->held[i].number == number)
			return true;
	return false;
}

static int hold(struct journal_copy *c, const char *name, uint64_t number)
{
	int fd = openat(c->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;	/* given up just now */
	c->held = xrealloc(c->held, c->n + 1, sizeof *c->held);
	c->held[c->n++] = (struct held){ number, fd };
	return 0;
}

static int hold_new(struct journal_copy *c)
{
	int fd = openat(c->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
		return -errno;
	struct dirent *entry;
	uint64_t number;
	while (r == 0 && (errno = 0, (entry = readdir(dir)) != NULL))
		if (segment_number(entry->d_name, &number) && !is_held(c, number))
			r = hold(c, entry->d_name, number);
	if (r == 0)
		r = -errno;
	closedir(dir);
	return r;
}

struct journal_copy *journal_copy_open(const char *folder, int *error)
{
	struct journal_copy *c = xcalloc(1, sizeof *c);
	c->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*error = c->folder < 0 ? -errno : hold_new(c);
	if (*error == 0)
		return c;
	journal_copy_close(c);
	return NULL;
}

void journal_copy_close(struct journal_copy *c)
{
	for (size_t i = 0; i < c->n; i++)
		close(c->held[i].fd);
	if (c->folder >= 0)
		close(c->folder);
	free(c->held);
	free(c);
}

/* The kernel copies, or shares the blocks; where it cannot, read and write. */
static ssize_t copy_some(int from, int to, char **chunk)
{
	ssize_t n = *chunk == NULL ? copy_file_range(from, NULL, to, NULL, CHUNK, 0) : -1;
	if (n >= 0 || (*chunk == NULL && errno == EINTR))
		return n;
	if (*chunk == NULL)
		*chunk = xcalloc(1, CHUNK);
	n = read(from, *chunk, CHUNK);
	for (ssize_t at = 0; at < n; ) {
		ssize_t put = write(to, *chunk + at, (size_t)(n - at));
		if (put < 0 && errno != EINTR)
			return -1;
		at += put > 0 ? put : 0;
	}
	return n;
}

static int copy_bytes(struct journal_copy *c, int from, int to)
{
	char *chunk = NULL;
	ssize_t n;
	lseek(from, 0, SEEK_SET);
	while ((n = copy_some(from, to, &chunk)) > 0 || (n < 0 && errno == EINTR)) {
		c->done += n > 0 ? (uint64_t)n : 0;
		if (c->progress != NULL)
			c->progress(c->arg, c->done, c->done > c->total ? c->done : c->total);
	}
	int r = n < 0 ? -errno : 0;
	free(chunk);
	return r == 0 && fsync(to) != 0 ? -errno : r;
}

static int copy_segment(struct journal_copy *c, const struct held *h, int folder)
{
	char name[SEGMENT_NAME_SIZE];
	segment_name(h->number, name);
	int to = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	int r = copy_bytes(c, h->fd, to);
	close(to);
	return r;
}

int journal_copy_run(struct journal_copy *c, const char *to,
		     void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	int folder = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = folder < 0 ? -errno : hold_new(c);
	struct stat st;
	c->progress = progress;
	c->arg = arg;
	for (size_t i = 0; i < c->n; i++)
		if (fstat(c->held[i].fd, &st) == 0)
			c->total += (uint64_t)st.st_size;
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = copy_segment(c, &c->held[i], folder);
	if (r == 0 && fsync(folder) != 0)
		r = -errno;
	if (folder >= 0)
		close(folder);
	return r;
}
