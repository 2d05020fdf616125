/* source.c - a source and the store. */
#include <sys/wait.h>

#include "conform/rules.h"

#define EVENTS 5
#define STORED_MAX 5000		/* ms */
#define HELD_MAX 5000
#define ANSWER_EARLY 300	/* ms in which a sender that is told too soon ends */
#define ANSWER_MAX 20000
#define QUIET 300		/* ms without an event: no more come */
#define PRESSES 40
#define PRESS_MS 30
#define RUNNING_MAX (FEEDERS_MAX - 2)
#define UNSETTLED_MAX 65536
#define ALIVE 200		/* ms */

void source_runs(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	int result;
	work(c, in);
	if (pbt_wait_ended(in, ALIVE, &result))
		check_fail(c, "it returned %d by itself", result);
	result = box_stop(c, in);
	if (result != 0)
		check_fail(c, "it returned %d when it was asked to stop; expected 0", result);
	box_close(c, in);
	box_free(c, false);
}

static void check_event(struct check *c, struct pbt_instance *in, const struct pb_event *ev)
{
	if (*pb_event_type(ev) == '\0')
		check_fail(c, "event %s has no type", pb_event_id(ev));
	if (pb_event_body(ev).len > pb_max_event(pbt_self(in)))
		check_fail(c, "event %s has a body above pb_max_event()", pb_event_id(ev));
}

void source_emits(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	if (c->wanted->feed == NULL)
		feed_need(c, in);
	else if (!feed_works(c, in))
		check_fail(c, "%s", c->told->events == NO ? c->told->why_not : "no event came, though some came before");
	if (!feed_events(c, in, EVENTS))
		check_fail(c, "fewer than %d events came, though the feed command was run again and again", EVENTS);
	size_t n = c->wanted->feed == NULL ? 1 : EVENTS;
	if (!pbt_wait_stored(in, n, STORED_MAX))
		check_skip(c, "what it emits is not committed: see source.commits");
	for (size_t i = 0; i < n; i++)
		check_event(c, in, pbt_stored(in, i));
	feed_end(c, STORED_MAX);
	box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
}

void source_commits(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	feed_need(c, in);
	feed_events(c, in, EVENTS);
	size_t emitted = pbt_n_emitted(in);
	if (!pbt_wait_stored(in, emitted, STORED_MAX))
		check_fail(c, "%zu events are emitted, and %zu stored %d ms later: pb_wait() or pb_commit() is "
			   "called too seldom", emitted, pbt_n_stored(in), STORED_MAX);
	feed_end(c, STORED_MAX);
	box_stop(c, in);
	if (pbt_n_stored(in) != pbt_n_emitted(in))
		check_fail(c, "%zu events are emitted, and %zu stored", pbt_n_emitted(in), pbt_n_stored(in));
	box_close(c, in);
	box_free(c, false);
}

static unsigned running(const struct check *c)
{
	unsigned n = 0;
	for (size_t i = 0; i < FEEDERS_MAX; i++)
		n += c->told->feeders[i] != 0;
	return n;
}

/* Senders keep coming, and some are left waiting. */
static void press(struct check *c, struct pbt_instance *in)
{
	if (c->wanted->feed == NULL) {
		feed_events(c, in, EVENTS);
		return;
	}
	pid_t last = 0;
	for (unsigned i = 0; i < PRESSES; i++) {
		if (running(c) < RUNNING_MAX)
			last = feed_begin(c, in);
		feed_wait(c, last, PRESS_MS);
	}
}

static void check_pressure(struct check *c, struct pbt_instance *in, size_t before)
{
	size_t now = census_resident(), grown = now > before ? now - before : 0;
	size_t unsettled = pbt_n_emitted(in) - pbt_n_stored(in);
	if (grown > (size_t)c->wanted->memory)
		check_fail(c, "it takes %zu MiB of memory more; the limit is %lld MiB (--memory)",
			   grown / 1024 / 1024, (long long)c->wanted->memory / 1024 / 1024);
	if (!c->plugin->source->may_refuse && unsettled > UNSETTLED_MAX)
		check_fail(c, "%zu events wait to be stored", unsettled);
}

void source_pressure(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	feed_need(c, in);
	size_t before = census_resident();
	pbt_store(in, PBT_FULL, 0);
	press(c, in);
	check_pressure(c, in, before);
	pbt_store(in, PBT_STORES, 0);
	feed_end(c, STORED_MAX);
	if (!c->plugin->source->may_refuse && !pbt_wait_stored(in, pbt_n_emitted(in), STORED_MAX))
		check_fail(c, "what waited for room is not stored %d ms after there is some", STORED_MAX);
	if (!feed_events(c, in, 1))
		check_fail(c, "no event came after the store had room again");
	feed_end(c, STORED_MAX);
	box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
}

static bool said_yes(const struct check *c)
{
	return WIFEXITED(c->feed_status) && WEXITSTATUS(c->feed_status) == 0;
}

/* One whose senders hear what became of it. */
static struct pbt_instance *need_answering(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	if (!c->plugin->source->may_refuse)
		check_skip(c, "its senders hear nothing (may_refuse is not set)");
	feed_need_command(c);
	feed_need(c, in);
	return in;
}

void source_acknowledges(struct check *c)
{
	struct pbt_instance *in = need_answering(c);
	pbt_store(in, PBT_HOLDS, 0);
	pid_t pid = feed_begin(c, in);
	if (!pbt_wait_held(in, HELD_MAX))
		check_skip(c, "an event is not committed: see source.commits");
	if (feed_wait(c, pid, ANSWER_EARLY) && said_yes(c))
		check_fail(c, "the feed command ended with status 0 before the commit");
	pbt_store(in, PBT_STORES, 0);
	if (!feed_wait(c, pid, ANSWER_MAX))
		check_fail(c, "the feed command has not ended %d ms after the commit", ANSWER_MAX);
	if (!said_yes(c))
		check_fail(c, "the feed command failed, though its event is stored");
	box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
}

void source_refuses(struct check *c)
{
	struct pbt_instance *in = need_answering(c);
	pbt_store(in, PBT_FULL, 0);
	pid_t pid = feed_begin(c, in);
	if (!feed_wait(c, pid, ANSWER_MAX))
		check_fail(c, "the feed command has not ended after %d ms with the store full", ANSWER_MAX);
	if (said_yes(c))
		check_fail(c, "the feed command ended with status 0, though nothing could be stored");
	pbt_store(in, PBT_STORES, 0);
	pid = feed_begin(c, in);
	if (!feed_wait(c, pid, ANSWER_MAX) || !said_yes(c))
		check_fail(c, "the feed command fails, though the store has room again");
	box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
}

/* Wait until nothing more is stored. */
static void settle(struct pbt_instance *in)
{
	while (pbt_wait_stored(in, pbt_n_stored(in) + 1, QUIET))
		;
}

/* Run the feed command once: how many events come of it. */
static size_t feed_once(struct check *c, struct pbt_instance *in)
{
	size_t before = pbt_n_stored(in);
	feed_wait(c, feed_begin(c, in), ANSWER_MAX);
	if (!pbt_wait_stored(in, before + 1, STORED_MAX))
		check_skip(c, "an event is not committed: see source.commits");
	settle(in);
	return pbt_n_stored(in) - before;
}

static struct pbt_instance *again(struct check *c, struct pbt_instance *in)
{
	box_stop(c, in);
	box_close(c, in);
	in = box_open(c, "test");
	box_start(c, in);
	settle(in);
	return in;
}

void source_resumes(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	feed_need_command(c);
	feed_need(c, in);
	settle(in);
	size_t each = feed_once(c, in), stored = pbt_n_stored(in);
	if (pbt_n_marks(in) == 0)
		check_skip(c, "it keeps no mark");
	in = again(c, in);
	if (pbt_n_stored(in) != stored)
		check_fail(c, "%zu events that were stored came again", pbt_n_stored(in) - stored);
	pbt_store(in, PBT_FULL, 0);
	feed_wait(c, feed_begin(c, in), ANSWER_MAX);
	if (!pbt_wait_held(in, HELD_MAX))
		check_skip(c, "an event is not committed: see source.commits");
	in = again(c, in);
	if (pbt_n_stored(in) < stored + each)
		check_fail(c, "of %zu events that were emitted and not stored %zu came when it was opened again",
			   each, pbt_n_stored(in) - stored);
	if (pbt_n_stored(in) > stored + each)
		check_fail(c, "of %zu events that were emitted and not stored %zu came when it was opened again: "
			   "some twice", each, pbt_n_stored(in) - stored);
	box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
}
