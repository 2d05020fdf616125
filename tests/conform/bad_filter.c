/* bad_filter.c - a filter that has one fault. */
#include <errno.h>
#include <stdlib.h>

#include "conform/fault.h"

struct bad {
	struct pb_self *self;
	unsigned n;
};

static void *bad_open(struct pb_self *self, struct pb_error *err)
{
	struct bad *b = calloc(1, sizeof *b);
	if (b == NULL)
		return pb_error(err, NULL, "out of memory");
	b->self = self;
	return b;
}

static int bad_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct bad *b = state;
	struct pb_span field = pb_field(ev, "name");
	char *text = pb_text(field);
	if (text == NULL && has_fault(b->self, "text") && field.data != NULL)
		*(volatile char *)NULL = 0;
	free(text);
	if (has_fault(b->self, "hostile") && pb_event_body(ev).len == 0)
		*(volatile char *)NULL = 0;
	if (has_fault(b->self, "reason") && pb_event_body(ev).len == 0)
		return -EBADMSG;
	if (pb_event_body(ev).len == 0) {
		pb_error(err, NULL, "nothing is in it");
		return -EBADMSG;
	}
	if (has_fault(b->self, "differs") && b->n++ % 2 == 1)
		return 0;
	pb_pass(b->self, ev);
	if (has_fault(b->self, "passes-twice"))
		pb_pass(b->self, ev);
	return 0;
}

static const struct pb_option options[] = { FAULT_OPTIONS, { 0 } };

PB_PLUGIN(.name = "bad_filter", .version = "1", .summary = "A filter with a fault",
	  .filter = PB_FILTER(.options = options, .open = bad_open, .close = free, .apply = bad_apply));
