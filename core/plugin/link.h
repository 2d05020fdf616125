/*
 * link.h - one end of the socket between the daemon and an isolated section's process: frames in, frames out.
 *
 * What comes is kept only up to one frame's limit, and memory grows by what is there, not by what a length says. What goes is
 * packed into one buffer and sent as far as the other end takes it, so that a batch is one call. One thread at a time reads, and
 * one writes; their owner sees to that.
 */
#ifndef PLUGIN_LINK_H
#define PLUGIN_LINK_H

#include "plugin/message.h"

struct link {
	int fd;			/* -1: closed */
	struct buf in;
	size_t at;		/* of `in`: what was handed out already */
	struct buf out;
	size_t out_at;		/* what is sent of it */
	uint64_t sent;		/* bytes, since the beginning */
	int passed;		/* a descriptor that came along; -1: none */
};

/* The link takes the descriptor. Frames of more than `frame_max` bytes are not taken, nor sent. */
void link_init(struct link *, int fd, size_t frame_max);
/* Close it. */
void link_fini(struct link *);
/* Read what there is, without waiting on a non-blocking socket. Bytes; 0: the other end has closed; -EAGAIN: nothing; or -errno. */
long link_fill(struct link *);
/* The next whole message: 1, to be freed, its spans being valid until link_fill(). 0: there is none yet. -EBADMSG: what came is none; -EMSGSIZE: it is too
 * long; -ENOMEM. */
int link_next(struct link *, struct message *);
/* Append to what is to be sent. 0, -EMSGSIZE or -ENOMEM. */
int link_add(struct link *, const struct message *);
/* Send what there is. 0: all is sent; -EAGAIN: the other end takes no more at present; else -errno. */
int link_flush(struct link *);
/* Send all that waits, and the message with a descriptor, which stays the caller's. Waits up to `ms`. 0 or -errno. */
int link_pass(struct link *, const struct message *, int fd, int64_t ms);
/* As link_flush(), waiting up to `ms` for the other end (-1: without end). 0 or -errno. */
int link_flush_wait(struct link *, int64_t ms);
/* Bytes that wait to be sent. */
static inline size_t link_waiting(const struct link *l)
{
	return l->out.len - l->out_at;
}

#endif
