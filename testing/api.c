/* api.c - what a plugin calls of any instance, where the test may let it fail or the ledger is kept. */
#include <errno.h>

#include "base/error.h"
#include "base/span.h"
#include "event/event.h"
#include "event/json.h"
#include "event/scan.h"
#include "testing/host.h"

static struct pb_event *made(struct pb_self *self, struct pb_event *ev)
{
	if (ev != NULL)
		ledger_add(ev, host_of(self), self, OWNER_PLUGIN);
	return ev;
}

static bool no_memory(void)
{
	if (!call_fails(PBT_EVENT_NEW))
		return false;
	errno = ENOMEM;
	return true;
}

struct pb_event *pb_event_new(struct pb_self *self, struct pb_span body)
{
	return no_memory() ? NULL : made(self, instance_event_new(self, body));
}

struct pb_event *pb_event_copy(struct pb_self *self, const struct pb_event *from, struct pb_span body)
{
	return no_memory() ? NULL : made(self, instance_event_copy(self, from, body));
}

void pb_event_free(struct pb_event *ev)
{
	if (ev == NULL)
		return;
	if (ledger_take(ev, NULL, "pb_event_free():") == OWNER_CORE)
		misuse(NULL, "pb_event_free(): the event that apply() was given, which the core frees");
	event_unref(ev);
}

int pb_event_set(struct pb_event *ev, const char *name, const char *value)
{
	ledger_check(ev, "pb_event_set():");
	return call_fails(PBT_EVENT_SET) ? -ENOMEM : instance_event_set(ev, name, value);
}

int pb_event_set_time(struct pb_event *ev, int64_t ms)
{
	ledger_check(ev, "pb_event_set_time():");
	event_set_time(ev, ms);
	return 0;
}

int pb_event_set_body(struct pb_event *ev, struct pb_span body)
{
	ledger_check(ev, "pb_event_set_body():");
	return call_fails(PBT_EVENT_SET) ? -ENOMEM : event_set_body(ev, body);
}

int pb_event_set_key(struct pb_event *ev, struct pb_span key)
{
	ledger_check(ev, "pb_event_set_key():");
	return call_fails(PBT_EVENT_SET) ? -ENOMEM : event_set_key(ev, key);
}

int pb_event_set_sender(struct pb_event *ev, const char *sender)
{
	ledger_check(ev, "pb_event_set_sender():");
	return call_fails(PBT_EVENT_SET) ? -ENOMEM : event_set_sender(ev, sender != NULL ? span_str(sender) : SPAN_NONE);
}

char *pb_text(struct pb_span json)
{
	return call_fails(PBT_TEXT) ? NULL : scan_text_new(json);
}

int pb_cloudevent(const struct pb_event *ev, struct pb_bytes *to)
{
	return call_fails(PBT_CLOUDEVENT) ? -ENOMEM : json_cloudevent(ev, to);
}

char *pb_render(const struct pb_self *self, const char *option, const struct pb_event *ev, size_t *len,
		const char **missing)
{
	*missing = NULL;
	return call_fails(PBT_RENDER) ? NULL : instance_render(self, option, ev, len, missing);
}

int pb_listen(struct pb_self *self, const char *option, size_t i, struct pb_error *err)
{
	if (host_of(self)->opening != self)
		misuse(self, "called pb_listen() outside open()");
	if (!call_fails(PBT_LISTEN))
		return instance_listen(self, option, i, err);
	error_add(err, option, "cannot listen: Address already in use");
	return -1;
}
