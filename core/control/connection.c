/* connection.c - one client of the control socket. */
#include "control/connection.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/span.h"
#include "control/reply.h"
#include "control/server.h"

#define READ_SIZE 4096

void connection_open(struct connection *c, int fd, uid_t uid, int64_t now, int64_t timeout_ms)
{
	assert(fd >= 0);
	*c = (struct connection){
		.fd = fd, .uid = uid, .in = BUF_INIT(CONTROL_REQUEST_MAX),
		.out = BUF_INIT(CONNECTION_ANSWER_MAX), .deadline = now + timeout_ms,
		.timeout_ms = timeout_ms,
	};
}

void connection_close(struct connection *c)
{
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	c->fd = -1;
}

static bool sending(const struct connection *c)
{
	return c->sent < c->out.len;
}

short connection_wants(const struct connection *c)
{
	return sending(c) ? POLLOUT : POLLIN;
}

static const char *line_end(const struct connection *c)
{
	return c->in.len == 0 ? NULL : memchr(c->in.data, '\n', c->in.len);
}

bool connection_ready(const struct connection *c)
{
	return !sending(c) && line_end(c) != NULL;
}

/* Send what the socket takes. False when it is over. */
static bool send_some(struct connection *c, int64_t now)
{
	ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->sent += (size_t)n;
	if (sending(c))
		return true;
	buf_free(&c->out);	/* may be large, and seldom is */
	c->sent = 0;
	c->deadline = now + c->timeout_ms;
	return !c->last;
}

/* Take in what has come. False when the client has hung up. */
static bool read_some(struct connection *c)
{
	size_t room = c->in.limit - c->in.len;
	assert(room > 0);	/* a full buffer without a line was answered */
	if (buf_reserve(&c->in, room < READ_SIZE ? room : READ_SIZE) != 0)
		return false;
	ssize_t n = recv(c->fd, c->in.data + c->in.len, room < READ_SIZE ? room : READ_SIZE,
			 MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in.len += (size_t)n;
	return n > 0;
}

/* Answer the first request there is, if one is whole. False when memory is short. */
static bool answer_one(struct connection *c, const struct control_env *env, int64_t now)
{
	const char *end = line_end(c);
	if (end == NULL && c->in.len < c->in.limit)
		return true;
	if (end == NULL) {
		reply_error(&c->out, "usage", "a request is at most %d bytes long",
			    CONTROL_REQUEST_MAX);
		c->last = true;
	} else {
		size_t len = (size_t)(end - c->in.data);
		verbs_answer(env, span_of(c->in.data, len), c->uid, &c->out);
		buf_consume(&c->in, len + 1);
	}
	c->deadline = now + c->timeout_ms;
	return c->out.failed == 0;
}

bool connection_serve(struct connection *c, const struct control_env *env, int64_t now)
{
	if (sending(c))
		return send_some(c, now);
	if (line_end(c) == NULL && !read_some(c))
		return false;
	return answer_one(c, env, now) && (!sending(c) || send_some(c, now));
}

void connection_late(struct connection *c)
{
	if (sending(c))
		return;		/* in the middle of an answer */
	reply_error(&c->out, "failed", "no request came within %lld ms", (long long)c->timeout_ms);
	send_some(c, 0);
}
