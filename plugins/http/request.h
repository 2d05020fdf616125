/*
 * request.h - one request, from its first line to the last byte of its answer.
 *
 * libmicrohttpd calls request_handle() once when the header is in, for each piece of the
 * body, and, when all is in, in each run until an answer is queued. The token given to
 * pb_emit() is the request itself, so one whose sender has hung up lives on until it is
 * settled. All functions run on the instance's thread.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "http/server.h"

/* MHD_OPTION_URI_LOG_CALLBACK: a request line has come; what it returns is the *con_cls of the
 * others. `cls` is the struct http. */
void *request_open(void *cls, const char *target, struct MHD_Connection *);
/* MHD_AccessHandlerCallback. */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *len, void **con_cls);
/* MHD_OPTION_NOTIFY_COMPLETED: the answer has gone out, or the connection is lost. */
void request_close(void *cls, struct MHD_Connection *, void **con_cls,
		   enum MHD_RequestTerminationCode);

/* The descriptor's settled(): `token` is the request. */
void request_settled(void *state, void *token, const struct pb_receipt *);
/* Its time is over. True if it was waiting for the core: the sender will be told so in the next
 * MHD_run(). False: nothing can be said. */
bool request_give_up(struct request *);
/* Its time is over and it has not come in whole: answer 408 and end the connection. False: it has,
 * or has been refused; nothing is done. */
bool request_time_out(struct request *);
/* libmicrohttpd is about to answer a request by itself, being inside of MHD_run(). */
void request_overruled(struct http *, unsigned status);

#endif
