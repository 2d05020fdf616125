/* client.h - ask a running daemon over its control socket. The protocol is described in server.h. */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <jansson.h>

#include "base/error.h"

#define CLIENT_TIMEOUT_MS 5000		/* without a byte from the daemon */
#define CLIENT_LINE_MAX (64 * 1024 * 1024)	/* a dead letter shown holds its event's body */

enum client_result {
	CLIENT_DONE,
	CLIENT_FAILED,
	CLIENT_USAGE,		/* the daemon does not know what was asked */
	CLIENT_NO_DAEMON,	/* nobody answers at that path, or not in time */
	CLIENT_DENIED,		/* we may not ask */
};

/* Ask for `verb` with `args` (an object, borrowed, or NULL) and hand each object of the answer, without
 * its last line, to `each`. What came before an error was handed over too. Anything but CLIENT_DONE is
 * after error_add(). [any] */
enum client_result client_ask(const char *path, const char *verb, json_t *args,
			      void (*each)(void *arg, const json_t *object), void *arg,
			      struct pb_error *);

#endif
