/* peer.h - who is at the other end of a Unix socket, as the kernel knows it. */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define PEER_NO_GROUP ((gid_t)-1)

/* Who may use the control socket, beside root. */
struct peer_rule {
	uid_t user;
	gid_t group;		/* PEER_NO_GROUP: none */
};

/* The rule of our own user and the group of that name (NULL, "": none). False after error_add(). */
bool peer_rule_init(struct peer_rule *, const char *group, struct pb_error *);
/* May the peer of the connected socket `fd` ask? *uid is then its user. A group counts when it was
 * the peer's, first or further, as it connected. */
bool peer_allowed(const struct peer_rule *, int fd, uid_t *uid);

#endif
