/*
 * hub.h - a curl multi handle for some of the sinks, on the loop's epoll.
 *
 * With each transfer curl looks through all the names, and at times all the connections, that its multi handle
 * knows. So thousands of sinks share not one handle but many, each with a hundred of them. Beside each stands another, for
 * those of its sinks that fail again and again: what is to be done for these can wait for what is to be done for all
 * others. What is of a hub is the loop's thread's, but for what its maker counts.
 */
#ifndef WEBHOOK_HUB_H
#define WEBHOOK_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <sys/epoll.h>

struct watches;

struct hub {
	CURLM *multi;		/* NULL while it rests */
	int epoll;		/* the loop's for hubs like it */
	struct watches *watches;	/* the loop's */
	struct hub *failing;	/* the one beside it; NULL: it is that itself */
	uint32_t number;	/* goes with each of its sockets, in epoll's data: see hub_of() */
	int64_t due;		/* when curl wants to be called: monotonic ms, -1: never */
	size_t busy;		/* transfers under way */
	int64_t used;		/* when the last of them ended; -1: it has had none since it rested */
	long kept;		/* connections that it keeps open at most */

	/* Under the loop's lock. */
	size_t hooks;		/* that use it */
	long connections;	/* the sum of their max_in_flight */
};

/* NULL: out of memory. [any] */
struct hub *hub_new(int epoll, uint32_t number, struct watches *);
/* Nothing may be under way in it. [any] */
void hub_free(struct hub *);
/* Which hub an event of epoll's is for. */
uint32_t hub_of(const struct epoll_event *);
/* A socket is ready. */
void hub_socket(struct hub *, const struct epoll_event *);
/* Call curl if the time has come. */
void hub_timer(struct hub *, int64_t now);
/* Keep so many connections open. */
void hub_keep(struct hub *, long connections);
/* A transfer goes in, and comes out. False: it does not. */
bool hub_add(struct hub *, CURL *);
void hub_remove(struct hub *, CURL *);
/* If nothing was under way since `since`: close all its connections, which curl itself does only when it makes
 * another, and forget all names. True when it did. */
bool hub_rest(struct hub *, int64_t since);
/* Monotonic ms. [any] */
int64_t now_ms(void);

#endif
