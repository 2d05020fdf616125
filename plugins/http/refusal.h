/*
 * refusal.h - requests that were answered with an error: counted by status, and logged.
 *
 * A line names the peer and the reason that the peer was given; never a token, a header's
 * value or a body. The log limits how many lines it takes. All on the instance's thread.
 */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

#include <patchbay/plugin.h>

#define REFUSAL_STATUSES 11

struct client;
struct http;

struct refusals {
	struct pb_metric *all, *other, *by_status[REFUSAL_STATUSES];
};

/* Register the metrics. From open(). */
void refusals_register(struct refusals *, struct pb_self *);
/* A request of `client`, NULL if it is not known whose, gets this status for that reason. */
void refusal_note(struct http *, const struct client *, unsigned status, const char *reason);

#endif
