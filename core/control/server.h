/*
 * server.h - the daemon's control socket: what an operator asks, the daemon answers.
 *
 * A Unix stream socket, mode 0660. root, the daemon's user and the members of one group
 * may use it; anyone else is told so and hung up on. The protocol, for client.c and for any
 * other program: a client sends one JSON object a line,
 *
 *	{"verb":"status","args":{}}
 *
 * (`args` may be left out) and gets the answer as JSON objects, one a line, the last of them
 *
 *	{"end":true}   or   {"error":"what is wrong","code":"usage|failed|denied"}
 *
 * and may then ask again. A reader skips members it does not know. At most CONTROL_CONNECTIONS
 * at a time, a request is at most CONTROL_REQUEST_MAX bytes, and each request must come, and
 * each answer be taken, within CONTROL_TIMEOUT_MS. What can be asked is the table in verbs.c.
 *
 * One thread serves all. It must not know what a verb does, and nothing that a client does
 * or leaves undone may cost the engine more than the answer.
 */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include <stdint.h>

#include "base/error.h"

#define CONTROL_CONNECTIONS 32
#define CONTROL_REQUEST_MAX (64 * 1024)
#define CONTROL_TIMEOUT_MS 10000

struct control;
struct dispatch;

/* Listen at `path`; a socket file that nobody answers on is replaced. `group` names who may ask
 * beside root and our own user; NULL or "": nobody. `dispatch` must outlive it. Nobody is
 * answered before control_start(). NULL after error_add(). Main thread. */
struct control *control_open(const char *path, const char *group, struct dispatch *,
			     struct pb_error *);
/* Who reloads; before control_start(). Without it `reload` is refused. */
struct reloads;
void control_set_reloads(struct control *, struct reloads *);
/* Another limit than CONTROL_TIMEOUT_MS; before control_start(): for tests. */
void control_set_timeout(struct control *, int64_t ms);
/* Start the thread. 0 or -errno. Main thread. */
int control_start(struct control *);
/* Stop the thread if it was started, hang up, remove the socket file, free. NULL is fine. Before
 * dispatch_free(). Main thread. */
void control_close(struct control *);

#endif
