/* peer.c - peer credentials. */
#include "control/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/group.h"
#include "base/memory.h"

#define GROUPS_MAX (64 * 1024)		/* of a process: the kernel's own limit */

bool peer_rule_init(struct peer_rule *rule, const char *group, struct pb_error *err)
{
	*rule = (struct peer_rule){ .user = geteuid(), .group = PEER_NO_GROUP };
	if (group == NULL || *group == '\0')
		return true;
	int r = group_find(group, &rule->group);
	if (r == -ENOENT)
		error_add(err, "control_group", "there is no group %s", group);
	else if (r < 0)
		error_add(err, "control_group", "cannot look up group %s: %s", group, strerror(-r));
	return r == 0;
}

/* Is it one of the peer's further groups? */
static bool has_group(int fd, gid_t group)
{
	socklen_t size = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE ||
	    size > GROUPS_MAX * sizeof(gid_t))
		return false;
	gid_t *groups = xcalloc(size, 1);
	bool found = false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		for (size_t i = 0; i < size / sizeof *groups; i++)
			found = found || groups[i] == group;
	free(groups);
	return found;
}

bool peer_allowed(const struct peer_rule *rule, int fd, uid_t *uid)
{
	struct ucred cred;
	socklen_t size = sizeof cred;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		return false;
	*uid = cred.uid;
	if (cred.uid == 0 || cred.uid == rule->user)
		return true;
	return rule->group != PEER_NO_GROUP &&
	       (cred.gid == rule->group || has_group(fd, rule->group));
}
