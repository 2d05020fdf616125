/* test-reload.c - another configuration while the engine runs. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/router.h"
#include "event/event.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define S0 "[sink s0]\nplugin = script_async\nretry = 1s, 1s\nbreaker_failures = 0\n"
#define S1 "[sink s1]\nplugin = script\nretry = 1s, 1s\n"
#define S2 "[sink s2]\nplugin = script_async\n"
#define R0 "[route r]\nto = s0\n"
#define BASE HEAD S0 R0

static bool any(void *arg, uint32_t lane, const struct route_row *row)
{
	(void)lane;
	*(unsigned *)arg += row->until != ROUTE_PRESENT;
	return true;
}

static unsigned old_rules(struct lab *lab)
{
	unsigned n = 0;
	assert_int_equal(rows_each_route(lab->env.state, any, &n), 0);
	return n;
}

static struct outlet *outlet(struct lab *lab, const char *name)
{
	for (size_t i = 0; i < lab->d->router.n_outlets; i++)
		if (strcmp(lab->d->router.outlets[i]->config->name, name) == 0)
			return lab->d->router.outlets[i];
	fail_msg("no sink %s", name);
	return NULL;
}

static void what_is_the_same_stays(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab_emit(lab, "a", "hold");
	lab_emit(lab, "b", "retry");
	lab_settle(lab);
	struct outlet *o = outlet(lab, "s0");
	struct feed *f = lab->d->feeds[0];
	struct lane *lane = lab_lane(lab, "r s0");
	for (int i = 0; i < 3; i++) {
		assert_true(lab_reload(lab, i == 0 ? HEAD S0 S1 R0 "[route q]\nto = s1\n" : BASE));
		assert_ptr_equal(outlet(lab, "s0"), o);
		assert_ptr_equal(lab->d->feeds[0], f);
		assert_ptr_equal(lab_lane(lab, "r s0"), lane);
		assert_int_equal(o->in_flight, 1);
	}
	assert_true(f->self.opened && o->self.opened);
	lab_answer(lab, 0, 0, PB_OK);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 2000);
	assert_int_equal(lane->delivered, 2);
	assert_int_equal(o->delivered, 2);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 b/2 ");
}

static void a_new_route_begins_at_the_barrier(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab_emit(lab, "a", "ok");	/* committed, and not even routed */
	assert_true(lab_reload(lab, HEAD S0 S1 R0 "[route q]\nto = s1\n"));
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	assert_string_equal(lab->sinks[1].seen, "b/1 ");
	lab_crash(lab);
	lab_start(lab, HEAD S0 S1 R0 "[route q]\nto = s1\n");
	assert_int_equal(lane_watermark(lab_lane(lab, "q s1")), lab->d->router.next);
}

static void a_lane_that_is_behind_takes_what_its_route_took(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD S0 "[route r]\nevents = a\nto = s0\n");
	lab->sinks[0].always = "down";
	lab_emit_some(lab, 300, "a", "ok");
	lab_emit_some(lab, 300, "b", "ok");
	lab_settle(lab);
	assert_false(lab_lane(lab, "r s0")->live);
	assert_true(lab_reload(lab, HEAD S0 "[route r]\nevents = b\nto = s0\n"));
	lab_emit_some(lab, 5, "a", "ok");
	lab_emit_some(lab, 5, "b", "ok");
	assert_true(lab_reload(lab, HEAD S0 "[route r]\nevents = c\nto = s0\n"));
	lab_emit_some(lab, 5, "b", "ok");
	lab_emit_some(lab, 5, "c", "ok");
	assert_int_equal(old_rules(lab), 2);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 3000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 310);
	assert_true(lab_lane(lab, "r s0")->live);
	assert_int_equal(old_rules(lab), 0);
}

static void a_crash_right_after_keeps_the_barrier(void **state)
{
	struct lab *lab = *state;
	const char *now = HEAD S0 "[route r]\nevents = b\nto = s0\n";
	lab_start(lab, HEAD S0 "[route r]\nevents = a\nto = s0\n");
	lab->sinks[0].always = "down";
	lab_emit_some(lab, 300, "a", "ok");
	lab_emit_some(lab, 300, "b", "ok");
	lab_settle(lab);
	assert_true(lab_reload(lab, now));
	lab_emit(lab, "a", "ok");
	lab_emit(lab, "b", "ok");
	lab_crash(lab);
	lab->sinks[0].always = "ok";
	lab_start(lab, now);
	lab_wait(lab, 3000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 301);
}

static void what_a_removed_lane_had_is_dead(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab_emit(lab, "a", "hold");
	lab_emit(lab, "b", "retry");
	lab_wait(lab, 100);
	lab->sinks[0].always = "down";
	lab_emit_some(lab, 300, "c", "ok");
	lab_settle(lab);
	lab->sinks[0].always = NULL;
	uint32_t number = lab_lane(lab, "r s0")->number;
	assert_true(lab_reload(lab, HEAD S0 S1 "[route q]\nto = s1\n"));
	lab_emit(lab, "d", "ok");
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[1].seen, "d/1 ");
	assert_int_equal(lab->d->router.n_leaving, 1);	/* `a` is still with the sink */
	assert_int_equal(lab_removed_letters(lab, number), 301);
	lab_answer(lab, 0, 0, PB_RETRY);
	lab_wait(lab, 100);
	assert_int_equal(lab_removed_letters(lab, number), 302);
	assert_int_equal(lab->d->router.n_leaving, 0);
	assert_true(lab_reload(lab, BASE));
	assert_int_equal(lab_lane(lab, "r s0")->dead, 302);
	struct delivery_key key = { number, 1 };
	struct dead_change change = { .replay = true, .keys = &key, .n = 1 };
	dead_change(&lab->d->router, &change);
	assert_int_equal(change.done, 1);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 100);
	assert_int_equal(lab_removed_letters(lab, number), 301);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 1);
}

static void what_leaves_and_is_delivered_is_not_dead(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab_emit(lab, "a", "hold");
	lab_settle(lab);
	uint32_t number = lab_lane(lab, "r s0")->number;
	assert_true(lab_reload(lab, HEAD S1 "[route q]\nto = s1\n"));
	assert_int_equal(lab->d->retired.n_outlets, 1);
	lab_answer(lab, 0, 0, PB_OK);
	lab_wait(lab, 100);
	assert_int_equal(lab_removed_letters(lab, number), 0);
	assert_int_equal(lab->d->router.n_leaving, 0);
	dispatch_bury(lab->d);
	assert_int_equal(lab->d->retired.n_outlets, 0);
}

static void a_lane_that_comes_back_while_it_leaves_goes_on(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab->sinks[0].always = "down";
	lab_emit_some(lab, 300, "a", "ok");
	lab_settle(lab);
	uint32_t number = lab_lane(lab, "r s0")->number;
	lab->hasty = true;
	assert_true(lab_reload(lab, HEAD S0 S1 "[route q]\nto = s1\n"));
	router_turn(&lab->d->router);
	lab->hasty = false;
	lab_emit_some(lab, 3, "b", "ok");
	assert_true(lab_reload(lab, HEAD S0 S1 R0 "[route q]\nto = s1\n"));
	lab_emit(lab, "c", "ok");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 3000);
	assert_int_equal(lab_removed_letters(lab, number) + lab_lane(lab, "r s0")->delivered, 301);
	assert_true(lab_lane(lab, "r s0")->live);
}

/* What a strict lane waited for in place at a start is a dead letter, and nothing else, when it comes back. */
static void what_died_while_it_left_is_not_tried_when_it_comes_back(void **state)
{
	static const char *const orders[] = { "order = strict\n", "order_by = type\n" };
	for (size_t i = 0; i < 2; i++) {
		struct lab *lab = *state;
		char with[256];
		snprintf(with, sizeof with, HEAD S1 "%s[route q]\nto = s1\n", orders[i]);
		lab_start(lab, with);
		uint32_t number = lab_lane(lab, "q s1")->number;
		lab_emit(lab, "a", "retry");
		lab_settle(lab);
		lab_wait(lab, 20);
		lab_crash(lab);
		lab_start_only(lab, BASE);
		router_turn(&lab->d->router);
		assert_true(lab_reload(lab, with));
		lab_emit(lab, "b", "ok");
		lab->sinks[1].always = "ok";
		lab_wait(lab, 5000);
		assert_int_equal(lab_removed_letters(lab, number), 1);
		assert_string_equal(lab->sinks[1].seen, "b/1 ");
		assert_int_equal(lab_lane(lab, "q s1")->stragglers, 0);
		assert_int_equal(lane_watermark(lab_lane(lab, "q s1")), lab->d->router.next);
		lab_free(lab);
		*state = lab_new();
	}
}

/* What was counted and is not configured any more. */
static struct lane_counts gone(struct lab *lab)
{
	struct lane_counts c;
	counts_gone(&lab->d->router, &c);
	return c;
}

static void counters_do_not_go_back(void **state)
{
	struct lab *lab = *state;
	static const char with[] = HEAD S0 S1 R0 "[route q]\nto = s1\n";
	lab_start(lab, with);
	lab_emit(lab, "a", "ok");
	lab_emit(lab, "b", "reject");
	lab_emit(lab, "c", "retry");
	lab_wait(lab, 100);
	assert_int_equal(gone(lab).died[DEAD_REJECTED], 0);
	assert_true(lab_reload(lab, BASE));
	assert_int_equal(gone(lab).died[DEAD_REJECTED], 1);	/* it leaves, and its straggler dies */
	lab_wait(lab, 2000);
	assert_int_equal(lab->d->router.n_leaving, 0);
	assert_int_equal(gone(lab).died[DEAD_REJECTED], 1);
	assert_int_equal(gone(lab).died[DEAD_REMOVED], 1);
	assert_int_equal(gone(lab).delivered, 1);
	assert_true(lab_reload(lab, with));
	struct lane *lane = lab_lane(lab, "q s1");
	assert_int_equal(lane->delivered, 1);
	assert_int_equal(lane->died[DEAD_REMOVED], 1);
	assert_int_equal(gone(lab).delivered + gone(lab).died[DEAD_REMOVED], 0);
	/* A route that nobody had before has nothing of it. */
	assert_true(lab_reload(lab, HEAD S0 S1 R0 "[route other]\nto = s1\n"));
	lab_wait(lab, 2000);
	assert_int_equal(lab_lane(lab, "other s1")->delivered, 0);
	assert_int_equal(gone(lab).delivered, 1);
}

static void what_a_removed_source_refused_counts_on(void **state)
{
	struct lab *lab = *state;
	struct router *r;
	lab_start(lab, HEAD "[source other]\nplugin = drive\n" S0 R0);
	r = &lab->d->router;
	atomic_store(&lab->d->feeds[1]->refused, 3);
	atomic_store(&lab->d->feeds[0]->refused, 2);
	assert_true(lab_reload(lab, HEAD S0 R0));
	assert_int_equal(r->gone_refused, 3);
	assert_true(lab_reload(lab, HEAD "dedupe = 1h\n" S0 R0));
	assert_int_equal(r->gone_refused, 3);
	assert_int_equal(feed_failures(lab->d->feeds[0]), 2);
}

static void a_changed_sink_takes_over(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab_emit(lab, "a", "hold");
	lab_emit(lab, "b", "retry");
	lab_settle(lab);
	struct outlet *old = outlet(lab, "s0");
	assert_true(lab_reload(lab, HEAD S0 "max_in_flight = 3\n" R0));
	assert_ptr_not_equal(outlet(lab, "s0"), old);
	assert_int_equal(lab->d->retired.n_outlets, 1);
	assert_int_equal(outlet(lab, "s0")->answers[PB_RETRY], 1);
	lab_emit(lab, "c", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 c/1 ");
	lab_answer(lab, 0, 0, PB_GONE);		/* of where it led before: a is tried again */
	lab->sinks[0].always = "ok";
	lab_wait(lab, 2000);
	assert_int_equal(outlet(lab, "s0")->stand.mode, SINK_ENABLED);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 3);
	assert_int_equal(lab->d->retired.n_outlets, 1);
	dispatch_bury(lab->d);
	assert_int_equal(lab->d->retired.n_outlets, 0);
}

static void a_sink_keeps_its_stand_and_a_held_one_is_tried(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD S0 S2 R0 "[route q]\nto = s2\n");
	sink_set(outlet(lab, "s2"), SINK_DISABLED, "by hand");
	lab_emit(lab, "a", "down");
	lab_settle(lab);
	lab->sinks[0].always = "ok";
	assert_true(lab_reload(lab, HEAD S0 "timeout = 3s\n" S2 "timeout = 3s\n" R0 "[route q]\nto = s2\n"));
	lab_settle(lab);
	lab_wait(lab, 20);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 1);	/* long before its pause is over */
	assert_int_equal(outlet(lab, "s2")->stand.mode, SINK_DISABLED);
	assert_string_equal(lab->sinks[2].seen, "");
}

static void one_that_has_a_file_to_itself_hands_it_over(void **state)
{
	struct lab *lab = *state;
	const char *more = HEAD "[sink s0]\nplugin = locked\ntimeout = 3s\n" R0;
	lab_start(lab, HEAD "[sink s0]\nplugin = locked\n" R0);
	lab_emit(lab, "a", "ok");
	assert_true(lab_reload(lab, more));
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	/* What comes after it cannot be opened: it has its file again. */
	assert_false(lab_reload(lab, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = broken\n[sink s0]\n"
				"plugin = locked\ntimeout = 4s\n" R0));
	assert_true(lab->locked);
	lab_emit(lab, "c", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 c/1 ");
	/* Another section takes it. */
	assert_true(lab_reload(lab, HEAD "[sink x0]\nplugin = locked\n[route q]\nto = x0\n"));
	lab_emit(lab, "d", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 c/1 d/1 ");
	/* Two cannot have it. */
	assert_false(lab_reload(lab, HEAD "[sink x0]\nplugin = locked\n[sink s0]\nplugin = locked\n[route q]\nto = x0, s0\n"));
	lab_emit(lab, "e", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 c/1 d/1 e/1 ");
}

static void order_may_change(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD S0 "order = strict\n" R0);
	lab_emit(lab, "a", "retry");
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
	assert_true(lab_reload(lab, HEAD S0 "order = relaxed\n" R0));
	lab_wait(lab, 20);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 2000);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 a/2 ");
	assert_true(lab_reload(lab, HEAD S0 "order = strict\n" R0));
	lab_emit(lab, "c", "ok");
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 3);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
}

static void a_changed_filter_lets_its_jobs_end(void **state)
{
	struct lab *lab = *state;
	const char *drops = HEAD "[filter f]\nplugin = shape\nmode = drop\n" S0 "[route r]\nfilters = f\nto = s0\n";
	const char *passes = HEAD "[filter f]\nplugin = shape\nmode = pass\n" S0 "[route r]\nfilters = f\nto = s0\n";
	lab_start(lab, drops);
	lab_emit(lab, "a", "ok");
	router_turn(&lab->d->router);		/* it is with the filter */
	assert_true(lab_reload(lab, passes));
	lab_emit(lab, "b", "ok");
	router_turn(&lab->d->router);
	assert_int_equal(lab->d->retired.n_stages, 1);
	assert_true(stage_step(&lab->d->retired.stages[0]->workers[0]));
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "b/1 ");
	assert_int_equal(lab_lane(lab, "r s0")->filtered, 1);
	dispatch_bury(lab->d);
	assert_int_equal(lab->d->retired.n_stages + lab->d->retired.n_routes, 0);
}

static void a_filter_may_come_and_go(void **state)
{
	struct lab *lab = *state;
	const char *with = HEAD "[filter f]\nplugin = shape\nmode = split\n" S0 "[route r]\nfilters = f\nto = s0\n";
	lab_start(lab, BASE);
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	assert_true(lab_reload(lab, with));
	lab_emit(lab, "b", "retry");
	lab_wait(lab, 20);
	assert_true(lab_reload(lab, BASE));
	lab->sinks[0].always = "ok";
	lab_wait(lab, 5000);
	assert_int_equal(lab_lane(lab, "r s0")->stragglers, 0);
	assert_int_equal(lane_watermark(lab_lane(lab, "r s0")), lab->d->router.next);
}

static void a_wrong_one_changes_nothing(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab_emit(lab, "a", "hold");
	lab_settle(lab);
	assert_false(lab_reload(lab, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n[source no]\n"
				"plugin = broken\n" S1 "[route q]\nto = s1\n"));
	assert_false(lab_reload(lab, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = broken\n" S0 R0));
	assert_true(lab->d->feeds[0]->self.opened);
	lab_emit(lab, "b", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 ");
	lab_answer(lab, 0, 0, PB_OK);
	lab_wait(lab, 100);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 2);
	assert_int_equal(lab->d->router.n_leaving, 0);
	assert_true(lab_reload(lab, HEAD S0 S1 R0 "[route q]\nto = s1\n"));
	lab_emit(lab, "c", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[1].seen, "c/1 ");
}

static void a_changed_source_goes_on_where_it_was(void **state)
{
	struct lab *lab = *state;
	char value[16];
	lab_start(lab, BASE);
	struct pb_mark mark = { "file", { "100", 3 } };
	struct feed *old = lab->d->feeds[0];
	assert_int_equal(feed_emit(old, NULL, 0, &mark, NULL), 0);	/* not even committed */
	assert_true(lab_reload(lab, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
			       "[source more]\nplugin = drive\n" S0 R0));
	assert_ptr_equal(lab->d->feeds[0], old);
	uint32_t number = old->number;
	atomic_store(&old->accepted, 5);
	atomic_store(&old->refused, 6);
	atomic_store(&old->repeated, 7);
	atomic_store(&old->restarts, 8);
	lab->config->instances[0]->broken = true;	/* nothing in a drive can change */
	assert_true(lab_reload(lab, BASE));
	struct feed *f = lab->d->feeds[0];
	assert_ptr_not_equal(f, old);
	assert_int_equal(f->number, number);
	assert_int_equal(atomic_load(&f->accepted), 5);
	assert_int_equal(atomic_load(&f->refused), 6);
	assert_int_equal(atomic_load(&f->repeated), 7);
	assert_int_equal(atomic_load(&f->restarts), 8);
	assert_int_equal(feed_restore(f, "file", value, sizeof value), 3);
	lab_emit(lab, "a", "ok");
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 ");
	lab_crash(lab);
	lab_start(lab, BASE);
	assert_int_equal(feed_restore(lab->d->feeds[0], "file", value, sizeof value), 3);
}

/* Whatever else there is to save: nothing may be. */
static void who_waits_for_a_save_gets_one(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, BASE);
	lab_wait(lab, 3000);
	struct router *r = &lab->d->router;
	struct inbox_call call = { .done = false };
	uint64_t before = r->saves;
	save_call(r, &call);
	lab_wait(lab, 1500);
	assert_true(call.done);
	assert_true(r->saves > before);
}

static void alarms_may_be_wanted_later(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD S0 S1 R0);
	lab_emit(lab, "a", "down");
	lab_settle(lab);
	assert_true(lab_reload(lab, HEAD S0 S1 R0 "[route q]\nfrom = patchbay\nto = s1\n"));
	sink_set(outlet(lab, "s0"), SINK_DISABLED, "by hand");
	lab_settle(lab);
	assert_non_null(strstr(lab->sinks[1].seen, "patchbay.sink.disabled"));
	assert_true(lab_reload(lab, HEAD S0 S1 R0));
	sink_set(outlet(lab, "s0"), SINK_ENABLED, "");
	lab_settle(lab);
	assert_null(strstr(lab->sinks[1].seen, "patchbay.sink.enabled"));
}

static void many_reloads_leave_nothing_behind(void **state)
{
	struct lab *lab = *state;
	lab->sinks[1].always = "ok";
	lab_start(lab, BASE);
	for (int i = 0; i < 50; i++) {
		lab_emit(lab, "a", i % 3 == 0 ? "hold" : "ok");
		assert_true(lab_reload(lab, i % 2 == 0 ? HEAD S0 "timeout = 3s\n" S1 R0 "[route q]\nto = s1\n" : BASE));
		if (i % 5 == 0)
			lab_settle(lab);
	}
	lab->sinks[0].always = "ok";
	lab_settle(lab);
	for (size_t i = 0; i < lab->sinks[0].n_held; i++)
		lab_answer(lab, 0, i, PB_OK);
	lab_wait(lab, 2000);
	dispatch_bury(lab->d);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 50);
	assert_int_equal(lab->d->retired.n_outlets + lab->d->retired.n_routes, 0);
	assert_int_equal(lab->d->router.n_leaving, 0);
	assert_int_equal(old_rules(lab), 0);
}

/* What was out comes back in any order, so that one that fails holds back nothing that was delivered behind it. */
static void what_was_out_when_the_order_became_strict_is_not_repeated(void **state)
{
	static const char relaxed[] = HEAD "[sink s0]\nplugin = script_async\nretry = 10s\n" R0;
	static const char strict[] = HEAD "[sink s0]\nplugin = script_async\nretry = 10s\norder = strict\n" R0;
	struct lab *lab = *state;
	lab_start(lab, relaxed);
	lab_emit(lab, "a", "retry");
	lab_emit_some(lab, 3, "b", "ok");
	router_turn(&lab->d->router);	/* they are on their way to the sink */
	assert_true(lab_reload(lab, strict));
	lab_settle(lab);
	assert_string_equal(lab->sinks[0].seen, "a/1 b/1 b/1 b/1 ");
	assert_true(lab_lane(lab, "r s0")->strict);
	lab_wait(lab, 3000);
	lab_crash(lab);
	lab->sinks[0].seen[0] = '\0';
	lab->sinks[0].always = "ok";
	lab_start(lab, strict);
	lab_wait(lab, 15000);
	assert_string_equal(lab->sinks[0].seen, "a/2 ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_the_same_stays), T(a_new_route_begins_at_the_barrier),
		T(a_lane_that_is_behind_takes_what_its_route_took), T(a_crash_right_after_keeps_the_barrier),
		T(what_a_removed_lane_had_is_dead), T(what_leaves_and_is_delivered_is_not_dead),
		T(a_lane_that_comes_back_while_it_leaves_goes_on),
		T(what_died_while_it_left_is_not_tried_when_it_comes_back), T(counters_do_not_go_back),
		T(what_a_removed_source_refused_counts_on), T(a_changed_sink_takes_over),
		T(a_sink_keeps_its_stand_and_a_held_one_is_tried), T(one_that_has_a_file_to_itself_hands_it_over), T(order_may_change),
		T(what_was_out_when_the_order_became_strict_is_not_repeated),
		T(a_changed_filter_lets_its_jobs_end), T(a_filter_may_come_and_go), T(a_wrong_one_changes_nothing),
		T(a_changed_source_goes_on_where_it_was), T(who_waits_for_a_save_gets_one), T(alarms_may_be_wanted_later),
		T(many_reloads_leave_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
