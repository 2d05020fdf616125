/* group.c - groups of users by name. */
#include "base/group.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>

#include "base/memory.h"

#define ENTRY_MAX (1024 * 1024)		/* bytes of a group's entry, members and all */

int group_find(const char *name, gid_t *gid)
{
	struct group entry, *found = NULL;
	char *text = NULL;
	int r = ERANGE;
	for (size_t size = 1024; r == ERANGE && size <= ENTRY_MAX; size *= 4) {
		text = xrealloc(text, size, 1);
		r = getgrnam_r(name, &entry, text, size, &found);
	}
	if (found != NULL)
		*gid = entry.gr_gid;
	free(text);
	if (found != NULL)
		return 0;
	return r == 0 ? -ENOENT : -r;
}
