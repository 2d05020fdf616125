/*
 * server.h - what one instance of the http source is made of.
 *
 * An instance is one thread and one libmicrohttpd daemon that polls nothing of its own:
 * its epoll descriptor and our listeners sit in one of ours, on which pb_wait() sleeps.
 * We accept connections ourselves, so limits and stopping are ours to decide.
 *
 * A turn: pb_wait() commits what the turn before took in and settles it; then MHD_run()
 * takes in what has arrived and asks again for every answer that is owed (the handler of a
 * request that is complete and not suspended is called in each run); a second run sends
 * them. A request is suspended only when a commit has passed without settling it.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <microhttpd.h>
#include <patchbay/plugin.h>

#include "http/refusal.h"
#include "http/type.h"

struct request;

/* A connection. It lives from MHD's notice of its start to that of its end. */
struct client {
	struct http *http;
	struct MHD_Connection *conn;
	int fd;			/* libmicrohttpd's */
	int64_t deadline;	/* on the server's clock */
	bool excess;		/* over max_connections: told to come back */
	struct request *request;	/* under way, or NULL */
	char sender[72];		/* peer_sender()'s, once it was asked for */
	TAILQ_ENTRY(client) entry;
};

TAILQ_HEAD(client_list, client);

struct http {
	struct pb_self *self;
	struct MHD_Daemon *daemon;
	int epoll;		/* MHD's epoll descriptor and the listeners */
	int *listeners;		/* the core's */
	size_t n_listeners;
	bool listening;		/* the listeners are being polled */
	int64_t accept_after;	/* after a shortage, no sooner than this */
	int64_t now;		/* monotonic ms, read once a turn */
	uint64_t turn;		/* counts the calls of pb_wait() */
	size_t owed;		/* answers queued and not yet sent in full */

	const char *path;
	const char *token;	/* "": everybody may post */
	struct type_rule type;
	bool dedupe;		/* what senders name their events by counts */
	size_t max_body;
	size_t max_connections;
	int64_t timeout;

	struct client_list clients;	/* the earliest deadline first */
	size_t n_clients;

	struct pb_metric *accepted, *connections;
	struct refusals refused;
};

#endif
