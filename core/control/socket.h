/* socket.h - the control socket's file: made, replaced when stale, reached, removed. */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include <sys/types.h>

#include "base/error.h"

#define SOCKET_NO_GROUP ((gid_t)-1)

struct socket_file {
	int fd;			/* non-blocking, close-on-exec */
	dev_t dev;		/* which file it was: */
	ino_t ino;
};

/* Listen at `path`, which may be longer than sun_path; the file's mode is 0660, its group `group`
 * or, with SOCKET_NO_GROUP, the process's. A socket there that nobody answers on is replaced,
 * anything else is not. 0, or -1 after error_add(). */
int socket_listen(struct socket_file *, const char *path, gid_t group, struct pb_error *);
/* Stop listening; the file goes unless another has taken its place. */
void socket_close(struct socket_file *, const char *path);
/* A non-blocking, close-on-exec connection to `path`; or -errno, -EAGAIN when too many wait there. */
int socket_connect(const char *path);

#endif
