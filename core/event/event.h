/*
 * event.h - one event: envelope (the CloudEvents 1.0 attributes) and body.
 *
 * An event is built by one thread, then handed over and never changed again; from
 * then on it is shared by reference count. Attributes and body live in one or two
 * allocations, since an event is made per request. What is stored is the codec's
 * business, what JSON says is scan's.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patchbay/plugin.h>

#include "event/attributes.h"

#define EVENT_ID_MAX 256		/* bytes of an id */
#define EVENT_NAME_MAX 64		/* bytes of an attribute's name */
#define EVENT_VALUE_MAX (8 * 1024)	/* bytes of one value */
#define EVENT_ATTRS_MAX 64		/* further attributes of one event */
#define EVENT_KEY_MAX 1024		/* bytes of an idempotency key */
#define EVENT_SENDER_MAX 128		/* bytes of who sent it */

/* A new event with one reference; `body` is copied. NULL: out of memory. */
struct pb_event *event_new(struct pb_span body, int64_t time_ms);
/* The same with `room` bytes for attributes in the one allocation (see attribute_need()). */
struct pb_event *event_new_room(struct pb_span body, int64_t time_ms, size_t room);
/* The same attributes, time and id, another body (copied); seq and origin 0. NULL: out of
 * memory. */
struct pb_event *event_copy(const struct pb_event *, struct pb_span body);
struct pb_event *event_ref(const struct pb_event *);
void event_unref(const struct pb_event *);	/* [any]; NULL is fine */
/* Bytes this event holds in memory, for limits. */
size_t event_size(const struct pb_event *);

/* "" when not set */
const char *event_id(const struct pb_event *);
const char *event_type(const struct pb_event *);
const char *event_source(const struct pb_event *);
const char *event_subject(const struct pb_event *);
const char *event_content_type(const struct pb_event *);
int64_t event_time(const struct pb_event *);
struct pb_span event_body(const struct pb_event *);
/* Any attribute by name (`type`, `id`, …, further ones), NULL when not set. The time is
 * event_time()'s. */
const char *event_attr(const struct pb_event *, const char *name);
/* The i-th further attribute, in the order they were set. */
bool event_attr_at(const struct pb_event *, size_t i, const char **name, const char **value);
/* All of them with their lengths, as long as the event is not changed. */
const struct attributes *event_attributes(const struct pb_event *);

/* Before it is handed over only. 0, -ENOMEM, -EINVAL (bad name or value: names are [a-z0-9_.-]
 * but specversion, data and data_base64; values UTF-8 without control characters, within the
 * limits above). NULL removes. `time` takes RFC 3339 and cannot be removed. */
int event_set(struct pb_event *, const char *name, const char *value);
/* The same for text without NUL at its end; {NULL, 0} removes. Not for `time`. */
int event_set_span(struct pb_event *, struct pb_span name, struct pb_span value);
int event_set_known(struct pb_event *, enum attribute_known, struct pb_span value);
void event_set_time(struct pb_event *, int64_t ms);
int event_set_body(struct pb_event *, struct pb_span body);

/* What its sender named it by, so that a repeat is known; {NULL, 0}: nothing. Not stored with it, nor copied. Before it is
 * handed over: 0, -ENOMEM, -EINVAL (longer than EVENT_KEY_MAX). */
struct pb_span event_key(const struct pb_event *);
int event_set_key(struct pb_event *, struct pb_span key);
/* Who sent it, "" when that is not known: for the history. Not stored with it, nor copied. Before it is handed over: 0, -ENOMEM,
 * -EINVAL (longer than EVENT_SENDER_MAX, or no text). */
const char *event_sender(const struct pb_event *);
int event_set_sender(struct pb_event *, struct pb_span sender);
/* Is its id one that we made, not the sender's? Not stored. */
bool event_id_is_ours(const struct pb_event *);
void event_set_id_ours(struct pb_event *, bool ours);

/* The sequence number the journal gave it, 0 before; and the number of the source it came in
 * by (names table), 0 when derived. Set by dispatch, on disk with the codec. */
uint64_t event_seq(const struct pb_event *);
void event_set_seq(struct pb_event *, uint64_t seq);
uint32_t event_origin(const struct pb_event *);
void event_set_origin(struct pb_event *, uint32_t origin);
/* When it was committed, monotonic µs; 0: unknown, it was read back from the journal. Not stored. */
int64_t event_accepted(const struct pb_event *);
void event_set_accepted(struct pb_event *, int64_t us);

#endif
