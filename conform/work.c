/* work.c - the usual work of each kind, a little of everything. */
#include "conform/conform.h"

#define EVENTS 3
#define ANSWERED_MAX 3000	/* ms */

static void work_source(struct check *c, struct pbt_instance *in)
{
	if (feed_works(c, in) && feed_events(c, in, EVENTS))
		feed_end(c, ANSWERED_MAX);
}

static void work_filter(struct check *c, struct pbt_instance *in)
{
	struct pb_event *ev = event_ordinary(c);
	doing(c, "in apply()");
	for (unsigned i = 0; i < EVENTS; i++)
		pbt_apply(in, ev);
	pb_event_free(ev);
}

static void work_sink(struct check *c, struct pbt_instance *in)
{
	struct pb_event *evs[EVENTS];
	size_t n = deliver_most(c, in) < EVENTS ? 1 : EVENTS;
	for (size_t i = 0; i < n; i++)
		evs[i] = event_ordinary(c);
	deliver_batch(c, in, evs, n, NULL, NULL);
	deliver_one(c, in);
}

void work(struct check *c, struct pbt_instance *in)
{
	switch (c->kind) {
	case KIND_SOURCE: work_source(c, in); break;
	case KIND_FILTER: work_filter(c, in); break;
	default: work_sink(c, in);
	}
}

void work_whole(struct check *c, bool clean)
{
	struct pbt_instance *in = box_ready(c);
	work(c, in);
	if (c->kind == KIND_SOURCE)
		box_stop(c, in);
	box_close(c, in);
	box_free(c, clean);
}
