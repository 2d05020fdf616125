/* server.c - a receiver for measuring. */
#include "probe/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define EVENTS 256

struct client {
	int fd;
	size_t have;
	char in[REQUEST_MAX + 1];
};

struct server {
	int epoll, listener;
	void (*take)(void *arg, const char *body, size_t len);
	void *arg;
};

void probe_fail(const char *what)
{
	perror(what);
	exit(1);
}

double probe_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct sockaddr_in address(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

int probe_listen(int port)
{
	struct sockaddr_in at = address(port);
	at.sin_addr.s_addr = htonl(INADDR_ANY);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
		probe_fail("listen");
	return fd;
}

int probe_connect(int port)
{
	struct sockaddr_in at = address(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		probe_fail("connect");
	return fd;
}

struct server *server_new(int port, void (*take)(void *arg, const char *body, size_t len), void *arg)
{
	struct server *s = calloc(1, sizeof *s);
	if (s == NULL)
		probe_fail("server");
	*s = (struct server){ epoll_create1(EPOLL_CLOEXEC), probe_listen(port), take, arg };
	struct epoll_event event = { .events = EPOLLIN };
	if (s->epoll < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &event) < 0)
		probe_fail("epoll");
	return s;
}

static void greet(struct server *s)
{
	for (int fd; (fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; ) {
		struct client *c = malloc(sizeof *c);
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
		if (c == NULL || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			probe_fail("client");
		c->fd = fd;
		c->have = 0;
	}
}

static void reply(struct client *c)
{
	static const char good[] = "HTTP/1.1 204 No Content\r\n\r\n";
	static const char bad[] = "HTTP/1.1 500 Later\r\nContent-Length: 0\r\n\r\n";
	if (strncmp(c->in, "POST /hang", 10) == 0)
		return;
	if (strncmp(c->in, "POST /500", 9) == 0)
		send(c->fd, bad, sizeof bad - 1, MSG_NOSIGNAL);
	else
		send(c->fd, good, sizeof good - 1, MSG_NOSIGNAL);
}

/* The length of the first request in the buffer, its body from `*body` on; 0: it is not whole. */
static size_t request_len(const struct client *c, size_t *body)
{
	const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\r\ncontent-length:");
	if (end == NULL)
		return 0;
	*body = (size_t)(end + 4 - c->in);
	size_t len = *body + (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
	return len <= c->have ? len : 0;
}

/* False when the client is gone, or sends what is none of patchbay's. */
static bool serve(struct server *s, struct client *c)
{
	ssize_t got = recv(c->fd, c->in + c->have, REQUEST_MAX - c->have, 0);
	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	c->have += (size_t)got;
	c->in[c->have] = '\0';
	for (size_t body, len; (len = request_len(c, &body)) > 0; ) {
		s->take(s->arg, c->in + body, len - body);
		reply(c);
		memmove(c->in, c->in + len, c->have + 1 - len);
		c->have -= len;
	}
	return c->have < REQUEST_MAX;
}

void server_turn(struct server *s, int ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(s->epoll, events, EVENTS, ms);
	for (int i = 0; i < n; i++) {
		struct client *c = events[i].data.ptr;
		if (c == NULL) {
			greet(s);
		} else if (!serve(s, c)) {
			close(c->fd);
			free(c);
		}
	}
}
