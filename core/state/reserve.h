/* reserve.h - disk space held back for when the disk is full. */
#ifndef STATE_RESERVE_H
#define STATE_RESERVE_H

#include <stdbool.h>

#define RESERVE_SIZE (4 * 1024 * 1024)

struct reserve {
	char *path;
	bool held;
	unsigned calls;		/* of reserve_renew() without it */
};

/* Look whether `folder` has one; makes none. */
void reserve_open(struct reserve *, const char *folder);
/* Give the space up; false when there was none. */
bool reserve_release(struct reserve *);
/* Make it, now and then, when there is none and the disk has room for it and more. */
void reserve_renew(struct reserve *);
/* The space stays held. */
void reserve_close(struct reserve *);

#endif
