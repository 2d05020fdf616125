/*
 * server.c - the control socket's thread: who comes is looked at, served in turn, and limited.
 */
#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/thread.h"
#include "control/connection.h"
#include "control/peer.h"
#include "control/reply.h"
#include "control/socket.h"

#define CONTROL_MAGIC 0x6374726cu
#define ACCEPT_PAUSE_MS 1000	/* when the process has no descriptor left */
#define ACCEPT_TURN 16		/* before those that are there get their turn */

struct control {
	unsigned magic;
	char *path;
	struct socket_file file;
	struct control_env env;
	struct peer_rule rule;
	int64_t timeout_ms;
	int wake;		/* an eventfd: stop */
	_Atomic bool stopping;
	bool started;
	pthread_t thread;
	/* The thread's own: */
	int64_t accept_after;	/* monotonic ms */
	size_t n;
	struct connection connections[CONTROL_CONNECTIONS];
};

struct control *control_open(const char *path, const char *group, struct dispatch *dispatch,
			     struct pb_error *err)
{
	struct control *c = xcalloc(1, sizeof *c);
	*c = (struct control){
		.magic = CONTROL_MAGIC, .path = xstrdup(path), .file.fd = -1,
		.env.dispatch = dispatch, .timeout_ms = CONTROL_TIMEOUT_MS,
		.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	if (c->wake < 0)
		error_add(err, NULL, "control socket %s: %s", path, strerror(errno));
	else if (peer_rule_init(&c->rule, group, err) &&
		 socket_listen(&c->file, path, c->rule.group, err) == 0)
		return c;
	control_close(c);
	return NULL;
}

void control_set_reloads(struct control *c, struct reloads *reloads)
{
	CHECK_OBJ(c, CONTROL_MAGIC);
	assert(!c->started);
	c->env.reloads = reloads;
}

void control_set_timeout(struct control *c, int64_t ms)
{
	CHECK_OBJ(c, CONTROL_MAGIC);
	assert(!c->started);
	c->timeout_ms = ms;
}

/* Say why and hang up. */
static void refuse(int fd, const char *code, const char *why)
{
	struct buf out = BUF_INIT(1024);
	reply_error(&out, code, "%s", why);
	if (out.failed == 0)
		(void)!send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_free(&out);
	close(fd);
}

static void welcome(struct control *c, int fd, int64_t now)
{
	uid_t uid = 0;
	if (!peer_allowed(&c->rule, fd, &uid)) {
		log_warn("control: user %u was refused", (unsigned)uid);
		refuse(fd, "denied", "only root, the daemon's user and the members of "
		       "control_group may ask");
	} else if (c->n == CONTROL_CONNECTIONS) {
		refuse(fd, "failed", "too many others are asking; try again");
	} else {
		connection_open(&c->connections[c->n++], fd, uid, now, c->timeout_ms);
	}
}

static void accept_some(struct control *c, int64_t now)
{
	for (int i = 0; i < ACCEPT_TURN; i++) {
		int fd = accept4(c->file.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			welcome(c, fd, now);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			if (errno != EAGAIN) {
				log_warn("control: accept: %s", strerror(errno));
				c->accept_after = now + ACCEPT_PAUSE_MS;
			}
			return;
		}
	}
}

/* How long poll() may sleep. */
static int patience(const struct control *c, int64_t now)
{
	int64_t until = c->accept_after > now ? c->accept_after : INT64_MAX;
	for (size_t i = 0; i < c->n; i++) {
		if (connection_ready(&c->connections[i]))
			return 0;
		if (c->connections[i].deadline < until)
			until = c->connections[i].deadline;
	}
	if (until == INT64_MAX)
		return -1;
	int64_t ms = until - now;
	return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static void serve_all(struct control *c, const struct pollfd *polled, int64_t now)
{
	size_t kept = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct connection *one = &c->connections[i];
		bool on = true;
		if (polled[i].revents != 0 || connection_ready(one))
			on = connection_serve(one, &c->env, now);
		if (on && one->deadline <= now) {
			connection_late(one);
			on = false;
		}
		if (on)
			c->connections[kept++] = *one;
		else
			connection_close(one);
	}
	c->n = kept;
}

/* Sleep until something comes, and see to it. */
static void turn(struct control *c)
{
	struct pollfd polled[2 + CONTROL_CONNECTIONS];
	int64_t now = clock_mono(&clock_system);
	polled[0] = (struct pollfd){ .fd = c->wake, .events = POLLIN };
	polled[1] = (struct pollfd){
		.fd = c->accept_after > now ? -1 : c->file.fd, .events = POLLIN,
	};
	for (size_t i = 0; i < c->n; i++)
		polled[2 + i] = (struct pollfd){
			.fd = c->connections[i].fd,
			.events = connection_wants(&c->connections[i]),
		};
	if (poll(polled, 2 + c->n, patience(c, now)) < 0)
		return;		/* EINTR, or ENOMEM, which passes */
	now = clock_mono(&clock_system);
	serve_all(c, polled + 2, now);
	if (polled[1].revents != 0)
		accept_some(c, now);
}

static void *run(void *arg)
{
	struct control *c = arg;
	CHECK_OBJ(c, CONTROL_MAGIC);
	while (!atomic_load(&c->stopping))
		turn(c);
	return NULL;
}

int control_start(struct control *c)
{
	CHECK_OBJ(c, CONTROL_MAGIC);
	assert(!c->started);
	int r = thread_start(&c->thread, "control", run, c);
	c->started = r == 0;
	return r;
}

static void stop(struct control *c)
{
	const uint64_t one = 1;
	atomic_store(&c->stopping, true);
	ssize_t n = write(c->wake, &one, sizeof one);
	assert(n == sizeof one);
	(void)n;
	pthread_join(c->thread, NULL);
}

void control_close(struct control *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, CONTROL_MAGIC);
	if (c->started)
		stop(c);
	for (size_t i = 0; i < c->n; i++)
		connection_close(&c->connections[i]);
	if (c->file.fd >= 0)
		socket_close(&c->file, c->path);
	if (c->wake >= 0)
		close(c->wake);
	free(c->path);
	c->magic = 0;
	free(c);
}
