/* lock.c - flock on a file: it goes with the process, however that ends. */
#include "state/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

#define ATTEMPTS 5

static void say_who(int fd, const char *folder, struct pb_error *error)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;
	if (pid > 0)
		error_add(error, NULL, "%s: in use by another patchbay, process %ld", folder, pid);
	else
		error_add(error, NULL, "%s: in use by another patchbay", folder);
}

static int lock_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

/* A folder that was just made must itself survive a crash. */
static int make_folder(const char *folder)
{
	if (mkdir(folder, 0700) != 0)
		return errno == EEXIST ? 0 : -errno;
	char *above = xasprintf("%s/..", folder);
	int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) != 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(above);
	return r;
}

/* Whoever only asks holds it for a moment. */
static int take(int fd)
{
	int r = flock(fd, LOCK_EX | LOCK_NB);
	for (int i = 0; r != 0 && errno == EWOULDBLOCK && i < ATTEMPTS; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		r = flock(fd, LOCK_EX | LOCK_NB);
	}
	return r;
}

int store_is_locked(const char *folder, bool *locked)
{
	char *path = xasprintf("%s/lock", folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 && errno != ENOENT ? -errno : 0;
	free(path);
	*locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	if (fd >= 0)
		close(fd);
	return r;
}

int store_lock(const char *folder, struct pb_error *error)
{
	int made = make_folder(folder);
	if (made != 0) {
		error_add(error, NULL, "%s: %s", folder, made == -ENOENT ?
			  "the folder that it is to stand in does not exist: make that one first" :
			  strerror(-made));
		return made;
	}
	char *path = xasprintf("%s/lock", folder);
	int fd = lock_file(path);
	if (fd < 0)
		error_add(error, NULL, "%s: %s", path, strerror(-fd));
	free(path);
	if (fd < 0)
		return fd;
	if (take(fd) != 0) {
		int r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (r == -EBUSY)
			say_who(fd, folder, error);
		else
			error_add(error, NULL, "%s: lock: %s", folder, strerror(-r));
		close(fd);
		return r;
	}
	/* Only for the message above: on a full disk it may stay empty. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	return fd;
}
