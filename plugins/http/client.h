/*
 * client.h - connections: taking them in, how many, and for how long.
 *
 * Every connection has a deadline from its first moment to its last, so that nobody holds
 * one by sending a byte now and then: it moves only when the connection begins, when a
 * request line has come, and when an answer has been sent. All functions run on the
 * instance's thread.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http/server.h"

/* MHD_OPTION_NOTIFY_CONNECTION; `cls` is the struct http. */
void client_notify(void *cls, struct MHD_Connection *, void **socket_context,
		   enum MHD_ConnectionNotificationCode);
/* The client of a connection; NULL if there was no memory for one. */
struct client *client_of(struct MHD_Connection *);
/* Who it is: "192.0.2.1:5", "[2001:db8::1]:5", "process 7 of user 0" at a Unix socket; NULL: nobody known. */
void client_peer(const struct client *, char *text, size_t size);
/* The same without the port, for all that the connection brings: "192.0.2.1", "[2001:db8::1]". */
const char *client_sender(struct client *);
/* Give it a whole `timeout` from now. */
void client_touch(struct client *);

/* Poll the listeners, or stop: as limits, shortage and the core's wish say. */
void clients_listen(struct http *);
/* Take in those that wait, as far as the limit allows. */
void clients_accept(struct http *);
/* End those whose deadline has passed; MHD_run() is to follow. */
void clients_expire(struct http *);
/* Milliseconds until clients_expire() or clients_listen() has something to do; -1: never. */
int64_t clients_timeout(const struct http *);
/* The most connections that are ever open: the excess is there to be told 503. */
size_t clients_limit(const struct http *);

#endif
