/* delivery.h - one event handed to a sink, and its answer. */
#ifndef DISPATCH_DELIVERY_H
#define DISPATCH_DELIVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <patchbay/plugin.h>

#define DELIVERY_MAGIC 0x44454c56u
#define DELIVERY_TEXT_MAX 512	/* bytes of an answer's line */

struct batch;
struct slot;

struct pb_delivery {
	unsigned magic;
	_Atomic bool answered;
	unsigned attempt;		/* 1 the first time */
	uint32_t part;			/* which of the slot's events */
	const struct pb_event *event;
	struct slot *slot;		/* the router's */
	struct batch *batch;		/* it lives in this */
	struct pb_delivery *next;	/* in the inbox */
	/* The answer, written once by whoever answers. */
	enum pb_code code;
	int64_t after;			/* ms */
	char *text;			/* one line; NULL: none, or that of a yes, which is … */
	char brief[16];			/* … here, if it fits: what one thread allots and another frees costs both */
	char *response;
	size_t response_len;
};

/* The deliveries that a sink is given at once; ends with the last answer that the router has
 * settled, and not before the sink's thread is back from the plugin. */
struct batch {
	struct batch *next;
	struct outlet *outlet;
	_Atomic size_t refs;
	int64_t sent;			/* monotonic µs: when it was handed to the sender */
	size_t n;
	size_t settled;			/* answers the router has seen */
	bool progress;			/* one of them was more than untried */
	struct pb_delivery **list;	/* what write() and submit() are given */
	struct pb_delivery d[];
};

/* Record the answer and send it to the router. False when it was answered before: a bug of the plugin. [any] */
bool delivery_answer(struct pb_delivery *, enum pb_code, int64_t after, struct pb_span response,
		     const char *text);
/* Room for `most` deliveries, none in it yet. */
struct batch *batch_new(struct outlet *, size_t most);
/* Drop one reference. [any] */
void batch_unref(struct batch *);

#endif
