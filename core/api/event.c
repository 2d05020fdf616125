/* event.c - events, as plugins make and read them. */
#include "event/event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "event/json.h"
#include "event/scan.h"
#include "event/template.h"

static void new_id(struct pb_self *self, int64_t now, char id[static ID_TEXT_SIZE])
{
	pthread_mutex_lock(&self->lock);
	id_new(&self->ids, now, id);
	pthread_mutex_unlock(&self->lock);
}

struct pb_event *pb_event_new(struct pb_self *self, struct pb_span body)
{
	char id[ID_TEXT_SIZE];
	int64_t now = clock_wall(self->env->clock);
	if (body.len > self->env->max_event) {
		errno = EMSGSIZE;
		return NULL;
	}
	struct pb_event *ev = event_new(body, now);
	if (ev == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	new_id(self, now, id);
	event_set(ev, "id", id);
	return ev;
}

struct pb_event *pb_event_copy(struct pb_self *self, const struct pb_event *from, struct pb_span body)
{
	if (body.len > self->env->max_event) {
		errno = EMSGSIZE;
		return NULL;
	}
	return event_copy(from, body);
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

char *pb_text(struct pb_span json)
{
	char *text = malloc(json.len + 1);
	if (text != NULL && scan_text(json, text, json.len + 1) < 0)
		text[0] = '\0';
	return text;
}

int pb_cloudevent(const struct pb_event *ev, struct pb_bytes *to)
{
	struct buf out = { .data = to->data, .len = to->len, .cap = to->room, .limit = BUF_MAX };
	int failed = json_event(&out, ev);
	to->data = out.data;
	to->room = out.cap;
	if (failed == 0)
		to->len = out.len;
	return failed == 0 ? 0 : -ENOMEM;
}

char *pb_render(const struct pb_self *self, const char *option, const struct pb_event *ev, size_t *len,
		const char **missing)
{
	struct buf out = BUF_INIT(self->env->max_event + (1u << 20));
	*missing = NULL;
	if (template_render(options_template(self->options, option), ev, &out, missing) < 0) {
		buf_free(&out);
		return NULL;
	}
	*len = out.len;
	return buf_take(&out);
}
