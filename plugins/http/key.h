/*
 * key.h - what a sender names its event by, so that a repeat is known (`dedupe`).
 *
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), webhook-id (Standard Webhooks), or a CloudEvent's
 * id and source; the first of these that is there.
 */
#ifndef HTTP_KEY_H
#define HTTP_KEY_H

#include <stddef.h>

#define KEY_VALUE_MAX 255	/* bytes of what a header names it by */
#define KEY_MAX 1024		/* bytes of a key */

/* As they came, or NULL. */
struct key_given {
	const char *idempotency;	/* header Idempotency-Key */
	const char *webhook;		/* header webhook-id */
	const char *ce_id, *ce_source;	/* the CloudEvent's */
};

struct key {
	char bytes[KEY_MAX];
	size_t len;		/* 0: none */
};

/* Make the key. NULL, or what is wrong: a sentence for the sender. */
const char *key_make(struct key *, const struct key_given *);

#endif
