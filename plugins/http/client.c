/* client.c - connections: taking them in, how many, and for how long. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "http/client.h"
#include "http/request.h"

#define ACCEPT_BATCH 64		/* connections taken in a turn, from each listener */
#define SHORTAGE_PAUSE 1000	/* ms without accepting after descriptors or memory ran out */

size_t clients_limit(const struct http *http)
{
	return http->max_connections + http->max_connections / 8 + 16;
}

static struct client *client_new(struct http *http, struct MHD_Connection *conn)
{
	struct client *client = calloc(1, sizeof *client);
	if (client == NULL)
		return NULL;
	client->http = http;
	client->conn = conn;
	client->fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	client->excess = http->n_clients >= http->max_connections;
	client->deadline = http->now + http->timeout;
	TAILQ_INSERT_TAIL(&http->clients, client, entry);
	http->n_clients++;
	return client;
}

static void client_free(struct client *client)
{
	TAILQ_REMOVE(&client->http->clients, client, entry);
	client->http->n_clients--;
	free(client);
}

void client_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
		   enum MHD_ConnectionNotificationCode code)
{
	struct http *http = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*socket_context = client_new(http, conn);
	else if (*socket_context != NULL)
		client_free(*socket_context);
}

struct client *client_of(struct MHD_Connection *conn)
{
	return MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void client_touch(struct client *client)
{
	struct http *http = client->http;
	client->deadline = http->now + http->timeout;
	TAILQ_REMOVE(&http->clients, client, entry);
	TAILQ_INSERT_TAIL(&http->clients, client, entry);
}

void clients_listen(struct http *http)
{
	bool want = !pb_stopping(http->self) && http->n_clients < clients_limit(http) &&
		    http->now >= http->accept_after;
	if (want == http->listening)
		return;
	for (size_t i = 0; i < http->n_listeners; i++) {
		struct epoll_event event = { .events = want ? EPOLLIN : 0 };
		epoll_ctl(http->epoll, EPOLL_CTL_MOD, http->listeners[i], &event);
	}
	http->listening = want;
}

/* False when there is nobody to take in, or no means. */
static bool client_accept(struct http *http, int listener)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof addr;
	int fd = accept4(listener, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && errno == EAGAIN)
		return false;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		pb_log(http->self, PB_WARN, "cannot accept a connection: %s", strerror(errno));
		http->accept_after = http->now + SHORTAGE_PAUSE;
		return false;
	}
	/* On failure libmicrohttpd has closed it. Any other error is of that connection alone. */
	if (fd >= 0)
		MHD_add_connection(http->daemon, fd, (struct sockaddr *)&addr, len);
	return true;
}

void clients_accept(struct http *http)
{
	if (!http->listening || pb_stopping(http->self))
		return;
	for (size_t i = 0; i < http->n_listeners; i++)
		for (unsigned n = 0; n < ACCEPT_BATCH; n++)
			if (http->n_clients >= clients_limit(http) ||
			    !client_accept(http, http->listeners[i]))
				break;
}

static void client_expire(struct client *client)
{
	struct request *req = client->request;
	if (req == NULL || !(request_give_up(req) || request_time_out(req))) {
		/* libmicrohttpd sees the end of the connection in its next run. */
		pb_log(client->http->self, PB_DEBUG, req == NULL ?
		       "closed a connection: it was idle" :
		       "closed a connection: its answer was not taken, or the rest of a request "
		       "that was refused did not come");
		shutdown(client->fd, SHUT_RDWR);
	}
	client_touch(client);
}

void clients_expire(struct http *http)
{
	struct client *client;
	while ((client = TAILQ_FIRST(&http->clients)) != NULL && client->deadline <= http->now)
		client_expire(client);
}

int64_t clients_timeout(const struct http *http)
{
	const struct client *first = TAILQ_FIRST(&http->clients);
	int64_t due = first != NULL ? first->deadline : INT64_MAX;
	if (http->accept_after > http->now && http->accept_after < due)
		due = http->accept_after;
	if (due == INT64_MAX)
		return -1;
	return due > http->now ? due - http->now : 0;
}
