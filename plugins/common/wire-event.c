/* wire-event.c - events out of messages. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/wire.h"

#define MEMBERS_MAX 80	/* more than an event can have */

/* Where an event's members are; those that are no attributes apart. */
struct parts {
	struct pb_span keys[MEMBERS_MAX];
	struct wire_value values[MEMBERS_MAX];
	size_t n;
	const struct wire_value *data, *base64, *content_type, *version;
};

static bool add_part(struct parts *p, struct pb_span key, const struct wire_value *value, struct wire_fault *fault)
{
	if (key.len == 0 || key.len > WIRE_NAME_MAX)
		return wire_fail(fault, "an event's attribute has a name of %zu bytes", key.len);
	if (p->n == MEMBERS_MAX)
		return wire_fail(fault, "an event has more than %d members", MEMBERS_MAX);
	for (size_t i = 0; i < p->n; i++)
		if (p->keys[i].len == key.len && memcmp(p->keys[i].data, key.data, key.len) == 0)
			return wire_fail(fault, "an event's \"%.*s\" twice", (int)key.len, (const char *)key.data);
	p->keys[p->n] = key;
	p->values[p->n++] = *value;
	return true;
}

static bool find_parts(const struct wire_value *map, struct parts *p, struct wire_fault *fault)
{
	struct wire_cursor c;
	struct pb_span key;
	struct wire_value value;
	p->n = 0;
	p->data = p->base64 = p->content_type = p->version = NULL;
	if (map->type != WIRE_MAP)
		return wire_fail(fault, "an event is not a map");
	wire_begin(&c, map);
	while (wire_next(&c, &key, &value)) {
		if (!add_part(p, key, &value, fault))
			return false;
		const struct wire_value *part = &p->values[p->n - 1];
		if (wire_is(key, "data"))
			p->data = part;
		else if (wire_is(key, "data_base64"))
			p->base64 = part;
		else if (wire_is(key, "datacontenttype"))
			p->content_type = part;
		else if (wire_is(key, "specversion"))
			p->version = part;
	}
	return true;
}

static bool version_ok(const struct parts *p, struct wire_fault *fault)
{
	char version[8];
	if (p->version == NULL || p->version->type == WIRE_NULL ||
	    (wire_text(p->version, version, sizeof version) >= 0 && strcmp(version, "1.0") == 0))
		return true;
	return wire_fail(fault, "an event's specversion is not \"1.0\"");
}

static bool is_json_type(const char *type)
{
	size_t len = strcspn(type, ";");
	while (len > 0 && (type[len - 1] == ' ' || type[len - 1] == '\t'))
		len--;
	return len == 0 || (len > 5 && (strncasecmp(type + len - 5, "/json", 5) == 0 ||
					strncasecmp(type + len - 5, "+json", 5) == 0));
}

/* Does datacontenttype, of the message or of the event that is changed, say that a string is text and not JSON? */
static bool says_text(const struct parts *p, const struct pb_event *from)
{
	char type[WIRE_VALUE_MAX + 1] = "";
	if (p->content_type == NULL)
		return from != NULL && !is_json_type(pb_event_content_type(from));
	return wire_text(p->content_type, type, sizeof type) > 0 && !is_json_type(type);
}

/* The body in place where it can be, else in `own`. 0, -ENOMEM, -EINVAL. */
static int find_body(const struct parts *p, const struct pb_event *from, struct pb_span *body, struct pb_bytes *own)
{
	int failed = 0;
	const struct wire_value *data = p->data;
	bool in_own = true;
	if (p->base64 != NULL && p->base64->type != WIRE_NULL) {
		failed = wire_content_base64(p->base64, own);
	} else if (data == NULL || (data->format == WIRE_MSGPACK && data->type == WIRE_NULL)) {
		in_own = false;		/* as it was */
	} else if (data->format == WIRE_MSGPACK) {
		in_own = false;
		failed = data->type == WIRE_TEXT || data->type == WIRE_BYTES ? 0 : -EINVAL;
		if (failed == 0)
			*body = wire_msgpack_content(data);
	} else if (data->type == WIRE_TEXT && says_text(p, from)) {
		failed = wire_content(data, own);
	} else {
		in_own = false;
		*body = data->raw;
	}
	if (in_own)
		*body = (struct pb_span){ own->data, own->len };
	return failed;
}

static int set_time(struct pb_event *ev, const struct wire_value *value)
{
	int64_t ms;
	char text[64];
	if (value->format == WIRE_MSGPACK && value->type == WIRE_NUMBER)
		return wire_int(value, INT64_MIN, INT64_MAX, &ms) ? pb_event_set_time(ev, ms) : -EINVAL;
	return wire_text(value, text, sizeof text) < 0 ? -EINVAL : pb_event_set(ev, "time", text);
}

static int set_attribute(struct pb_event *ev, const char *name, const struct wire_value *value, bool changes)
{
	char text[WIRE_VALUE_MAX + 1];
	bool is_time = strcmp(name, "time") == 0;
	if (value->type == WIRE_NULL)
		return is_time || !changes ? 0 : pb_event_set(ev, name, NULL);
	if (is_time)
		return set_time(ev, value);
	return wire_text(value, text, sizeof text) < 0 ? -EINVAL : pb_event_set(ev, name, text);
}

static int set_attributes(struct pb_event *ev, const struct parts *p, bool changes, struct wire_fault *fault)
{
	int failed = 0;
	for (size_t i = 0; i < p->n && failed == 0; i++) {
		const struct wire_value *value = &p->values[i];
		char name[WIRE_NAME_MAX + 1];
		memcpy(name, p->keys[i].data, p->keys[i].len);
		name[p->keys[i].len] = '\0';
		if (value == p->data || value == p->base64 || value == p->version)
			continue;
		failed = set_attribute(ev, name, value, changes);
		if (failed == -EINVAL)
			wire_fail(fault, "an event's attribute \"%s\" has a name or a value that is not allowed", name);
	}
	return failed == -EINVAL ? -EBADMSG : failed;
}

static int make(struct pb_self *self, const struct parts *p, const struct pb_event *from, struct pb_event **ev,
		struct wire_fault *fault)
{
	struct pb_bytes own = { 0 };
	struct pb_span body = from != NULL ? pb_event_body(from) : (struct pb_span){ NULL, 0 };
	int failed = find_body(p, from, &body, &own);
	if (failed == 0) {
		errno = ENOMEM;
		*ev = from != NULL ? pb_event_copy(self, from, body) : pb_event_new(self, body);
		failed = *ev == NULL ? -errno : 0;
	}
	free(own.data);
	if (failed == -EMSGSIZE)
		wire_fail(fault, "an event's body has %zu bytes, and max_event is %zu", body.len, pb_max_event(self));
	else if (failed == -EINVAL)
		wire_fail(fault, "an event's data or data_base64 is not what it should be");
	return failed == 0 || failed == -ENOMEM ? failed : -EBADMSG;
}

int wire_event_make(struct pb_self *self, const struct wire_value *map, const struct pb_event *from, const char *type,
		    struct pb_event **ev, struct wire_fault *fault)
{
	struct parts p;
	*ev = NULL;
	if (!find_parts(map, &p, fault) || !version_ok(&p, fault))
		return -EBADMSG;
	if (p.base64 != NULL && p.base64->type != WIRE_NULL && (p.data != NULL || map->format == WIRE_MSGPACK)) {
		wire_fail(fault, "an event has data_base64 where only data may be");
		return -EBADMSG;
	}
	int failed = make(self, &p, from, ev, fault);
	if (failed == 0)
		failed = set_attributes(*ev, &p, from != NULL, fault);
	if (failed == 0 && type != NULL && *pb_event_type(*ev) == '\0')
		failed = pb_event_set(*ev, "type", type);
	if (failed < 0) {
		pb_event_free(*ev);
		*ev = NULL;
	}
	return failed;
}
