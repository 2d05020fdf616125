/* group.h - groups of users by name. */
#ifndef BASE_GROUP_H
#define BASE_GROUP_H

#include <sys/types.h>

/* The id of group `name`. 0, -ENOENT when there is none, or another -errno: it cannot be looked up. */
int group_find(const char *name, gid_t *gid);

#endif
