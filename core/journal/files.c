/* files.c - the journal's folder on a real disk. */
#include "journal/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/memory.h"

#define DISK_MAGIC 0x4a64736bu

struct disk {
	unsigned magic;
	int folder;
	int access;		/* O_RDWR, O_RDONLY */
	struct files files;
};

static struct disk *disk_of(struct files *f)
{
	struct disk *d = CONTAINER_OF(f, struct disk, files);
	CHECK_OBJ(d, DISK_MAGIC);
	return d;
}

static int result(int r)
{
	return r < 0 ? -errno : r;
}

static int disk_list(struct files *f, void (*each)(void *arg, const char *name), void *arg)
{
	int fd = openat(disk_of(f)->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		int r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	struct dirent *entry;
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		struct stat st;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			each(arg, entry->d_name);
	}
	int r = -errno;
	closedir(dir);
	return r;
}

static int disk_create(struct files *f, const char *name)
{
	int folder = disk_of(f)->folder;
	if (strchr(name, '/') != NULL && mkdirat(folder, "damaged", 0700) != 0 && errno != EEXIST)
		return -errno;
	return result(openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
}

static int disk_open(struct files *f, const char *name)
{
	struct disk *d = disk_of(f);
	return result(openat(d->folder, name, d->access | O_NOFOLLOW | O_CLOEXEC));
}

static int disk_size(struct files *f, int file, uint64_t *bytes)
{
	(void)f;
	struct stat st;
	if (fstat(file, &st) != 0)
		return -errno;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

static int disk_read(struct files *f, int file, void *to, size_t len, uint64_t offset, size_t *got)
{
	(void)f;
	*got = 0;
	while (*got < len) {
		ssize_t r = pread(file, (char *)to + *got, len - *got, (off_t)(offset + *got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return 0;
}

/* Take `done` bytes off the front of the parts. */
static void skip_parts(struct iovec **parts, size_t *n, size_t done)
{
	while (*n > 0 && done >= (*parts)->iov_len) {
		done -= (*parts)->iov_len;
		++*parts;
		--*n;
	}
	if (*n > 0) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + done;
		(*parts)->iov_len -= done;
	}
}

static int disk_write(struct files *f, int file, struct iovec *parts, size_t n, uint64_t offset)
{
	(void)f;
	skip_parts(&parts, &n, 0);
	while (n > 0) {
		ssize_t r = pwritev(file, parts, n < IOV_MAX ? (int)n : IOV_MAX, (off_t)offset);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		offset += (uint64_t)r;
		skip_parts(&parts, &n, (size_t)r);
	}
	return 0;
}

static int disk_sync(struct files *f, int file)
{
	(void)f;
	return result(fdatasync(file));
}

static int disk_truncate(struct files *f, int file, uint64_t len)
{
	(void)f;
	return result(ftruncate(file, (off_t)len));
}

static int disk_rename(struct files *f, const char *from, const char *to)
{
	int folder = disk_of(f)->folder;
	return result(renameat(folder, from, folder, to));
}

static int disk_remove(struct files *f, const char *name)
{
	return result(unlinkat(disk_of(f)->folder, name, 0));
}

static int disk_sync_folder(struct files *f)
{
	return result(fsync(disk_of(f)->folder));
}

/* A file system without a size of its own (tmpfs with size=0, some network ones) has zeros there. */
static int disk_space(struct files *f, uint64_t *bytes)
{
	struct statvfs st;
	if (fstatvfs(disk_of(f)->folder, &st) != 0)
		return -errno;
	*bytes = st.f_blocks == 0 ? UINT64_MAX : (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static void disk_close_file(struct files *f, int file)
{
	(void)f;
	close(file);
}

static void disk_close(struct files *f)
{
	struct disk *d = disk_of(f);
	close(d->folder);
	d->magic = 0;
	free(d);
}

static const struct files_ops disk_ops = {
	.list = disk_list, .create = disk_create, .open = disk_open, .size = disk_size,
	.read = disk_read, .write = disk_write, .sync = disk_sync, .truncate = disk_truncate,
	.rename = disk_rename, .remove = disk_remove, .sync_folder = disk_sync_folder,
	.space = disk_space, .close_file = disk_close_file, .close = disk_close,
};

/* A folder that was just made must itself survive a crash. */
static int sync_parent(int folder)
{
	int parent = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -errno;
	int r = result(fsync(parent));
	close(parent);
	return r;
}

static struct files *disk_new(int folder, int access)
{
	struct disk *d = xcalloc(1, sizeof *d);
	*d = (struct disk){
		.magic = DISK_MAGIC, .folder = folder, .access = access, .files = { &disk_ops },
	};
	return &d->files;
}

struct files *files_open(const char *folder, int *error)
{
	bool made = mkdir(folder, 0700) == 0;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*error = fd < 0 ? -errno : made ? sync_parent(fd) : 0;
	if (*error == 0)
		return disk_new(fd, O_RDWR);
	if (fd >= 0)
		close(fd);
	return NULL;
}

struct files *files_open_read(const char *folder, int *error)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*error = fd < 0 ? -errno : 0;
	return fd < 0 ? NULL : disk_new(fd, O_RDONLY);
}
