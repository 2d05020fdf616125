/*
 * verbs.h - what can be asked of the daemon: a request to its answer.
 *
 * The protocol is described in server.h. Text that is not ours (a receiver's words in the
 * last failure) is made valid UTF-8 here. It must not know of sockets.
 */
#ifndef CONTROL_VERBS_H
#define CONTROL_VERBS_H

#include <sys/types.h>

#include "base/buf.h"

struct dispatch;
struct reloads;

/* What verbs act on. */
struct control_env {
	struct dispatch *dispatch;
	struct reloads *reloads;	/* NULL: there are none */
};

/* Append the whole answer to a request, one line without its newline, of the user `uid`. It may hold
 * anything. The answer ends as the protocol says, or, short of memory, out->failed is set. The
 * server's thread. */
void verbs_answer(const struct control_env *, struct pb_span request, uid_t uid, struct buf *out);

#endif
