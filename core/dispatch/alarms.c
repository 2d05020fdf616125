/* alarms.c - events about itself. */
#include "dispatch/alarms.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/span.h"
#include "dispatch/feed.h"
#include "event/event.h"
#include "event/json.h"

void alarms_init(struct alarms *a)
{
	*a = (struct alarms){ .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	a->last = &a->first;
	pthread_mutex_init(&a->lock, NULL);
}

static void alarm_free(struct alarm *alarm)
{
	buf_free(&alarm->body);
	free(alarm);
}

void alarms_fini(struct alarms *a)
{
	for (struct alarm *alarm = a->first, *next; alarm != NULL; alarm = next) {
		next = alarm->next;
		alarm_free(alarm);
	}
	if (a->wake_fd >= 0)
		close(a->wake_fd);
	pthread_mutex_destroy(&a->lock);
}

/* {"event": TYPE, NAME: VALUE, …}, as a webhook's receiver knows events. */
static void write_body(struct buf *to, const char *type, const char *name, va_list args)
{
	buf_add_str(to, "{\"event\":");
	json_quote(to, span_str(type));
	for (; name != NULL; name = va_arg(args, const char *)) {
		const char *value = va_arg(args, const char *);
		if (value == NULL)
			continue;
		buf_add_char(to, ',');
		json_quote(to, span_str(name));
		buf_add_char(to, ':');
		json_quote(to, span_str(value));
	}
	buf_add_char(to, '}');
}

static void wake(const struct alarms *a)
{
	uint64_t one = 1;
	while (write(a->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void alarms_tell(struct alarms *a, const char *type, int64_t time_ms, const char *name, ...)
{
	if (!atomic_load(&a->wanted))
		return;
	struct alarm *alarm = xcalloc(1, sizeof *alarm);
	va_list args;
	*alarm = (struct alarm){ .type = type, .time_ms = time_ms, .body = BUF_INIT(ALARM_BODY_MAX) };
	va_start(args, name);
	write_body(&alarm->body, type, name, args);
	va_end(args);
	pthread_mutex_lock(&a->lock);
	bool fits = a->n < ALARMS_MAX && alarm->body.failed == 0;
	if (fits) {
		*a->last = alarm;
		a->last = &alarm->next;
		a->n++;
	} else {
		a->lost++;
	}
	pthread_mutex_unlock(&a->lock);
	if (fits)
		wake(a);
	else
		alarm_free(alarm);
}

uint64_t alarms_lost(struct alarms *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t lost = a->lost;
	pthread_mutex_unlock(&a->lock);
	return lost;
}

static struct alarm *take_all(struct alarms *a)
{
	pthread_mutex_lock(&a->lock);
	struct alarm *list = a->first;
	a->first = NULL;
	a->last = &a->first;
	a->n = 0;
	pthread_mutex_unlock(&a->lock);
	return list;
}

static void emit(struct pb_self *self, const struct alarm *alarm)
{
	char id[ID_TEXT_SIZE];
	struct pb_event *ev = event_new(buf_span(&alarm->body), alarm->time_ms);
	if (ev == NULL)
		return;
	id_new(&self->ids, alarm->time_ms, id);	/* only this thread makes events here */
	event_set(ev, "id", id);
	event_set(ev, "type", alarm->type);
	event_set(ev, "datacontenttype", "application/json");
	feed_emit(self->feed, &ev, 1, NULL, NULL);
}

bool alarms_step(struct alarms *a, struct pb_self *self)
{
	struct alarm *list = take_all(a);
	bool any = list != NULL;
	for (struct alarm *next; list != NULL; list = next) {
		next = list->next;
		emit(self, list);
		alarm_free(list);
	}
	return any;
}

/* The source, as plugins know it. */

static void *source_open(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	return self;
}

static void source_close(void *state)
{
	(void)state;
}

static int source_run(void *state)
{
	struct pb_self *self = state;
	struct alarms *a = self->feed->alarms;
	while (feed_wait(self->feed, a->wake_fd, -1) >= 0) {
		uint64_t n;
		while (read(a->wake_fd, &n, sizeof n) < 0 && errno == EINTR)
			;
		alarms_step(a, self);
	}
	return 0;
}

static void source_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct pb_self *self = state;
	struct alarms *a = self->feed->alarms;
	(void)token;
	if (receipt->outcome == PB_ACCEPTED)
		return;
	pthread_mutex_lock(&a->lock);
	a->lost++;
	pthread_mutex_unlock(&a->lock);
}

const struct pb_plugin alarms_plugin = {
	.size = sizeof(struct pb_plugin), .option_size = sizeof(struct pb_option),
	.abi_major = PB_ABI_MAJOR, .abi_minor = PB_ABI_MINOR,
	.name = "patchbay", .version = "1", .summary = "Events about patchbay itself",
	.source = PB_SOURCE(.open = source_open, .close = source_close, .run = source_run,
			    .settled = source_settled, .may_refuse = true),
};
