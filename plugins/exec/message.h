/*
 * message.h - the messages of doc/exec-protocol.md that a program sends, and those that it is sent.
 */
#ifndef EXEC_MESSAGE_H
#define EXEC_MESSAGE_H

#include "common/wire.h"

#define MESSAGE_PROTOCOL 1
#define MESSAGE_VALUES 6
#define MESSAGE_REASON 500	/* bytes of a reason that are kept */

enum message_kind {
	MESSAGE_READY,
	MESSAGE_ERROR,
	MESSAGE_LOG,
	MESSAGE_METRIC,
	MESSAGE_EMIT,
	MESSAGE_RESTORE,
	MESSAGE_ANSWER,
	MESSAGE_PASSED,
	MESSAGE_FAILED,
	MESSAGE_KINDS
};

/* Where each kind's values are. */
enum { READY_PROTOCOL, READY_MAX_IN_FLIGHT, READY_METRICS };
enum { ERROR_OPTION, ERROR_REASON };
enum { LOG_LEVEL, LOG_TEXT };
enum { METRIC_NAME, METRIC_ADD, METRIC_SET };
enum { EMIT_TOKEN, EMIT_EVENTS, EMIT_MARK, EMIT_KEYS };
enum { RESTORE_KEY };
enum { ANSWER_TOKEN, ANSWER_CODE, ANSWER_AFTER, ANSWER_RESPONSE, ANSWER_RESPONSE_BASE64, ANSWER_REASON };
enum { PASSED_TOKEN, PASSED_EVENTS };
enum { FAILED_TOKEN, FAILED_RETRY, FAILED_REASON };

struct message {
	enum message_kind kind;
	struct wire_value values[MESSAGE_VALUES];	/* borrowed from the frame */
	struct pb_span unknown;				/* a key that is none of ours, or {NULL, 0} */
};

/* Read a frame. False: what it is not is in the fault. */
bool message_read(enum wire_format, struct pb_span frame, struct message *, struct wire_fault *);
/* "emit" */
const char *message_name(enum message_kind);
/* A token, or any integer that a message must have. False after wire_fail(). */
bool message_int(const struct message *, unsigned value, const char *name, int64_t min, int64_t max, int64_t *to,
		 struct wire_fault *);

/* A reason, cut to what fits, as the one line that it must be: what a line may not hold becomes spaces. "" if it is absent. */
void message_reason(const struct wire_value *, char *to, size_t size);
/* The same of any text, in place. */
void message_one_line(char *text);

/* A message whose map is empty: reopen, stop. 0 or -ENOMEM. */
int message_bare(struct wire_writer *, const char *kind);

#endif
