/* stop.c - stopping, whatever is going on. */
#include "conform/rules.h"

#define AT_ONCE 20
#define HELD 100		/* ms that a commit is held after the stop was asked for */
#define HELD_MAX 5000		/* ms until one is */
#define FEEDERS 4
#define IN_FLIGHT 4		/* batches */
#define BATCH 16

static void close_in_time(struct check *c, struct pbt_instance *in)
{
	int64_t begin = now_ms(), limit = c->wanted->stop_limit;
	doing(c, "in stop() or close()");
	pbt_close(in);
	if (now_ms() - begin > limit)
		check_fail(c, "stop() and close() took %lld ms; the limit is %lld ms",
			   (long long)(now_ms() - begin), (long long)limit);
}

void stop_idle(struct check *c)
{
	box_load(c);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct pbt_instance *in = box_open(c, "test");
		if (c->kind == KIND_SOURCE) {
			box_start(c, in);
			if (i % 2 == 1 && !pbt_wait_asleep(in, 10, NULL))
				doing(c, "in run(), never asleep in pb_wait()");
			box_stop(c, in);
		}
		close_in_time(c, in);
	}
	box_free(c, false);
}

static void stop_busy_source(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	feed_need(c, in);
	size_t before = pbt_n_emitted(in);
	for (unsigned i = 0; i < FEEDERS && c->wanted->feed != NULL; i++)
		feed_begin(c, in);
	bool come = pbt_wait_emitted(in, before + 1, 1000);
	doing(c, "in run(), with %s", come ? "events coming" : "senders about to send");
	box_stop(c, in);
	if (pbt_n_stored(in) != pbt_n_emitted(in))
		check_fail(c, "of %zu events that it emitted %zu are stored", pbt_n_emitted(in),
			   pbt_n_stored(in));
	feed_end(c, 1000);
	close_in_time(c, in);
}

/* Deliveries that are under way when stop() comes. */
static void stop_under_way(struct check *c, struct pbt_instance *in)
{
	struct pb_delivery *d[IN_FLIGHT * BATCH];
	size_t most = deliver_most(c, in), n = most < BATCH ? most : BATCH, total = 0;
	for (unsigned i = 0; i < IN_FLIGHT; i++, total += n) {
		for (size_t k = 0; k < n; k++)
			d[total + k] = pbt_delivery(in, event_ordinary(c));
		doing(c, "in submit()");
		pbt_send(in, d + total, n);
	}
	doing(c, "in stop()");
	pbt_sink_stop(in);
	doing(c, "after stop(), with deliveries under way");
	if (!pbt_wait(d, total, c->wanted->stop_limit))
		check_fail(c, "not all of %zu deliveries under way are answered %lld ms after stop()",
			   total, (long long)c->wanted->stop_limit);
	close_in_time(c, in);
}

static void stop_busy_sink(struct check *c)
{
	box_load(c);
	if (c->plugin->sink->submit == NULL)
		check_skip(c, "after write() nothing is under way");
	stop_under_way(c, box_open(c, "test"));
	if (c->wanted->failing.n > 0)
		stop_under_way(c, box_open_failing(c, "test", NULL));
}

void stop_busy(struct check *c)
{
	if (c->kind == KIND_SOURCE)
		stop_busy_source(c);
	else
		stop_busy_sink(c);
	box_free(c, false);
}

void stop_full(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	feed_need(c, in);
	pbt_store(in, PBT_FULL, 0);
	feed_events(c, in, 1);
	if (!c->plugin->source->may_refuse && !pbt_wait_held(in, HELD_MAX))
		check_skip(c, "an event is not committed: see source.commits");
	box_stop(c, in);
	feed_end(c, 0);
	close_in_time(c, in);
	box_free(c, false);
}

void stop_commit(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	int result;
	feed_need(c, in);
	pbt_store(in, PBT_HOLDS, 0);
	feed_events(c, in, 1);
	if (!pbt_wait_held(in, HELD_MAX))
		check_skip(c, "an event is not committed: see source.commits");
	doing(c, "in run(), asked to stop during a commit");
	pbt_ask_stop(in);
	pause_ms(HELD);
	pbt_store(in, PBT_STORES, 0);
	if (!pbt_wait_ended(in, c->wanted->stop_limit, &result))
		check_fail(c, "run() has not returned %lld ms after the commit", (long long)c->wanted->stop_limit);
	if (pbt_n_stored(in) != pbt_n_emitted(in))
		check_fail(c, "of %zu events that it emitted %zu are stored", pbt_n_emitted(in),
			   pbt_n_stored(in));
	feed_end(c, 1000);
	close_in_time(c, in);
	box_free(c, false);
}
