/*
 * floor.c - the least that "202 after fsync" can cost: the bench's own yardstick.
 *
 * One thread, one epoll. A turn reads what has come, appends the bodies of all requests that
 * are complete to a file in one write, calls fdatasync once, and answers them. It checks
 * next to nothing and has no limits: it is no server. Usage: floor PORT FILE
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN 1024		/* events of a turn */
#define HEAD_MAX 65536		/* of a request, its body included */

static const char answer[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
			     "Content-Length: 46\r\n\r\n"
			     "{\"id\":\"00000000-0000-7000-8000-000000000000\"}\n";

struct client {
	int fd;
	size_t have;
	char buf[HEAD_MAX];
};

struct floor {
	int epoll, listener, file;
	char *batch;
	size_t len, room;
	struct client *owed[TURN];
	size_t n_owed;
};

static void floor_append(struct floor *floor, const char *body, size_t len)
{
	if (floor->len + len + 1 > floor->room) {
		floor->room = 2 * (floor->len + len + 1);
		floor->batch = realloc(floor->batch, floor->room);
		if (floor->batch == NULL)
			err(1, "realloc");
	}
	memcpy(floor->batch + floor->len, body, len);
	floor->len += len;
	floor->batch[floor->len++] = '\n';
}

/* Take one whole request out of the buffer; false if it is not all there. */
static bool client_parse(struct floor *floor, struct client *client)
{
	char *end = memmem(client->buf, client->have, "\r\n\r\n", 4);
	char *field = memmem(client->buf, client->have, "Content-Length: ", 16);
	if (end == NULL || field == NULL)
		return false;
	size_t len = strtoul(field + 16, NULL, 10);
	size_t whole = (size_t)(end - client->buf) + 4 + len;
	if (client->have < whole)
		return false;
	floor_append(floor, end + 4, len);
	client->have -= whole;
	memmove(client->buf, client->buf + whole, client->have);
	return true;
}

static void client_read(struct floor *floor, struct client *client)
{
	ssize_t n = read(client->fd, client->buf + client->have, HEAD_MAX - 1 - client->have);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		close(client->fd);
		free(client);
		return;
	}
	client->have += (size_t)n;
	client->buf[client->have] = '\0';
	if (client_parse(floor, client))
		floor->owed[floor->n_owed++] = client;
}

static void floor_accept(struct floor *floor)
{
	int fd, on = 1;
	while ((fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct client *client = calloc(1, sizeof *client);
		if (client == NULL)
			err(1, "calloc");
		client->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
		epoll_ctl(floor->epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

static void floor_commit(struct floor *floor)
{
	if (floor->len > 0 && write(floor->file, floor->batch, floor->len) != (ssize_t)floor->len)
		err(1, "write");
	if (floor->len > 0 && fdatasync(floor->file) < 0)
		err(1, "fdatasync");
	floor->len = 0;
	for (size_t i = 0; i < floor->n_owed; i++)
		if (write(floor->owed[i]->fd, answer, sizeof answer - 1) < 0)
			warn("answer");
	floor->n_owed = 0;
}

static void floor_open(struct floor *floor, const char *port, const char *file)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int on = 1;
	floor->file = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
	floor->epoll = epoll_create1(0);
	floor->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(floor->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (floor->file < 0 || bind(floor->listener, (struct sockaddr *)&addr, sizeof addr) < 0 ||
	    listen(floor->listener, 1024) < 0)
		err(1, "%s %s", port, file);
	struct epoll_event event = { .events = EPOLLIN };
	epoll_ctl(floor->epoll, EPOLL_CTL_ADD, floor->listener, &event);
}

int main(int argc, char **argv)
{
	static struct floor floor;
	static struct epoll_event events[TURN];
	if (argc != 3)
		errx(2, "usage: floor PORT FILE");
	floor_open(&floor, argv[1], argv[2]);
	for (;;) {
		int n = epoll_wait(floor.epoll, events, TURN, -1);
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				floor_accept(&floor);
			else
				client_read(&floor, events[i].data.ptr);
		floor_commit(&floor);
	}
}
