/*
 * http.c - the http source: events by POST, answered when they are on disk.
 *
 * What it promises: 202 means stored; with `dedupe`, once, if the sender names its event. What it cannot
 * without: a sender that gets no answer does not know, and one that repeats makes a second event.
 * See server.h for how a turn goes.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "http/client.h"
#include "http/request.h"

#define CONNECTION_MEMORY (8 * 1024)	/* of a connection, its header included; cleared for each request */
#define FAREWELL 1000			/* ms for the last answers to go out when stopping */

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

PB_PRINTF(2, 0)
static void http_log(void *cls, const char *fmt, va_list args)
{
	struct http *http = cls;
	char line[256];
	vsnprintf(line, sizeof line, fmt, args);
	line[strcspn(line, "\r\n")] = '\0';
	pb_log(http->self, PB_DEBUG, "%s", line);
	unsigned status;
	if (sscanf(line, "Error processing request (HTTP response code is %u", &status) == 1)
		request_overruled(http, status);
}

static bool is_mode(const char *text)
{
	size_t digits = strspn(text, "01234567");
	return digits >= 3 && digits <= 4 && text[digits] == '\0' && strtol(text, NULL, 8) <= 0777;
}

static void http_check(struct pb_self *self, struct pb_error *err)
{
	struct type_rule type;
	const char *wrong = type_parse(&type, pb_str(self, "event"));
	if (wrong != NULL)
		pb_error(err, "event", "%s", wrong);
	if (*pb_str(self, "path") != '/')
		pb_error(err, "path", "a path that begins with / is expected");
	if (!is_mode(pb_str(self, "mode")))
		pb_error(err, "mode", "expected three octal digits, such as 0660");
	/* A token that was forgotten must not open the door. */
	if (pb_isset(self, "token") && *pb_str(self, "token") == '\0')
		pb_error(err, "token", "it is empty");
}

static void http_close(void *state)
{
	struct http *http = state;
	struct client *client;
	TAILQ_FOREACH(client, &http->clients, entry)
		if (client->request != NULL)
			request_give_up(client->request);
	if (http->daemon != NULL) {
		MHD_run(http->daemon);
		MHD_stop_daemon(http->daemon);
	}
	if (http->epoll >= 0)
		close(http->epoll);
	free(http->listeners);
	free(http);
}

static size_t max_body(const struct pb_self *self)
{
	size_t own = (size_t)pb_int(self, "max_body"), all = pb_max_event(self);
	return own < all ? own : all;
}

static struct http *http_new(struct pb_self *self)
{
	struct http *http = calloc(1, sizeof *http);
	if (http == NULL)
		return NULL;
	*http = (struct http){
		.self = self,
		.now = now_ms(),
		.path = pb_str(self, "path"),
		.token = pb_str(self, "token"),
		.dedupe = pb_int(self, "dedupe") > 0,
		.max_body = max_body(self),
		.max_connections = (size_t)pb_int(self, "max_connections"),
		.timeout = pb_int(self, "timeout"),
		.accepted = pb_counter(self, "accepted", "Events taken in."),
		.connections = pb_gauge(self, "connections", "Open connections."),
	};
	refusals_register(&http->refused, self);
	type_parse(&http->type, pb_str(self, "event"));
	TAILQ_INIT(&http->clients);
	http->epoll = epoll_create1(EPOLL_CLOEXEC);
	return http;
}

static bool http_listen(struct http *http, struct pb_error *err)
{
	const char *const *addresses = pb_list(http->self, "listen");
	while (addresses[http->n_listeners] != NULL)
		http->n_listeners++;
	http->listeners = calloc(http->n_listeners + 1, sizeof *http->listeners);
	if (http->listeners == NULL)
		return pb_error(err, NULL, "out of memory");
	for (size_t i = 0; i < http->n_listeners; i++) {
		struct epoll_event event = { .events = 0 };
		int fd = http->listeners[i] = pb_listen(http->self, "listen", i, err);
		if (fd < 0)
			return false;
		if (epoll_ctl(http->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			return pb_error(err, NULL, "cannot poll: %s", strerror(errno));
	}
	return true;
}

static bool http_start(struct http *http, struct pb_error *err)
{
	const unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
			       MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	http->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, request_handle, http,
		MHD_OPTION_EXTERNAL_LOGGER, http_log, http,
		MHD_OPTION_NOTIFY_CONNECTION, client_notify, http,
		MHD_OPTION_URI_LOG_CALLBACK, request_open, http,
		MHD_OPTION_NOTIFY_COMPLETED, request_close, http,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)clients_limit(http) + 1,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_END);
	if (http->daemon == NULL)
		return pb_error(err, NULL, "cannot start libmicrohttpd: %s", strerror(errno));
	struct epoll_event event = { .events = EPOLLIN };
	int fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	if (epoll_ctl(http->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return pb_error(err, NULL, "cannot poll: %s", strerror(errno));
	return true;
}

static void *http_open(struct pb_self *self, struct pb_error *err)
{
	struct http *http = http_new(self);
	if (http == NULL)
		return pb_error(err, NULL, "out of memory");
	if (http->epoll < 0)
		pb_error(err, NULL, "cannot poll: %s", strerror(errno));
	else if (http_listen(http, err) && http_start(http, err))
		return http;
	http_close(http);
	return NULL;
}

/* Take in what has come and send what is due. */
static void http_turn(struct http *http)
{
	http->now = now_ms();
	http->turn++;
	clients_accept(http);
	clients_expire(http);
	MHD_run(http->daemon);
	if (http->owed > 0)
		MHD_run(http->daemon);
	clients_listen(http);
	pb_set(http->connections, (int64_t)http->n_clients);
}

static int64_t http_timeout(const struct http *http)
{
	MHD_UNSIGNED_LONG_LONG pending;
	if (MHD_get_timeout(http->daemon, &pending) == MHD_YES && pending == 0)
		return 0;
	return clients_timeout(http);
}

/* All is settled: what is still owed is answers. */
static void http_farewell(struct http *http)
{
	struct pollfd fd = { .fd = http->epoll, .events = POLLIN };
	int64_t end = now_ms() + FAREWELL;
	http_turn(http);
	while (http->owed > 0 && http->now < end) {
		poll(&fd, 1, http_timeout(http) == 0 ? 0 : (int)(end - http->now));
		http_turn(http);
	}
}

static int http_run(void *state)
{
	struct http *http = state;
	do
		http_turn(http);
	while (pb_wait(http->self, http->epoll, http_timeout(http)) >= 0);
	http_farewell(http);
	return 0;
}

static const struct pb_option options[] = {
	{ .name = "listen", .type = PB_ADDRESSES,
	  .help = "Where to listen: HOST:PORT, [V6]:PORT or unix:/PATH, several between commas." },
	{ .name = "mode", .type = PB_STRING, .value = "0660",
	  .help = "The mode of the socket file of unix:/PATH, in octal digits: who may write to it "
		  "may send. A socket that the service manager passes in keeps its own." },
	{ .name = "path", .type = PB_STRING, .value = "/",
	  .help = "The path that takes events; others are answered with 404." },
	{ .name = "token", .type = PB_SECRET, .value = "",
	  .help = "The bearer token that senders must show; unset: anybody may send. "
		  "A new one counts after a reload." },
	{ .name = "event", .type = PB_STRING, .value = "json:event",
	  .help = "Where an event's type comes from: json:FIELD of the body, header:NAME, or "
		  "a fixed type (type:TYPE when it has a colon in it). The request's body is the "
		  "event's as it came: ce-* headers and application/cloudevents+json are not "
		  "interpreted." },
	{ .name = "max_body", .type = PB_SIZE, .value = "1MiB", .min = 1, .max = 1 << 30,
	  .help = "The largest body taken, within max_event; a larger one is answered with 413." },
	{ .name = "max_connections", .type = PB_INT, .value = "1024", .min = 1, .max = 1000000,
	  .help = "How many connections each worker serves at once; more are answered with 503." },
	{ .name = "timeout", .type = PB_DURATION, .value = "30s", .min = 100, .max = 86400000,
	  .help = "How long a connection may be without a request, after which it is closed, and "
		  "how long a request may take from its first line on: one that has not come in "
		  "whole is then answered with 408 and its connection closed, one that waits to be "
		  "confirmed with 503." },
	{ 0 }
};

PB_PLUGIN(.name = "http", .version = "1", .summary = "Events by HTTP POST",
	  .source = PB_SOURCE(.options = options, .check = http_check, .open = http_open,
			      .close = http_close, .run = http_run, .settled = request_settled,
			      .may_refuse = true, .may_repeat = true));
