/* delivery.c - an answer on its way to the router. */
#include "dispatch/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/memory.h"
#include "dispatch/outlet.h"

bool delivery_answer(struct pb_delivery *d, enum pb_code code, int64_t after, struct pb_span response,
		     const char *text)
{
	CHECK_OBJ(d, DELIVERY_MAGIC);
	if (atomic_exchange(&d->answered, true))
		return false;
	struct outlet *o = d->batch->outlet;
	d->code = code > PB_UNTRIED && code <= PB_GONE ? code : PB_UNTRIED;
	d->after = after > 0 ? after : 0;
	size_t words = text != NULL ? strlen(text) : 0;
	if (words > 0 && d->code == PB_OK && words < sizeof d->brief)
		memcpy(d->brief, text, words + 1);
	else if (words > 0)
		d->text = strndup(text, DELIVERY_TEXT_MAX);
	if (response.len > 0 && o->max_response > 0) {
		size_t len = response.len < o->max_response ? response.len : o->max_response;
		d->response = malloc(len);
		if (d->response != NULL) {
			memcpy(d->response, response.data, len);
			d->response_len = len;
		}
	}
	inbox_answer(o->inbox, d);
	return true;
}

struct batch *batch_new(struct outlet *o, size_t most)
{
	size_t head = sizeof(struct batch) + most * sizeof(struct pb_delivery);
	struct batch *b = xcalloc(1, head + most * sizeof(struct pb_delivery *));
	b->outlet = o;
	b->list = (struct pb_delivery **)((char *)b + head);
	return b;
}

void batch_unref(struct batch *b)
{
	if (atomic_fetch_sub(&b->refs, 1) == 1)
		free(b);
}
