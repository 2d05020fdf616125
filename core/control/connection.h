/* connection.h - one client of the control socket: a request in, its answer out, and again. */
#ifndef CONTROL_CONNECTION_H
#define CONTROL_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "control/verbs.h"

#define CONNECTION_ANSWER_MAX (64 * 1024 * 1024)

struct connection {
	int fd;			/* non-blocking */
	uid_t uid;
	struct buf in, out;	/* while `out` holds something, nothing is read */
	size_t sent;		/* of `out` */
	bool last;		/* hang up once `out` is sent */
	int64_t deadline;	/* monotonic ms: for the request, or for all of its answer */
	int64_t timeout_ms;
};

/* Begin with the accepted socket `fd`, which is the connection's from here on. */
void connection_open(struct connection *, int fd, uid_t uid, int64_t now, int64_t timeout_ms);
/* Hang up. */
void connection_close(struct connection *);
/* What poll() is to look for. */
short connection_wants(const struct connection *);
/* Is there something to do before poll() says so? A further request that came with the last. */
bool connection_ready(const struct connection *);
/* Go one step on: send, or read, and answer at most one request. False: it is over. */
bool connection_serve(struct connection *, const struct control_env *, int64_t now);
/* The deadline has passed: say so if the client is in a state to hear it. It is over then. */
void connection_late(struct connection *);

#endif
