/*
 * watch.h - which sockets epoll watches.
 *
 * curl asks for a socket to be watched with each transfer, and no more after it, though the connection is kept and
 * used again. What it asks no more for stays with epoll: so a transfer on a connection that is used again costs no
 * system call here. Should such a socket become ready (its peer has closed it), it is taken out then. Only for
 * sockets of which it is known when they are made and closed; curl has others, to wait for name servers. All is
 * the loop's thread's.
 */
#ifndef WEBHOOK_WATCH_H
#define WEBHOOK_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of a descriptor. */
struct watch {
	uint32_t events;	/* as epoll has it; 0: it has not */
	bool ours;		/* made, and not closed yet */
	bool wanted;		/* by curl */
};

struct watches {
	struct watch *of;	/* by descriptor */
	size_t n;
};

/* Nothing is known any more. */
void watches_free(struct watches *);
/* A socket was made, and is to be closed. One that watch_made() had no memory for is like one that was not told of. */
void watch_made(struct watches *, int fd);
void watch_closed(struct watches *, int fd);
/* Have `epoll` tell `data` when one of `events` is ready; 0: none is wanted at present. */
void watch_set(struct watches *, int epoll, int fd, uint32_t events, uint64_t data);
/* It is ready. False: nobody wants to know. */
bool watch_ready(struct watches *, int epoll, int fd);

#endif
