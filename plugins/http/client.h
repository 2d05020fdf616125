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
