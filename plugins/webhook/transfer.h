/*
 * transfer.h - one attempt: a delivery as a POST, and what came back.
 *
 * A transfer with its curl handle is used again for the sink's next delivery; those that
 * wait for it are bounded over all sinks, and the one that has waited longest goes. All functions are the
 * loop's thread's.
 */
#ifndef WEBHOOK_TRANSFER_H
#define WEBHOOK_TRANSFER_H

#include "webhook/answer.h"
#include "webhook/hook.h"

/* All transfers that wait for work. */
struct pool {
	struct transfer *oldest, *newest;
	size_t n;
	struct transfer *ended, **ended_last;	/* those whose answers are still to be given */
};

struct transfer {
	struct transfer *next, *prev;		/* in hook->busy or hook->idle */
	struct transfer *newer, *older;		/* in the pool */
	struct transfer *next_ended;
	struct hook *hook;
	struct hub *hub;			/* where it was under way last */
	struct pb_delivery *delivery;
	struct answer answer;			/* once it has ended */
	CURL *easy;
	struct curl_slist head[3];		/* an attempt's own headers, before the hook's */
	char type[288], id[800], stamp[48];	/* their text */
	time_t stamped;				/* what `stamp` says */
	struct reply reply;
	bool answered;				/* `reply` is whole */
	int no_socket;				/* errno: there was none for it, for want of something here */
	size_t head_len;			/* bytes of header that came in */
	size_t body_len, body_room, body_seen;
	char *body;
	char error[CURL_ERROR_SIZE];
};

/* Begin to send `delivery`; answered at once if that cannot be. */
void transfer_start(struct hook *, struct pb_delivery *);
/* It ended with `code`; pool_answer() tells the core. */
void transfer_finish(struct transfer *, CURLcode code);

/* Nothing waits, and nothing has ended. */
void pool_init(struct pool *);
/* Answer all that ended, together: so the core is woken once for them. Their handles are kept. */
void pool_answer(struct pool *);
/* Free the idle ones whose hub rests. */
void pool_rest(struct pool *);
/* Break off all that is under way and free every handle of the hook; nothing of it waits for pool_answer(). */
void transfer_abort_all(struct hook *);

#endif
