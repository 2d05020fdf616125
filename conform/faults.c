/*
 * faults.c - calls of the host that fail, each in turn.
 *
 * For each kind of call a life is lived in which the first one fails, then one in which the second does, until there
 * are no so many.
 */
#include "conform/rules.h"

#define MOST 12			/* lives a kind of call */
#define MOST_FED 4		/* of a source: they take longer */
#define STORED_MAX 10000	/* ms */
#define RUNS 3
#define SOON 300		/* ms in which a source that was hit may end its turn */

static const char *const names[PBT_CALLS] = {
	[PBT_EVENT_NEW] = "pb_event_new() or pb_event_copy()",
	[PBT_EVENT_SET] = "pb_event_set() or one of its kind",
	[PBT_CLOUDEVENT] = "pb_cloudevent()",
	[PBT_TEXT] = "pb_text()",
	[PBT_RENDER] = "pb_render()",
	[PBT_LISTEN] = "pb_listen()",
	[PBT_EMIT] = "pb_emit()",
};

/* A source that gave up is run again, as the daemon does it. */
static bool goes_on(struct check *c, struct pbt_instance *in)
{
	for (unsigned i = 0; i < RUNS; i++) {
		if (pbt_wait_ended(in, 0, NULL))
			pbt_start(in);
		if (feed_events(c, in, 1))
			return true;
	}
	return false;
}

/* One that fails and the next goes on; after PBT_EMIT it is being stopped. */
static void work_source(struct check *c, struct pbt_instance *in, enum pbt_call call)
{
	if (c->told->events == NO)
		return;
	if (c->wanted->feed != NULL)
		feed_wait(c, feed_begin(c, in), SOON);
	else
		feed_events(c, in, 1);
	if (call == PBT_EMIT)
		return;
	if (!goes_on(c, in))
		check_fail(c, "no event comes any more after a call of %s that failed", names[call]);
}

static void live_on(struct check *c, struct pbt_instance *in, enum pbt_call call, unsigned nth,
		    enum pb_code good)
{
	if (c->kind == KIND_SOURCE) {
		box_start(c, in);
		doing(c, "in run(), with call number %u of %s, which failed", nth, names[call]);
		work_source(c, in, call);
		feed_end(c, SOON);
		box_stop(c, in);
		return;
	}
	work(c, in);
	bool failed = pbt_calls(call) >= nth;
	if (c->kind == KIND_SINK && failed && deliver_one(c, in) != good)
		check_fail(c, "an event is answered differently after a call of %s that failed", names[call]);
}

/* A life in which the nth such call fails; how many there were. */
static unsigned live(struct check *c, enum pbt_call call, unsigned nth, enum pb_code good, bool clean)
{
	box_load(c);
	pbt_fail_at(call, nth);
	struct pbt_instance *in = box_try(c, "test", NULL, NULL, NULL);
	doing(c, "in call number %u of %s, which failed", nth, names[call]);
	if (in != NULL) {
		live_on(c, in, call, nth, good);
		pbt_close(in);
	}
	unsigned made = pbt_calls(call);
	box_free(c, clean);
	return made;
}

/* One in which nothing fails: how an event is answered then, and whether it is `clean`. */
static enum pb_code before(struct check *c, bool *clean)
{
	struct pbt_instance *in = box_ready(c);
	enum pb_code good = PB_OK;
	if (c->kind == KIND_SINK)
		good = deliver_one(c, in);
	else
		work(c, in);
	if (c->kind == KIND_SOURCE) {
		feed_end(c, STORED_MAX);
		box_stop(c, in);
	}
	box_close(c, in);
	*clean = box_free(c, false) == 0;
	return good;
}

void faults_calls(struct check *c)
{
	bool clean;
	enum pb_code good = before(c, &clean);
	unsigned most = c->kind == KIND_SOURCE ? MOST_FED : MOST;
	for (enum pbt_call call = 0; call < PBT_CALLS; call++)
		for (unsigned nth = 1; nth <= most && live(c, call, nth, good, clean) >= nth; nth++)
			;
}
