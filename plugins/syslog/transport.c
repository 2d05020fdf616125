/* transport.c - how messages reach a syslog daemon: a Unix socket or UDP. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "syslog/transport.h"

#define REFUSAL_MS 50		/* how long a host on the local network takes to refuse */

static const char *udp_parse(const char *text, struct target *target)
{
	static const char expected[] = "expected udp:HOST:PORT or udp:[V6]:PORT";
	const char *colon = strrchr(text, ':');
	if (colon == NULL || colon == text)
		return expected;
	size_t len = (size_t)(colon - text), digits = strspn(colon + 1, "0123456789");
	bool bracketed = text[0] == '[' && text[len - 1] == ']';
	if (bracketed) {
		text++;
		len -= 2;
	}
	if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || len == 0 ||
	    len >= sizeof target->host || (!bracketed && memchr(text, ':', len) != NULL))
		return expected;
	memcpy(target->host, text, len);
	target->host[len] = '\0';
	memcpy(target->port, colon + 1, digits + 1);
	return NULL;
}

const char *target_parse(const char *text, struct target *target)
{
	memset(target, 0, sizeof *target);
	if (strncmp(text, "udp:", 4) == 0)
		return udp_parse(text + 4, target);
	if (strncmp(text, "unix:/", 6) != 0)
		return "expected unix:/PATH or udp:HOST:PORT";
	if (strlen(text + 5) >= sizeof target->path)
		return "the path is longer than a Unix socket's can be (107 bytes)";
	target->local = true;
	memcpy(target->path, text + 5, strlen(text + 5) + 1);
	return NULL;
}

void transport_init(struct transport *transport, const struct target *target, int64_t timeout)
{
	*transport = (struct transport){ .target = target, .timeout = timeout, .fd = -1 };
}

void transport_close(struct transport *transport)
{
	if (transport->fd >= 0)
		close(transport->fd);
	transport->fd = -1;
}

/* Keep the reason. Returns -error. */
static int fail(struct transport *transport, const char *doing, int error)
{
	snprintf(transport->error, sizeof transport->error, "%s: %s", doing, strerrordesc_np(error));
	return -error;
}

static int connect_local(struct transport *transport, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	memcpy(address.sun_path, transport->target->path, sizeof address.sun_path);
	transport->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (transport->fd < 0)
		return -errno;
	if (connect(transport->fd, (struct sockaddr *)&address, sizeof address) == 0)
		return 0;
	int error = errno;
	transport_close(transport);
	return -error;
}

static int connect_udp(struct transport *transport)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV }, *list;
	int error = getaddrinfo(transport->target->host, transport->target->port, &hints, &list);
	if (error != 0) {
		snprintf(transport->error, sizeof transport->error, "cannot resolve the name: %s",
			 gai_strerror(error));
		return -EHOSTUNREACH;
	}
	error = EHOSTUNREACH;
	for (struct addrinfo *ai = list; ai != NULL && transport->fd < 0; ai = ai->ai_next) {
		transport->fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (transport->fd >= 0 && connect(transport->fd, ai->ai_addr, ai->ai_addrlen) == 0)
			break;
		error = errno;
		transport_close(transport);
	}
	freeaddrinfo(list);
	return transport->fd >= 0 ? 0 : fail(transport, "cannot connect", error);
}

static int transport_connect(struct transport *transport)
{
	transport->stream = false;
	transport->fresh = !transport->target->local;
	if (transport->fresh)
		return connect_udp(transport);
	int error = connect_local(transport, SOCK_DGRAM);
	if (error == -EPROTOTYPE) {
		transport->stream = true;
		error = connect_local(transport, SOCK_STREAM);
	}
	return error == 0 ? 0 : fail(transport, "cannot connect", -error);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The socket is full: wait for room. */
static int wait_writable(struct transport *transport, int64_t deadline)
{
	struct pollfd pollfd = { .fd = transport->fd, .events = POLLOUT };
	int64_t left = deadline - now_ms();
	if (left <= 0 || poll(&pollfd, 1, (int)(left < 60000 ? left : 60000)) == 0)
		return now_ms() >= deadline ? -ETIMEDOUT : 0;
	return 0;
}

/* As many datagrams as go at once. Their number, or -errno. */
static int send_datagrams(struct transport *transport, const char *data, const size_t ends[],
			  size_t from, size_t n)
{
	struct mmsghdr headers[TRANSPORT_BATCH] = { 0 };
	struct iovec parts[TRANSPORT_BATCH];
	for (size_t i = from; i < n; i++) {
		size_t start = i == 0 ? 0 : ends[i - 1];
		parts[i - from] = (struct iovec){ (char *)data + start, ends[i] - start - 1 };
		headers[i - from].msg_hdr.msg_iov = &parts[i - from];
		headers[i - from].msg_hdr.msg_iovlen = 1;
	}
	int sent = sendmmsg(transport->fd, headers, (unsigned)(n - from), MSG_NOSIGNAL);
	return sent >= 0 ? sent : -errno;
}

/* The first datagram goes alone: is there anybody? */
static int send_first(struct transport *transport, const char *data, const size_t ends[], size_t from)
{
	struct pollfd pollfd = { .fd = transport->fd };
	int error = 0, sent = send_datagrams(transport, data, ends, from, from + 1);
	socklen_t size = sizeof error;
	if (sent <= 0)
		return sent;
	transport->fresh = false;
	if (poll(&pollfd, 1, REFUSAL_MS) > 0)
		getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error != 0 ? -error : sent;
}

/* One connection's way with data[*at..]: 0 when all are sent, or -errno. */
static int send_on(struct transport *transport, const char *data, const size_t ends[], size_t n,
		   size_t *sent, int64_t deadline)
{
	size_t at = *sent == 0 ? 0 : ends[*sent - 1];
	while (*sent < n) {
		ssize_t got;
		if (!transport->stream) {
			got = transport->fresh ? send_first(transport, data, ends, *sent)
					       : send_datagrams(transport, data, ends, *sent, n);
			*sent += got > 0 ? (size_t)got : 0;
		} else {
			got = send(transport->fd, data + at, ends[n - 1] - at, MSG_NOSIGNAL);
			at += got > 0 ? (size_t)got : 0;
			got = got < 0 ? -errno : got;
			while (*sent < n && ends[*sent] <= at)
				++*sent;
		}
		if (got == -EAGAIN)
			got = wait_writable(transport, deadline);
		if (got < 0 && got != -EINTR)
			return (int)got;
	}
	return 0;
}

size_t transport_send(struct transport *transport, const char *data, const size_t ends[], size_t n,
		      int *error)
{
	int64_t deadline = now_ms() + transport->timeout;
	size_t sent = 0, tried = (size_t)-1;
	*error = 0;
	while (sent < n) {
		*error = transport->fd < 0 ? transport_connect(transport) : 0;
		if (*error != 0)
			break;
		*error = send_on(transport, data, ends, n, &sent, deadline);
		if (*error == 0 || *error == -EMSGSIZE)
			break;
		transport_close(transport);
		fail(transport, *error == -ETIMEDOUT ? "the receiver does not read" : "cannot send",
		     -*error);
		if (*error == -ETIMEDOUT || tried == sent)
			break;
		tried = sent;		/* once more at the same place, then give up */
	}
	return sent;
}
