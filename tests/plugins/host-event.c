/* host-event.c - a plugin without a daemon: events, by the core's own library. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "event/event.h"
#include "event/json.h"
#include "event/scan.h"
#include "plugins/host-self.h"

#define JSON_MAX (64 * 1024 * 1024)

struct pb_event *pb_event_new(struct pb_self *self, struct pb_span body)
{
	char id[ID_TEXT_SIZE];
	struct id_gen gen;
	int64_t now = clock_wall(&clock_system);
	if (body.len > pb_max_event(self)) {
		errno = EMSGSIZE;
		return NULL;
	}
	id_gen_init(&gen);
	id_new(&gen, now, id);
	struct pb_event *ev = event_new(body, now);
	if (ev == NULL || event_set(ev, "id", id) != 0 || event_set(ev, "source", self->name) != 0)
		host_bug("out of memory");
	return ev;
}

struct pb_event *host_event(struct host_sink *sink, const void *body, size_t len,
			    const char *const settings[])
{
	struct pb_event *ev = pb_event_new(&sink->self, (struct pb_span){ body, len });
	for (; settings != NULL && *settings != NULL; settings++) {
		char *name, *value;
		setting_split(*settings, &name, &value);
		if (event_set(ev, name, value) != 0)
			host_bug("not an attribute: %s", *settings);
		free(name);
		free(value);
	}
	return ev;
}

void pb_event_free(struct pb_event *ev)
{
	event_unref(ev);
}

const char *pb_event_id(const struct pb_event *ev)
{
	return event_id(ev);
}

const char *pb_event_type(const struct pb_event *ev)
{
	return event_type(ev);
}

const char *pb_event_source(const struct pb_event *ev)
{
	return event_source(ev);
}

const char *pb_event_subject(const struct pb_event *ev)
{
	return event_subject(ev);
}

const char *pb_event_content_type(const struct pb_event *ev)
{
	return event_content_type(ev);
}

int64_t pb_event_time(const struct pb_event *ev)
{
	return event_time(ev);
}

struct pb_span pb_event_body(const struct pb_event *ev)
{
	return event_body(ev);
}

const char *pb_event_attr(const struct pb_event *ev, const char *name)
{
	return event_attr(ev, name);
}

bool pb_event_attr_at(const struct pb_event *ev, size_t i, const char **name, const char **value)
{
	return event_attr_at(ev, i, name, value);
}

int pb_event_set(struct pb_event *ev, const char *name, const char *value)
{
	return event_set(ev, name, value);
}

int pb_event_set_time(struct pb_event *ev, int64_t ms)
{
	event_set_time(ev, ms);
	return 0;
}

int pb_event_set_body(struct pb_event *ev, struct pb_span body)
{
	return event_set_body(ev, body);
}

struct pb_span pb_field(const struct pb_event *ev, const char *path)
{
	return scan_find(event_body(ev), path);
}

bool pb_each(struct pb_span *rest, struct pb_span *key, struct pb_span *value)
{
	return scan_each(rest, key, value);
}

int pb_cloudevent(const struct pb_event *ev, struct pb_bytes *to)
{
	struct buf out = { .data = to->data, .len = to->len, .cap = to->room, .limit = JSON_MAX };
	int error = json_event(&out, ev);
	*to = (struct pb_bytes){ .data = out.data, .len = error == 0 ? out.len : to->len,
				 .room = out.cap };
	return error == 0 ? 0 : -ENOMEM;
}
