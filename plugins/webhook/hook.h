/* hook.h - one webhook sink: its settings, and what of it only the loop's thread touches. */
#ifndef WEBHOOK_HOOK_H
#define WEBHOOK_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>
#include <patchbay/plugin.h>

struct hub;
struct loop;
struct parcel;
struct pool;
struct transfer;

struct hook {
	struct pb_self *self;
	struct loop *loop;
	struct hub *hub;
	const char *url;
	int64_t timeout;		/* ms */
	size_t max_response;		/* bytes of a response that are kept */
	long max_in_flight;
	struct curl_slist *headers;	/* the operator's own, and "expect:" */
	bool own_type;			/* one of them is content-type */
	struct pb_metric *connections;

	/* The loop's thread only. */
	struct parcel *parcels, **parcels_end;	/* handed over, not begun */
	struct hook *next_ready;
	bool well;			/* its receiver works: it took the last one, or said no to it */
	unsigned failures;		/* since then, in a row */
	struct transfer *busy, *idle;
	struct pool *pool;		/* of all hooks' transfers */

	/* Under the loop's lock. */
	struct hook *next_leaving;
	bool left;
};

#endif
