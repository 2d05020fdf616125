/* test-quota.c - what a sink may take on disk, and what happens there. */
#include "unit/dispatch/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/sinks.h"
#include "event/event.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n[source other]\nplugin = drive\n"
#define SINK "[sink s0]\nplugin = script\n%s[route r]\nfrom = in\nto = s0\n"
#define HEALTHY "[sink s1]\nplugin = script_async\n[route q]\nfrom = in, other\nto = s1\n"
#define MAX (4 << 20)
#define KIB 1024u

static size_t healthy;		/* deliveries that sink 1 got */
static unsigned last;		/* what sink 0 got last; it is strict */
static unsigned told;		/* how often it was told that sink 0 fills */

static void given(void *arg, struct pb_delivery *d)
{
	(void)arg;
	if (strcmp(event_type(pb_delivery_event(d)), "patchbay.sink.filling") == 0) {
		told++;
		pb_answer(d, PB_OK, 0, (struct pb_span){ NULL, 0 }, "as told");
		return;
	}
	unsigned number = (unsigned)strtoul(event_type(pb_delivery_event(d)) + 1, NULL, 10);
	if (d->slot->lane->outlet->config->name[1] == '1') {
		healthy++;
	} else {
		assert_true(number > last);
		last = number;
	}
	pb_answer(d, PB_OK, 0, (struct pb_span){ NULL, 0 }, "as told");
}

static int set_up(void **state)
{
	struct lab *lab = lab_new();
	healthy = last = told = 0;
	lab->journal_options = (struct journal_options){ .max_size = MAX, .segment_size = 64 * KIB };
	lab->given = given;
	*state = lab;
	return 0;
}

static void start(struct lab *lab, const char *options)
{
	char ini[1024];
	snprintf(ini, sizeof ini, HEAD SINK HEALTHY, options);
	lab_start(lab, ini);
}

static struct outlet *outlet(struct lab *lab)
{
	return lab_lane(lab, "r s0")->outlet;
}

static void set_sink(struct lab *lab, enum sink_mode mode)
{
	sink_set(outlet(lab), mode, "a test");
	lab_settle(lab);
}

static uint64_t store_bytes(struct lab *lab)
{
	struct journal_stat st;
	journal_stat(lab->env.journal, &st);
	return st.bytes + state_bytes(lab->env.state);
}

/* One event of about 1 KiB from the source. True: it was accepted. */
static bool emit_from(struct lab *lab, size_t source, unsigned number)
{
	struct feed *f = lab->d->feeds[source];
	char body[900], type[16];
	memset(body, 'x', sizeof body);
	struct pb_event *ev = pb_event_new(&f->self, (struct pb_span){ body, sizeof body });
	snprintf(type, sizeof type, "e%u", number);
	pb_event_set(ev, "type", type);
	lab->settled[0] = '\0';
	feed_emit(f, &ev, 1, NULL, (void *)"");
	feed_commit(f);
	return strcmp(lab->settled, ":1 ") == 0;
}

static void work(struct lab *lab, int64_t ms)
{
	for (; ms > 0; ms -= 100)
		lab_wait(lab, 100);
}

static uint64_t died(struct lab *lab, enum dead_reason reason)
{
	return lab_lane(lab, "r s0")->died[reason];
}

/* A sink that is down for ever costs its quota; the rest does not notice. */
static void the_oldest_die_at_max_backlog(void **state)
{
	struct lab *lab = *state;
	start(lab, "max_backlog = 1MiB\ndead_max_size = 512KiB\n");
	set_sink(lab, SINK_DISABLED);
	for (unsigned i = 1; i <= 12000; i++) {
		assert_true(emit_from(lab, 0, i));
		lab_wait(lab, 10);
		assert_true(store_bytes(lab) < MAX);
		if (i % 100 != 0)
			continue;
		work(lab, 500);
		assert_true(outlet(lab)->quota.backlog <= 1100 * KIB);	/* as it was before the last look */
		assert_true(lab_lane(lab, "r s0")->dead_bytes <= 700 * KIB);	/* a piece may have died just now */
	}
	assert_int_equal(healthy, 12000);
	uint64_t dead = died(lab, DEAD_OVERFLOW);
	assert_in_range(dead, 12000 - 1024, 12000 - 256);
	assert_true(lab_lane(lab, "r s0")->purged > 9000);
	set_sink(lab, SINK_ENABLED);
	work(lab, 20000);
	assert_int_equal(last, 12000);
	assert_int_equal(lab_lane(lab, "r s0")->delivered, 12000 - dead);
	assert_true(lab_lane(lab, "r s0")->live);
	assert_true(store_bytes(lab) < 1400 * KIB);	/* dead letters, and what is to be sent live */
}

/* Those that wait for another attempt go last, but they go. */
static void stragglers_die_too(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[sink s0]\nplugin = script_async\nmax_backlog = 200KiB\nretry = 1h, 1h\n"
		  "breaker_failures = 0\n[route r]\nto = s0\n");
	lab->given = NULL;
	lab->sinks[0].always = "retry";
	for (unsigned i = 1; i <= 1000; i++) {
		lab->sinks[0].seen[0] = '\0';
		assert_true(emit_from(lab, 0, i));
		lab_wait(lab, 20);
	}
	work(lab, 3000);
	const struct lane *lane = lab_lane(lab, "r s0");
	assert_true(lane->stragglers > 100);
	assert_int_equal(lane->stragglers + lane->died[DEAD_OVERFLOW], 1000);
	assert_true(lane->outlet->quota.backlog <= 200 * KIB);
	lab->sinks[0].always = "ok";
	lab->sinks[0].seen[0] = '\0';
	uint64_t left = lane->stragglers;
	lab_wait(lab, 7200 * 1000);
	work(lab, 5000);
	assert_int_equal(lane->stragglers, 0);
	assert_int_equal(lane->delivered, left);
}

static void a_full_sink_blocks_its_sources_and_no_others(void **state)
{
	struct lab *lab = *state;
	start(lab, "max_backlog = 1MiB\noverflow = block\n");
	set_sink(lab, SINK_DISABLED);
	unsigned accepted = 0;
	while (accepted < 3000 && emit_from(lab, 0, accepted + 1)) {
		accepted++;
		lab_wait(lab, 10);
	}
	assert_in_range(accepted, 600, 1100);
	assert_true(outlet(lab)->quota.blocked);
	assert_string_equal(atomic_load(&lab->d->feeds[0]->reason), "sink s0 has reached max_backlog");
	for (unsigned i = 1; i <= 2000; i++) {
		assert_true(emit_from(lab, 1, i));
		lab_wait(lab, 10);
		assert_true(store_bytes(lab) < MAX);
	}
	work(lab, 3000);
	assert_true(outlet(lab)->quota.blocked);
	assert_false(emit_from(lab, 0, accepted + 1));
	assert_int_equal(died(lab, DEAD_OVERFLOW), 0);
	set_sink(lab, SINK_ENABLED);
	work(lab, 10000);
	assert_false(outlet(lab)->quota.blocked);
	assert_int_equal(last, accepted);
	assert_true(emit_from(lab, 0, accepted + 1));
	work(lab, 1000);
	assert_int_equal(last, accepted + 1);
}

static void it_blocks_again_after_a_restart(void **state)
{
	struct lab *lab = *state;
	start(lab, "max_backlog = 1MiB\noverflow = block\n");
	set_sink(lab, SINK_DISABLED);
	for (unsigned i = 1; emit_from(lab, 0, i); i++)
		lab_wait(lab, 10);
	lab_crash(lab);
	start(lab, "max_backlog = 1MiB\noverflow = block\n");
	lab_wait(lab, 1000);
	assert_false(emit_from(lab, 0, 5000));
}

static void dead_letters_have_a_quota_of_bytes(void **state)
{
	struct lab *lab = *state;
	lab->given = NULL;
	start(lab, "dead_max_size = 100KiB\nbreaker_failures = 0\n");
	lab->sinks[0].always = "reject";
	lab->sinks[1].always = "ok";
	for (unsigned i = 1; i <= 500; i++) {
		lab->sinks[0].seen[0] = lab->sinks[1].seen[0] = '\0';
		assert_true(emit_from(lab, 0, i));
		lab_wait(lab, 20);
	}
	work(lab, 2000);
	const struct lane *lane = lab_lane(lab, "r s0");
	assert_in_range(lane->dead_bytes, 80 * KIB, 100 * KIB);
	assert_int_equal(lane->dead + lane->purged, 500);
	assert_in_range(lane->dead, 60, 90);
}

/* The state's share counts: what stragglers keep leaves the journal less. */
static void the_store_as_a_whole_is_bounded(void **state)
{
	struct lab *lab = *state;
	start(lab, "max_backlog = 100MiB\n");
	set_sink(lab, SINK_DISABLED);
	unsigned accepted = 0;
	while (accepted < 6000 && emit_from(lab, 0, accepted + 1)) {
		accepted++;
		lab_wait(lab, 10);
	}
	assert_in_range(accepted, 1500, 4500);
	work(lab, 3000);
	assert_true(store_bytes(lab) < MAX + MAX / 4);
	set_sink(lab, SINK_ENABLED);
	work(lab, 30000);
	assert_int_equal(last, accepted);
	assert_true(emit_from(lab, 0, accepted + 1));
}

/* Once on the way up, and again only after it was well below. */
static void what_fills_is_said_before(void **state)
{
	struct lab *lab = *state;
	start(lab, "max_backlog = 1MiB\noverflow = block\n"
	      "[route told]\nfrom = patchbay\nevents = patchbay.sink.filling\nto = s1\n");
	set_sink(lab, SINK_DISABLED);
	for (unsigned i = 1; i <= 600; i++)
		assert_true(emit_from(lab, 0, i));
	lab_wait(lab, 3000);
	assert_false(outlet(lab)->quota.filling);
	assert_int_equal(told, 0);
	for (unsigned i = 601; emit_from(lab, 0, i); i++)
		lab_wait(lab, 10);
	lab_wait(lab, 2000);
	assert_true(outlet(lab)->quota.filling);
	assert_false(outlet(lab)->quota.dead_filling);
	assert_false(lab->d->router.filling);
	assert_int_equal(told, 1);
	set_sink(lab, SINK_ENABLED);
	work(lab, 10000);
	assert_false(outlet(lab)->quota.filling);
	set_sink(lab, SINK_DISABLED);
	for (unsigned i = last + 1; emit_from(lab, 0, i); i++)
		lab_wait(lab, 10);
	lab_wait(lab, 2000);
	assert_int_equal(told, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(the_oldest_die_at_max_backlog), T(stragglers_die_too),
		T(a_full_sink_blocks_its_sources_and_no_others), T(it_blocks_again_after_a_restart),
		T(dead_letters_have_a_quota_of_bytes), T(the_store_as_a_whole_is_bounded), T(what_fills_is_said_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
