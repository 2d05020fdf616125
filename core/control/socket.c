/* socket.c - the control socket's file. */
#include "control/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

/* A path as the kernel takes it. */
struct place {
	struct sockaddr_un addr;
	int folder;		/* what a path that is too long goes through; -1: not needed */
};

/* A long path is reached through a descriptor of its folder. 0 or -errno. */
static int place_open(struct place *at, const char *path)
{
	*at = (struct place){ .addr.sun_family = AF_UNIX, .folder = -1 };
	const size_t room = sizeof at->addr.sun_path;
	int n = snprintf(at->addr.sun_path, room, "%s", path);
	const char *name = strrchr(path, '/');
	if (n >= (int)room && name != NULL && name - path < PATH_MAX - 1) {
		char folder[PATH_MAX];
		snprintf(folder, sizeof folder, "%.*s/", (int)(name - path), path);
		at->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (at->folder < 0)
			return -errno;
		n = snprintf(at->addr.sun_path, room, "/proc/self/fd/%d%s", at->folder, name);
	}
	return n >= (int)room ? -ENAMETOOLONG : 0;
}

static void place_close(struct place *at)
{
	if (at->folder >= 0)
		close(at->folder);
}

static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

static int connect_to(const struct place *at)
{
	int fd = open_socket();
	if (fd < 0 || connect(fd, (const struct sockaddr *)&at->addr, sizeof at->addr) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

int socket_connect(const char *path)
{
	struct place at;
	int r = place_open(&at, path);
	if (r == 0)
		r = connect_to(&at);
	place_close(&at);
	return r;
}

/* Make way for a socket at `path`: 0 when there is nothing or only a stale one, else -errno. */
static int clear_stale(const struct place *at, const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	int fd = connect_to(at);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)	/* or so many wait there already */
		return -EADDRINUSE;
	if (fd != -ECONNREFUSED)
		return fd;
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Nobody can connect before listen(), so mode and group are right from the first one on. */
static int bind_at(struct socket_file *file, const struct place *at, const char *path, gid_t group)
{
	struct stat st;
	if (bind(file->fd, (const struct sockaddr *)&at->addr, sizeof at->addr) != 0 ||
	    lstat(path, &st) != 0)
		return -errno;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	if ((group != SOCKET_NO_GROUP && lchown(path, (uid_t)-1, group) != 0) ||
	    chmod(path, 0660) != 0 || listen(file->fd, BACKLOG) != 0)
		return -errno;
	return 0;
}

static const char *why(int r)
{
	switch (r) {
	case -EADDRINUSE:
		return "another daemon answers there";
	case -ENOTSOCK:
		return "a file that is no socket is there";
	default:
		return strerror(-r);
	}
}

int socket_listen(struct socket_file *file, const char *path, gid_t group, struct pb_error *err)
{
	struct place at;
	*file = (struct socket_file){ .fd = -1 };
	int r = place_open(&at, path);
	if (r == 0)
		r = clear_stale(&at, path);
	if (r == 0)
		r = file->fd = open_socket();
	if (r >= 0)
		r = bind_at(file, &at, path, group);
	place_close(&at);
	if (r == 0)
		return 0;
	error_add(err, NULL, "control socket %s: %s", path, why(r));
	if (file->fd >= 0)
		socket_close(file, path);
	return -1;
}

void socket_close(struct socket_file *file, const char *path)
{
	struct stat st;
	assert(file->fd >= 0);
	if (file->ino != 0 && lstat(path, &st) == 0 && st.st_dev == file->dev &&
	    st.st_ino == file->ino)
		unlink(path);
	close(file->fd);
	file->fd = -1;
}
