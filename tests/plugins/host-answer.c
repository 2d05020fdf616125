/* host-answer.c - a plugin without a daemon: deliveries and their answers. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "plugins/host-self.h"

struct pb_delivery *host_delivery(struct host_sink *sink, struct pb_event *ev)
{
	struct pb_delivery *d = xcalloc(1, sizeof *d);
	d->host = sink->self.host;
	d->event = ev;
	d->attempt = 1;
	return d;
}

void host_delivery_free(struct pb_delivery *d)
{
	pb_event_free(d->event);
	free(d->response);
	free(d);
}

void host_send(struct host_sink *sink, struct pb_delivery *const d[], size_t n)
{
	const struct pb_sink *face = sink->self.host->plugin->sink;
	if (n > (face->max_batch == 0 ? 1 : face->max_batch))
		host_bug("more deliveries at once than the sink can take");
	if (face->submit != NULL)
		face->submit(sink->state, d, n);
	else
		face->write(sink->state, d, n);
}

static bool all_answered(struct pb_delivery *const d[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!d[i]->answered)
			return false;
	return true;
}

bool host_wait(struct pb_delivery *const d[], size_t n, int64_t ms)
{
	struct host *host = d[0]->host;
	int64_t end = clock_mono(&clock_system) + ms;
	pthread_mutex_lock(&host->lock);
	bool done;
	while (!(done = all_answered(d, n)) && clock_mono(&clock_system) < end)
		cond_wait_ms(&host->answered, &host->lock, end - clock_mono(&clock_system));
	pthread_mutex_unlock(&host->lock);
	return done;
}

const struct pb_event *pb_delivery_event(const struct pb_delivery *d)
{
	return d->event;
}

unsigned pb_delivery_attempt(const struct pb_delivery *d)
{
	return d->attempt;
}

void pb_answer(struct pb_delivery *d, enum pb_code code, int64_t after, struct pb_span response,
	       const char *fmt, ...)
{
	struct host *host = d->host;
	va_list args;
	pthread_mutex_lock(&host->lock);
	if (d->answered)
		host_bug("answered twice");
	va_start(args, fmt);
	vsnprintf(d->reason, sizeof d->reason, fmt, args);
	va_end(args);
	if (strpbrk(d->reason, "\r\n") != NULL)
		host_bug("a reason is one line: %s", d->reason);
	d->code = code;
	d->after = after;
	if (response.len > 0) {
		d->response = xcalloc(1, response.len + 1);
		memcpy(d->response, response.data, response.len);
		d->response_len = response.len;
	}
	d->answered = true;
	pthread_cond_broadcast(&host->answered);
	pthread_mutex_unlock(&host->lock);
}
