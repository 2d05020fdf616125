/* reserve.c - a file of 4 MiB; its blocks are what counts. */
#include "state/reserve.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/step.h"

#define RENEW_EVERY 16	/* calls: looking costs little, but not nothing */

void reserve_open(struct reserve *reserve, const char *folder)
{
	struct stat st;
	*reserve = (struct reserve){ .path = xasprintf("%s/reserve", folder) };
	reserve->held = stat(reserve->path, &st) == 0 && st.st_blocks * 512 >= RESERVE_SIZE;
}

bool reserve_release(struct reserve *reserve)
{
	if (!reserve->held)
		return false;
	reserve->held = false;
	reserve->calls = 0;
	return unlink(reserve->path) == 0;
}

/* Taking the last space would only move the failure elsewhere. */
static bool has_room(const char *path)
{
	struct statvfs st;
	return statvfs(path, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize >= 2 * RESERVE_SIZE;
}

static bool make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	step_at("reserve: made, empty");
	bool made = has_room(path) && posix_fallocate(fd, 0, RESERVE_SIZE) == 0;
	close(fd);
	step_at("reserve: made");
	if (!made)
		unlink(path);
	return made;
}

void reserve_renew(struct reserve *reserve)
{
	if (!reserve->held && reserve->calls++ % RENEW_EVERY == 0)
		reserve->held = make(reserve->path);
}

void reserve_close(struct reserve *reserve)
{
	free(reserve->path);
	*reserve = (struct reserve){ 0 };
}
