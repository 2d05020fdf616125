/* peer.c - an HTTP receiver that behaves as the path of a request says. */
#include <arpa/inet.h>
#include <pthread.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "plugins/peer.h"

struct peer {
	int listener, port;
	int stop[2];		/* a pipe: readable once the peer ends */
	pthread_t thread;
	atomic_uint threads, connections, requests;
	pthread_mutex_t lock;	/* guards what follows */
	char *last;
	size_t last_len;
};

struct client {
	struct peer *peer;
	int fd;
};

static const struct {
	const char *name, *text;
} raws[] = {
	{ "garbage", "SSH-2.0-OpenSSH_9.2\r\n" },
	{ "retry-after", "HTTP/1.1 503 Busy\r\nretry-AFTER:  7 \r\ncontent-length: 4\r\n\r\nbusy" },
	{ "moved", "HTTP/1.1 301 Moved\r\nLocation: http://u:secret@h.test/x?token=1\r\n"
	  "content-length: 0\r\n\r\n" },
	{ "cut-header", "HTTP/1.1 200 OK\r\ncontent-le" },
	{ "cut-body", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf" },
	{ "only-100", "HTTP/1.1 100 Continue\r\n\r\n" },
	{ "early-hints", "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 202 OK\r\n"
	  "content-length: 2\r\n\r\nok" },
	{ "trailer", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
	  "retry-after: 5\r\n\r\n" },
	{ "bad-chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" },
	{ "nul", "HTTP/1.1 500 Oh\r\ncontent-length: 3\r\nx: \x01\x02\r\n\r\na\x01z" },
};

/* Wait; false when the peer ends. `fd` -1: only for the time. */
static bool peer_wait(struct peer *peer, int fd, short events, int ms)
{
	struct pollfd fds[2] = { { .fd = peer->stop[0], .events = POLLIN }, { fd, events, 0 } };
	poll(fds, 2, ms);
	return fds[0].revents == 0 && (fd < 0 || fds[1].revents != 0);
}

static bool say(const struct client *client, const char *data, size_t len)
{
	while (len > 0) {
		if (!peer_wait(client->peer, client->fd, POLLOUT, -1))
			return false;
		ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static void repeat(const struct client *client, const char *begin, const char *more, int ms)
{
	bool on = say(client, begin, strlen(begin));
	while (on && (ms == 0 || peer_wait(client->peer, -1, 0, ms)))
		on = say(client, more, strlen(more));
}

static void say_body(const struct client *client, int status, size_t len)
{
	char head[128];
	char *body = xcalloc(1, len + 1);
	memset(body, 'b', len);
	snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\ncontent-length: %zu\r\n\r\n", status, len);
	if (say(client, head, strlen(head)))
		say(client, body, len);
	free(body);
}

static void linger(const struct client *client)
{
	char byte;
	while (peer_wait(client->peer, client->fd, POLLIN, -1))
		if (recv(client->fd, &byte, 1, MSG_DONTWAIT) <= 0)
			return;
}

/* True when the connection stays for another request. */
static bool act(const struct client *client, const char *path)
{
	struct linger reset = { .l_onoff = 1 };
	if (strncmp(path, "/status/", 8) == 0) {
		say_body(client, (int)strtol(path + 8, NULL, 10), 0);
		return true;
	}
	if (strncmp(path, "/body/", 6) == 0) {
		say_body(client, 200, strtoul(path + 6, NULL, 10));
		return true;
	}
	for (size_t i = 0; i < sizeof raws / sizeof *raws; i++)
		if (strncmp(path, "/raw/", 5) == 0 && strcmp(path + 5, raws[i].name) == 0)
			say(client, raws[i].text, strlen(raws[i].text));
	if (strcmp(path, "/silent") == 0)
		linger(client);
	if (strcmp(path, "/reset") == 0)
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (strcmp(path, "/drip") == 0)
		repeat(client, "HTTP/1.1 200 OK\r\nx: ", "y", 20);
	if (strcmp(path, "/endless-body") == 0)
		repeat(client, "HTTP/1.1 200 OK\r\n\r\n", "body body body body", 0);
	if (strcmp(path, "/slow-body") == 0)
		repeat(client, "HTTP/1.1 200 OK\r\n\r\n", "b", 20);
	if (strcmp(path, "/endless-header") == 0)
		repeat(client, "HTTP/1.1 200 OK\r\n", "x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 0);
	if (strcmp(path, "/endless-100") == 0)
		repeat(client, "", "HTTP/1.1 100 Continue\r\n\r\n", 0);
	return false;
}

static void keep(struct peer *peer, const char *data, size_t len)
{
	pthread_mutex_lock(&peer->lock);
	free(peer->last);
	peer->last = xcalloc(1, len + 1);
	memcpy(peer->last, data, len);
	peer->last_len = len;
	pthread_mutex_unlock(&peer->lock);
	atomic_fetch_add(&peer->requests, 1);
}

/* The length of the request in data[0..have), 0 while it is not whole. */
static size_t request_length(const char *data, size_t have)
{
	const char *end = memmem(data, have, "\r\n\r\n", 4), *length = NULL;
	if (end == NULL)
		return 0;
	for (const char *p = data; p < end && length == NULL; p++)
		if (strncasecmp(p, "\r\ncontent-length:", 17) == 0)
			length = p + 17;
	size_t all = (size_t)(end + 4 - data) + (length == NULL ? 0 : strtoul(length, NULL, 10));
	return have >= all ? all : 0;
}

/* What one connection has sent. */
struct incoming {
	char *data;
	size_t have, room;
};

/* Read more. False when there is no more, or the peer ends. */
static bool listen_on(const struct client *client, struct incoming *in)
{
	if (!peer_wait(client->peer, client->fd, POLLIN, -1))
		return false;
	if (in->room - in->have < 2) {
		in->room = 2 * in->room + 8192;
		in->data = xrealloc(in->data, in->room, 1);
	}
	ssize_t n = recv(client->fd, in->data + in->have, in->room - in->have - 1, 0);
	if (n <= 0)
		return false;
	in->have += (size_t)n;
	in->data[in->have] = '\0';
	return true;
}

static void serve(const struct client *client, struct incoming *in)
{
	char path[128];
	while (listen_on(client, in)) {
		size_t len = request_length(in->data, in->have);
		if (len == 0 && strncmp(in->data, "POST /deaf ", 11) == 0) {
			peer_wait(client->peer, -1, 0, -1);
			return;
		}
		if (len == 0)
			continue;
		keep(client->peer, in->data, len);
		if (sscanf(in->data, "POST %127s", path) != 1 || !act(client, path))
			return;
		memmove(in->data, in->data + len, in->have - len);
		in->have -= len;
	}
}

static void *client_run(void *arg)
{
	struct client *client = arg;
	struct peer *peer = client->peer;
	struct incoming in = { 0 };
	serve(client, &in);
	close(client->fd);
	free(in.data);
	free(client);
	atomic_fetch_sub(&peer->threads, 1);
	return NULL;
}

static void *peer_run(void *arg)
{
	struct peer *peer = arg;
	pthread_t thread;
	while (peer_wait(peer, peer->listener, POLLIN, -1)) {
		struct client *client = xcalloc(1, sizeof *client);
		*client = (struct client){ peer, accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC) };
		atomic_fetch_add(&peer->connections, 1);
		atomic_fetch_add(&peer->threads, 1);
		if (pthread_create(&thread, NULL, client_run, client) != 0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

struct peer *peer_new(void)
{
	struct peer *peer = xcalloc(1, sizeof *peer);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof address;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_mutex_init(&peer->lock, NULL);
	if (pipe(peer->stop) < 0 || bind(peer->listener, (struct sockaddr *)&address, len) < 0 ||
	    listen(peer->listener, 128) < 0 ||
	    getsockname(peer->listener, (struct sockaddr *)&address, &len) < 0 ||
	    pthread_create(&peer->thread, NULL, peer_run, peer) != 0)
		abort();
	peer->port = ntohs(address.sin_port);
	return peer;
}

void peer_free(struct peer *peer)
{
	close(peer->stop[1]);
	pthread_join(peer->thread, NULL);
	while (atomic_load(&peer->threads) > 0)
		sched_yield();
	close(peer->stop[0]);
	close(peer->listener);
	pthread_mutex_destroy(&peer->lock);
	free(peer->last);
	free(peer);
}

int peer_port(const struct peer *peer)
{
	return peer->port;
}

unsigned peer_requests(struct peer *peer)
{
	return atomic_load(&peer->requests);
}

unsigned peer_connections(struct peer *peer)
{
	return atomic_load(&peer->connections);
}

const char *peer_last(struct peer *peer, size_t *len)
{
	pthread_mutex_lock(&peer->lock);
	const char *last = peer->last;
	*len = peer->last_len;
	pthread_mutex_unlock(&peer->lock);
	return last;
}
