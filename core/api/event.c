/* event.c - events, as plugins make and change them; what is made of one. */
#include "event/event.h"

#include "api/api.h"
#include "base/span.h"
#include "event/json.h"
#include "event/scan.h"

struct pb_event *pb_event_new(struct pb_self *self, struct pb_span body)
{
	return instance_event_new(self, body);
}

struct pb_event *pb_event_copy(struct pb_self *self, const struct pb_event *from, struct pb_span body)
{
	return instance_event_copy(self, from, body);
}

void pb_event_free(struct pb_event *ev)
{
	event_unref(ev);
}

int pb_event_set(struct pb_event *ev, const char *name, const char *value)
{
	return instance_event_set(ev, name, value);
}

int pb_event_set_key(struct pb_event *ev, struct pb_span key)
{
	return event_set_key(ev, key);
}

int pb_event_set_sender(struct pb_event *ev, const char *sender)
{
	return event_set_sender(ev, sender != NULL ? span_str(sender) : SPAN_NONE);
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

char *pb_text(struct pb_span json)
{
	return scan_text_new(json);
}

int pb_cloudevent(const struct pb_event *ev, struct pb_bytes *to)
{
	return json_cloudevent(ev, to);
}

char *pb_render(const struct pb_self *self, const char *option, const struct pb_event *ev, size_t *len,
		const char **missing)
{
	return instance_render(self, option, ev, len, missing);
}
