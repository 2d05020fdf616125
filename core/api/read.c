/* read.c - events, as plugins read them. */
#include "api/api.h"
#include "event/event.h"
#include "event/scan.h"

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

struct pb_span pb_field(const struct pb_event *ev, const char *path)
{
	return scan_find(event_body(ev), path);
}

bool pb_each(struct pb_span *rest, struct pb_span *key, struct pb_span *value)
{
	return scan_each(rest, key, value);
}
