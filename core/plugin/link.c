/* link.c - frames over a stream socket. */
#include "plugin/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/span.h"

#define READ_AT_ONCE (64u << 10)
#define KEEP_MAX (1u << 20)	/* bytes of a buffer that stay while there is nothing in it */

/* Room for one descriptor. */
union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

void link_init(struct link *l, int fd, size_t frame_max)
{
	*l = (struct link){
		.fd = fd, .in = BUF_INIT(frame_max + MESSAGE_HEAD + READ_AT_ONCE), .passed = -1,
		.out = BUF_INIT(2 * (frame_max + MESSAGE_HEAD)),
	};
}

void link_fini(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->passed >= 0)
		close(l->passed);
	buf_free(&l->in);
	buf_free(&l->out);
	l->fd = l->passed = -1;
	l->at = l->out_at = 0;
}

static void keep_passed(struct link *l, int fd)
{
	if (l->passed >= 0)
		close(l->passed);
	l->passed = fd;
}

/* There may be more than one: what aligns the room for one is room for another. */
static void take_passed(struct link *l, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			int fd;
			memcpy(&fd, (const char *)c + at, sizeof fd);
			keep_passed(l, fd);
		}
	}
}

static void forget_read(struct link *l)
{
	buf_consume(&l->in, l->at);
	l->at = 0;
	if (l->in.len == 0 && l->in.cap > KEEP_MAX)
		buf_free(&l->in);
}

long link_fill(struct link *l)
{
	union control control;
	forget_read(l);
	if (buf_reserve(&l->in, READ_AT_ONCE) < 0) {
		int failed = l->in.failed;
		l->in.failed = 0;
		return failed;
	}
	struct iovec to = { l->in.data + l->in.len, READ_AT_ONCE };
	struct msghdr msg = {
		.msg_iov = &to, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	ssize_t n;
	do
		n = recvmsg(l->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	take_passed(l, &msg);
	l->in.len += (size_t)n;
	return n;
}

int link_next(struct link *l, struct message *m)
{
	size_t have = l->in.len - l->at, len = 0;
	const char *from = l->in.data + l->at;
	if (have < MESSAGE_HEAD)
		return 0;
	for (unsigned i = 0; i < MESSAGE_HEAD; i++)
		len = len << 8 | (unsigned char)from[i];
	if (len > l->in.limit - MESSAGE_HEAD - READ_AT_ONCE)
		return -EMSGSIZE;
	if (have - MESSAGE_HEAD < len)
		return 0;
	l->at += MESSAGE_HEAD + len;
	int failed = message_read(span_of(from + MESSAGE_HEAD, len), m);
	if (failed == 0)
		return 1;
	message_free(m);
	return failed;
}

int link_add(struct link *l, const struct message *m)
{
	if (l->out_at > READ_AT_ONCE && l->out_at > l->out.len / 2) {
		buf_consume(&l->out, l->out_at);
		l->out_at = 0;
	}
	return message_add(&l->out, m);
}

static void forget_sent(struct link *l, size_t n)
{
	l->out_at += n;
	l->sent += n;
	if (l->out_at < l->out.len)
		return;
	l->out_at = 0;
	if (l->out.cap > KEEP_MAX)
		buf_free(&l->out);
	else
		buf_reset(&l->out);
}

int link_flush(struct link *l)
{
	while (link_waiting(l) > 0) {
		ssize_t n = send(l->fd, l->out.data + l->out_at, link_waiting(l), MSG_NOSIGNAL);
		if (n >= 0)
			forget_sent(l, (size_t)n);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Wait for the other end to take more; 0 or -errno. */
static int wait_room(struct link *l, int64_t until)
{
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };
	int64_t left = until < 0 ? -1 : until - clock_mono(&clock_system);
	int n = poll(&p, 1, left < -1 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
	return n > 0 || (n < 0 && errno == EINTR) ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

int link_flush_wait(struct link *l, int64_t ms)
{
	int64_t until = ms < 0 ? -1 : clock_mono(&clock_system) + ms;
	for (;;) {
		int failed = link_flush(l);
		if (failed == -EAGAIN)
			failed = wait_room(l, until);
		else
			return failed;
		if (failed < 0)
			return failed;
	}
}

/* The first byte of the message carries the descriptor. */
static int send_with(struct link *l, int fd, int64_t until)
{
	union control control = { .bytes = { 0 } };
	struct iovec from = { l->out.data + l->out_at, link_waiting(l) };
	struct msghdr msg = {
		.msg_iov = &from, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	for (;;) {
		ssize_t n = sendmsg(l->fd, &msg, MSG_NOSIGNAL);
		if (n >= 0) {
			forget_sent(l, (size_t)n);
			return 0;
		}
		int failed = errno == EINTR ? 0 : errno == EAGAIN ? wait_room(l, until) : -errno;
		if (failed < 0)
			return failed;
	}
}

int link_pass(struct link *l, const struct message *m, int fd, int64_t ms)
{
	int64_t until = clock_mono(&clock_system) + ms;
	int failed = link_flush_wait(l, ms);
	if (failed == 0)
		failed = link_add(l, m);
	if (failed == 0)
		failed = send_with(l, fd, until);
	return failed < 0 ? failed : link_flush_wait(l, ms);
}
