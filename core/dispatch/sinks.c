/* sinks.c - enabled, disabled, draining. */
#include "dispatch/sinks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/span.h"
#include "dispatch/alarms.h"
#include "dispatch/ask.h"
#include "dispatch/router.h"

/* How long a sink fails before that is saved; after that at each doubling, or hour. */
#define FAILING_SAVED_FROM INT64_C(60000)
#define FAILING_SAVED_EVERY INT64_C(3600000)

int64_t sink_failing(const struct outlet *o)
{
	int64_t since = o->stand.failing_since;
	return since == SINK_WORKS ? 0 : router_now(o->router) - since;
}

static void put_row(struct outlet *o)
{
	struct sink_stand *s = &o->stand;
	struct state_batch *to = &o->router->open.batch;
	if (s->mode == SINK_ENABLED && s->failing_saved == 0)
		rows_del_sink(to, o->number);
	else
		rows_put_sink(to, o->number, &(struct sink_row){
			.mode = s->mode, .since_ms = s->since_ms, .until_seq = s->until_seq,
			.failing_ms = s->failing_saved, .why = span_str(s->why),
		});
	o->router->save_pending = true;
}

int sink_restore(struct outlet *o)
{
	struct sink_stand *s = &o->stand;
	struct buf hold = BUF_INIT(BUF_MAX);
	struct sink_row row;
	int failed = rows_get_sink(o->router->state, o->number, &row, &hold);
	if (failed == 0) {
		s->mode = row.mode;
		s->since_ms = row.since_ms;
		s->until_seq = row.until_seq;
		s->failing_saved = row.failing_ms;
		if (row.failing_ms > 0)
			s->failing_since = router_now(o->router) - row.failing_ms;
		snprintf(s->why, sizeof s->why, "%.*s", (int)row.why.len, (const char *)row.why.data);
	}
	if (s->mode == SINK_DISABLED)
		breaker_gone(&o->breaker);
	if (s->mode != SINK_ENABLED)
		log_write(PB_WARN, o->self.title, "is %s until `patchbay sink enable %s`: %s",
			  sink_mode_name(s->mode), o->config->name, s->why);
	buf_free(&hold);
	return failed == -ENOENT ? 0 : failed;
}

/* What its lanes waited with comes back. */
static void go_on(struct outlet *o)
{
	struct router *r = o->router;
	if (o->breaker.state == BREAKER_DISABLED)
		breaker_enable(&o->breaker);
	for (size_t i = 0; i < o->n_lanes; i++)
		if (o->lanes[i]->stragglers > 0 || o->lanes[i]->keys_first != NULL)
			stragglers_expect(o->lanes[i], router_wall(r));
	r->catchup_due = true;
	router_pump(r, o);
}

static void begin_draining(struct outlet *o)
{
	struct router *r = o->router;
	o->stand.until_seq = r->next;
	o->stand.drained = false;
	for (size_t i = 0; i < o->n_lanes; i++)
		if (o->lanes[i]->live)
			lane_fall_behind(o->lanes[i], r->next);
}

static void tell(struct outlet *o, enum sink_mode mode, enum pb_level level)
{
	const char *name = o->config->name, *why = o->stand.why;
	if (mode == SINK_DISABLED)
		log_write(level, o->self.title, "is disabled until `patchbay sink enable %s`, its events "
			  "stay in the store: %s", name, why);
	else if (mode == SINK_DRAINING)
		log_write(level, o->self.title, "takes nothing new until `patchbay sink enable %s`, what is "
			  "there is delivered: %s", name, why);
	else
		log_write(level, o->self.title, "is enabled");
	static const char *const types[] = {
		"patchbay.sink.enabled", "patchbay.sink.disabled", "patchbay.sink.draining",
	};
	alarms_tell(o->router->alarms, types[mode], router_wall(o->router), "sink", name,
		    "error", why[0] != '\0' ? why : NULL, NULL);
}

static bool set(struct outlet *o, enum sink_mode mode, const char *why, enum pb_level level)
{
	struct sink_stand *s = &o->stand;
	if (s->mode == mode)
		return false;
	s->mode = mode;
	s->since_ms = router_wall(o->router);
	s->failing_since = SINK_WORKS;
	s->failing_saved = 0;
	snprintf(s->why, sizeof s->why, "%s", why);
	s->until_seq = 0;
	if (mode == SINK_DRAINING)
		begin_draining(o);
	if (mode == SINK_DISABLED)
		breaker_gone(&o->breaker);
	else
		go_on(o);
	put_row(o);
	save_soon(o->router);
	tell(o, mode, level);
	return true;
}

bool sink_set(struct outlet *o, enum sink_mode mode, const char *why)
{
	return set(o, mode, why, PB_INFO);
}

int sink_retry(struct outlet *o, struct sink_retried *did)
{
	struct router *r = o->router;
	*did = (struct sink_retried){ 0 };
	if (o->stand.mode == SINK_DISABLED)
		return -ESHUTDOWN;
	did->probe = o->breaker.state == BREAKER_OPEN;
	if (did->probe) {
		o->breaker.until = router_now(r);
		breaker_expired(&o->breaker, router_now(r));
		timer_clear(&r->timers, &o->timer);
	}
	for (size_t i = 0; i < o->n_lanes; i++) {
		did->waiting += lane_waiting(o->lanes[i]);
		lane_hurry(o->lanes[i]);
	}
	router_pump(r, o);
	return 0;
}

bool sink_takes(const struct outlet *o, uint64_t seq)
{
	return o->stand.mode != SINK_DRAINING || seq < o->stand.until_seq;
}

bool sink_is_drained(const struct outlet *o)
{
	for (size_t i = 0; o->stand.mode == SINK_DRAINING && i < o->n_lanes; i++) {
		const struct lane *lane = o->lanes[i];
		bool parked_new = lane->untaken > 0 && !sink_takes(o, lane->untaken_from);
		if (lane->live || lane->count > 0 || lane->n_loose > 0 || lane->next < o->stand.until_seq ||
		    lane->stragglers > (parked_new ? lane->untaken : 0))
			return false;
	}
	return o->stand.mode == SINK_DRAINING;
}

void sink_worked(struct outlet *o)
{
	o->stand.failing_since = SINK_WORKS;
	if (o->stand.failing_saved == 0)
		return;
	o->stand.failing_saved = 0;
	put_row(o);
}

void sink_failed(struct outlet *o, const char *why)
{
	struct sink_stand *s = &o->stand;
	if (s->mode == SINK_DISABLED)
		return;
	if (s->failing_since == SINK_WORKS) {
		s->failing_since = router_now(o->router);
		return;
	}
	if (s->disable_after == 0 || sink_failing(o) < s->disable_after)
		return;
	char words[SINK_WHY_SIZE], span[PARSE_TEXT_SIZE];
	format_duration(s->disable_after, span);
	snprintf(words, sizeof words, "nothing but failures for %s: %s", span, why);
	set(o, SINK_DISABLED, words, PB_ERROR);
}

void sink_gone(struct outlet *o, const char *why)
{
	char words[SINK_WHY_SIZE];
	snprintf(words, sizeof words, "the receiver is gone: %s", why);
	set(o, SINK_DISABLED, words, PB_ERROR);
}

static void save_failing(struct outlet *o)
{
	int64_t ms = sink_failing(o), saved = o->stand.failing_saved;
	if (ms < FAILING_SAVED_FROM || (ms < 2 * saved && ms - saved < FAILING_SAVED_EVERY))
		return;
	o->stand.failing_saved = ms;
	put_row(o);
}

void sinks_tick(struct router *r)
{
	for (size_t i = 0; i < r->n_outlets; i++) {
		struct outlet *o = r->outlets[i];
		if (breaker_waited(&o->breaker, o->in_flight))
			router_pump(r, o);
		if (o->stand.failing_since != SINK_WORKS)
			save_failing(o);
		if (o->stand.drained || !sink_is_drained(o))
			continue;
		o->stand.drained = true;
		log_write(PB_INFO, o->self.title, "is drained: all that was there is delivered or dead");
	}
}

const char *sink_state_name(const struct outlet *o)
{
	if (o->paused)
		return "stopped";
	if (o->stand.mode == SINK_DRAINING && o->breaker.state == BREAKER_CLOSED)
		return sink_is_drained(o) ? "drained" : "draining";
	return breaker_name(&o->breaker);
}
