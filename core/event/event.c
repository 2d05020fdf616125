/* event.c - one allocation: the head, room for attributes, the first body. */
#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/magic.h"
#include "base/span.h"
#include "event/attributes.h"
#include "event/event.h"

#define EVENT_MAGIC 0x6576656eu

/* Enough for the id (a UUID), type, source and content type of nearly every event. */
#define ATTRIBUTES_ROOM 320

struct pb_event {
	unsigned magic;
	atomic_uint refs;
	uint64_t seq;
	int64_t time, accepted;
	uint32_t origin;
	bool id_ours;
	char *key;		/* NULL: none */
	size_t key_len;
	char *sender;		/* NULL: not known */
	const char *body;
	size_t body_len;
	char *own_body;		/* NULL while the body is the one it was born with */
	size_t size;		/* of this allocation */
	struct attributes attrs;
	alignas(struct attribute) char arena[];	/* attributes, then the first body */
};

struct pb_event *event_new_room(struct pb_span body, int64_t time_ms, size_t room)
{
	size_t size = sizeof(struct pb_event) + room + body.len;
	struct pb_event *ev;

	if (size < body.len)
		return NULL;
	ev = malloc(size);
	if (ev == NULL)
		return NULL;
	*ev = (struct pb_event){ .magic = EVENT_MAGIC, .refs = 1, .time = time_ms,
				 .body = ev->arena + room, .body_len = body.len, .size = size };
	attributes_init(&ev->attrs, ev->arena, room);
	if (body.len > 0)
		memcpy(ev->arena + room, body.data, body.len);
	return ev;
}

struct pb_event *event_new(struct pb_span body, int64_t time_ms)
{
	return event_new_room(body, time_ms, ATTRIBUTES_ROOM);
}

struct pb_event *event_copy(const struct pb_event *from, struct pb_span body)
{
	struct pb_event *ev;
	size_t need;

	CHECK_OBJ(from, EVENT_MAGIC);
	need = attributes_need(&from->attrs);
	ev = event_new_room(body, from->time, need > ATTRIBUTES_ROOM ? need : ATTRIBUTES_ROOM);
	if (ev != NULL && attributes_copy(&ev->attrs, &from->attrs) < 0) {
		event_unref(ev);
		return NULL;
	}
	if (ev != NULL)
		ev->id_ours = from->id_ours;
	return ev;
}

struct pb_event *event_ref(const struct pb_event *shared)
{
	struct pb_event *ev = (struct pb_event *)shared;

	CHECK_OBJ(ev, EVENT_MAGIC);
	atomic_fetch_add_explicit(&ev->refs, 1, memory_order_relaxed);
	return ev;
}

void event_unref(const struct pb_event *shared)
{
	struct pb_event *ev = (struct pb_event *)shared;

	if (ev == NULL)
		return;
	CHECK_OBJ(ev, EVENT_MAGIC);
	if (atomic_fetch_sub_explicit(&ev->refs, 1, memory_order_acq_rel) > 1)
		return;
	ev->magic = 0;
	attributes_free(&ev->attrs);
	free(ev->own_body);
	free(ev->key);
	free(ev->sender);
	free(ev);
}

size_t event_size(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return ev->size + ev->attrs.heap + (ev->own_body == NULL ? 0 : ev->body_len);
}

const char *event_id(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return attributes_known(&ev->attrs, ATTRIBUTE_ID);
}

const char *event_type(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return attributes_known(&ev->attrs, ATTRIBUTE_TYPE);
}

const char *event_source(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return attributes_known(&ev->attrs, ATTRIBUTE_SOURCE);
}

const char *event_subject(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return attributes_known(&ev->attrs, ATTRIBUTE_SUBJECT);
}

const char *event_content_type(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return attributes_known(&ev->attrs, ATTRIBUTE_CONTENT_TYPE);
}

int64_t event_time(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return ev->time;
}

struct pb_span event_body(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return span_of(ev->body, ev->body_len);
}

const char *event_attr(const struct pb_event *ev, const char *name)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return attributes_get(&ev->attrs, span_str(name));
}

bool event_attr_at(const struct pb_event *ev, size_t i, const char **name, const char **value)
{
	const struct attribute *attr;

	CHECK_OBJ(ev, EVENT_MAGIC);
	attr = attributes_at(&ev->attrs, i);
	if (attr == NULL)
		return false;
	*name = attr->text;
	*value = attribute_value(attr);
	return true;
}

const struct attributes *event_attributes(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return &ev->attrs;
}

/* Shared already is a bug of ours: others read it without a lock. */
static void check_unshared(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	assert(atomic_load_explicit(&ev->refs, memory_order_relaxed) == 1);
}

int event_set_span(struct pb_event *ev, struct pb_span name, struct pb_span value)
{
	check_unshared(ev);
	return attributes_set(&ev->attrs, name, value);
}

int event_set_known(struct pb_event *ev, enum attribute_known which, struct pb_span value)
{
	check_unshared(ev);
	return attributes_set_known(&ev->attrs, which, value);
}

static int set_time_text(struct pb_event *ev, const char *value)
{
	return value == NULL ? -EINVAL : time_parse(value, &ev->time);
}

int event_set(struct pb_event *ev, const char *name, const char *value)
{
	check_unshared(ev);
	if (strcmp(name, "time") == 0)
		return set_time_text(ev, value);
	return attributes_set(&ev->attrs, span_str(name), span_str(value));
}

void event_set_time(struct pb_event *ev, int64_t ms)
{
	check_unshared(ev);
	ev->time = ms;
}

int event_set_body(struct pb_event *ev, struct pb_span body)
{
	char *copy = NULL;

	check_unshared(ev);
	if (body.len > 0) {
		copy = malloc(body.len);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, body.data, body.len);
	}
	free(ev->own_body);
	ev->own_body = copy;
	ev->body = copy == NULL ? "" : copy;
	ev->body_len = body.len;
	return 0;
}

struct pb_span event_key(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return span_of(ev->key, ev->key_len);
}

int event_set_key(struct pb_event *ev, struct pb_span key)
{
	char *copy = NULL;

	check_unshared(ev);
	if (key.len > EVENT_KEY_MAX)
		return -EINVAL;
	if (key.data != NULL && (copy = malloc(key.len + 1)) == NULL)
		return -ENOMEM;
	if (key.len > 0)
		memcpy(copy, key.data, key.len);
	free(ev->key);
	ev->key = copy;
	ev->key_len = copy != NULL ? key.len : 0;
	return 0;
}

const char *event_sender(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return ev->sender != NULL ? ev->sender : "";
}

int event_set_sender(struct pb_event *ev, struct pb_span sender)
{
	char *copy = NULL;

	check_unshared(ev);
	if (!attribute_value_ok(sender, EVENT_SENDER_MAX))
		return -EINVAL;
	if (sender.len > 0 && (copy = strndup(sender.data, sender.len)) == NULL)
		return -ENOMEM;
	free(ev->sender);
	ev->sender = copy;
	return 0;
}

bool event_id_is_ours(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return ev->id_ours;
}

void event_set_id_ours(struct pb_event *ev, bool ours)
{
	check_unshared(ev);
	ev->id_ours = ours;
}

uint64_t event_seq(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return ev->seq;
}

void event_set_seq(struct pb_event *ev, uint64_t seq)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	ev->seq = seq;
}

uint32_t event_origin(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return ev->origin;
}

void event_set_origin(struct pb_event *ev, uint32_t origin)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	ev->origin = origin;
}

int64_t event_accepted(const struct pb_event *ev)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	return ev->accepted;
}

void event_set_accepted(struct pb_event *ev, int64_t us)
{
	CHECK_OBJ(ev, EVENT_MAGIC);
	ev->accepted = us;
}
