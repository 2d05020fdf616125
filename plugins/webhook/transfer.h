/*
 * transfer.h - one attempt: a delivery as a POST, and what came back.
 *
 * A transfer with its curl handle is used again for the sink's next delivery. All
 * functions are the loop's thread's.
 */
#ifndef WEBHOOK_TRANSFER_H
#define WEBHOOK_TRANSFER_H

#include "webhook/answer.h"
#include "webhook/hook.h"

struct transfer {
	struct transfer *next, *prev;		/* in hook->busy; `next` alone in hook->idle */
	struct hook *hook;
	struct pb_delivery *delivery;
	CURL *easy;
	struct curl_slist head[3];		/* an attempt's own headers, before the hook's */
	char type[288], id[800], stamp[48];	/* their text */
	struct reply reply;
	bool answered;				/* `reply` is whole */
	size_t head_len;			/* bytes of header that came in */
	size_t body_len, body_room, body_seen;
	char *body;
	char error[CURL_ERROR_SIZE];
};

/* Begin to send `delivery` through `multi`; answered at once if that cannot be. */
void transfer_start(struct hook *, struct pb_delivery *, CURLM *multi);
/* It ended with `code`: answer the delivery, keep the handle. */
void transfer_finish(struct transfer *, CURLcode code, CURLM *multi);
/* Break off all that is under way and free every handle of the hook. */
void transfer_abort_all(struct hook *, CURLM *multi);

#endif
