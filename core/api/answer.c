/* answer.c - what a filter passes and a sink answers. */
#include <stdarg.h>
#include <stdio.h>

#include "api/api.h"
#include "base/log.h"
#include "dispatch/chain.h"
#include "dispatch/outlet.h"

void pb_pass(struct pb_self *self, struct pb_event *ev)
{
	stage_pass(self, ev);
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
	char text[DELIVERY_TEXT_MAX];
	text[0] = '\0';
	if (fmt != NULL) {
		va_list args;
		va_start(args, fmt);
		vsnprintf(text, sizeof text, fmt, args);
		va_end(args);
	}
	if (!delivery_answer(d, code, after, response, text))
		log_write(PB_ERROR, d->batch->outlet->self.title, "answered one delivery twice; the second "
			  "answer is ignored");
}
