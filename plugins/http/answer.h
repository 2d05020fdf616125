/*
 * answer.h - what a sender is told: 202 with an id, or a problem (RFC 9457).
 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include <stdbool.h>

#include <microhttpd.h>

/* An answer that is not yet sent. `response` may be NULL: no memory, close the connection. */
struct answer {
	unsigned status;
	struct MHD_Response *response;
};

/* {"id":"…"}; a repeat is told by a header that the id is the first one's. */
struct answer answer_accepted(const char *id, bool repeat);
/* application/problem+json; `detail` says what is wrong in one sentence. A 401, 405, 415 and 503
 * come with the header that their status calls for. */
struct answer answer_problem(unsigned status, const char *detail);
/* The same as text, for a connection that closes after it: written to `to`, cut to ANSWER_TEXT
 * bytes. Its length. */
#define ANSWER_TEXT 2048
size_t answer_text(char to[static ANSWER_TEXT], unsigned status, const char *detail);
/* Queue and forget it. MHD_NO: the connection is to be closed. */
enum MHD_Result answer_send(struct answer *, struct MHD_Connection *);
/* Forget an answer that will not be sent. */
void answer_drop(struct answer *);

#endif
