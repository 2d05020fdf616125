/*
 * message.h - what the daemon and the process of an isolated section say to each other.
 *
 * The frames are those of the exec protocol (doc/exec-protocol.md) as msgpack, with kinds and members of our own for what only a
 * plugin in C can do. Both ends are the same program, but the daemon takes nothing of the other's on trust: a length is
 * believed when the bytes are there, and an event is the codec's to check.
 */
#ifndef PLUGIN_MESSAGE_H
#define PLUGIN_MESSAGE_H

#include <stdbool.h>

#include <patchbay/plugin.h>

#include "base/buf.h"

#define MESSAGE_PROTOCOL 1
#define MESSAGE_LIST_MAX (4u << 20)	/* of a list: an item takes a byte there, and more than ten here */
#define MESSAGE_HEAD 4		/* bytes before each: its length, the most significant first */

enum message_kind {
	/* From the daemon. */
	MESSAGE_HELLO, MESSAGE_RECEIPT, MESSAGE_MARK, MESSAGE_LISTENING, MESSAGE_DELIVER, MESSAGE_APPLY,
	MESSAGE_REOPEN, MESSAGE_STOP,
	/* From the process. */
	MESSAGE_READY, MESSAGE_ERROR, MESSAGE_EMIT, MESSAGE_RESTORE, MESSAGE_LISTEN, MESSAGE_ANSWER, MESSAGE_PASSED,
	MESSAGE_FAILED, MESSAGE_METRIC,
	MESSAGE_KINDS
};

/* Spans in a row; {NULL, 0} is nil. */
struct message_list {
	struct pb_span *at;
	size_t n, room;
};

/* The members of all kinds; which of them a kind has is in message.c. Spans are borrowed: of a message that was read, from
 * what it was read of. */
struct message {
	enum message_kind kind;
	int64_t protocol, token, attempt, after, worker, pid, max_event, memory, files, level, index, value;
	int64_t code;		/* enum pb_code */
	int64_t outcome;	/* enum pb_outcome */
	bool more, retry, gauge;
	struct pb_span section;	/* "sink" */
	struct pb_span name, plugin, folder, option, reason, key, mark, records, event, response, help;
	struct message_list options;	/* name, value, name, value, … */
	struct message_list keys;	/* one an event of `records`: see remote.h */
	struct message_list senders;	/* none, or one an event likewise: who sent it */
	struct message_list duplicates;	/* one an event, nil: it was not seen before; or none at all */
	struct message_list events;
};

/* Append the message with its head: all members that its kind has. 0, -EMSGSIZE or -ENOMEM, and then nothing of it. */
int message_add(struct buf *, const struct message *);
/* Read the bytes of one, without its head. 0, -EBADMSG or -ENOMEM; the lists of *m are to be freed in either case. What it does not name
 * is 0, unknown members are passed over. */
int message_read(struct pb_span bytes, struct message *m);
/* Free the lists. */
void message_free(struct message *);
/* "hello" */
const char *message_name(enum message_kind);

/* Append one; short memory ends the process, as the list's length is bounded by a frame's. */
void message_list_add(struct message_list *, struct pb_span);
void message_list_free(struct message_list *);

#endif
