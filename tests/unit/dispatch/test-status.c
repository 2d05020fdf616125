/* test-status.c - what is told of backlogs, ages and times, under a clock that the test moves. */
#include "unit/dispatch/lab.h"

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define STRICT HEAD "[sink s0]\nplugin = script\nretry = 10s, 10s\n[route r]\nto = s0\n"
#define RELAXED HEAD "[sink s0]\nplugin = script_async\nretry = 1h, 1h\nmax_in_flight = 4\n[route r]\nto = s0\n"
#define TWO RELAXED "[sink s1]\nplugin = script_async\n[route few]\nevents = rare\nto = s1\n"
#define MINUTE INT64_C(60000)

/* Somebody who asks from another thread, while this one takes the router's turns. */
struct asker {
	struct dispatch *d;
	struct ages *ages;
	struct status *status;
	int result;
	_Atomic bool done;
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	a->result = a->ages != NULL ? dispatch_ages(a->d, a->ages) : dispatch_status(a->d, a->status);
	atomic_store(&a->done, true);
	inbox_wake(&a->d->router.inbox);
	return NULL;
}

static void answer(struct lab *lab, struct ages *ages, struct status *status)
{
	struct asker a = { .d = lab->d, .ages = ages, .status = status };
	pthread_t thread;
	assert_int_equal(thread_start(&thread, "asker", ask, &a), 0);
	while (!atomic_load(&a.done)) {
		inbox_wait(&lab->d->router.inbox, 10);
		router_turn(&lab->d->router);
	}
	pthread_join(thread, NULL);
	lab_settle(lab);	/* what those turns sent is answered */
	assert_int_equal(a.result, 0);
}

static void emit_many(struct lab *lab, const char *type, const char *body, size_t n)
{
	lab_emit_some(lab, n, type, body);
	lab_settle(lab);
}

static void expect(const struct lane_ages *lane, const uint64_t counts[AGE_BUCKETS], int64_t oldest)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < AGE_BUCKETS; i++) {
		assert_int_equal(lane->counts[i], counts[i]);
		total += counts[i];
	}
	assert_int_equal(lane->total, total);
	assert_int_equal(lane->oldest_ms, oldest);
}

static void nothing_waits(void **state)
{
	struct lab *lab = *state;
	struct ages ages;
	struct status st;
	lab_start(lab, STRICT);
	emit_many(lab, "a", "ok", 3);
	answer(lab, &ages, NULL);
	assert_int_equal(ages.n, 1);
	assert_string_equal(ages.lanes[0].route, "r");
	assert_string_equal(ages.lanes[0].sink, "s0");
	expect(&ages.lanes[0], (uint64_t[AGE_BUCKETS]){ 0 }, -1);
	ages_free(&ages);
	answer(lab, NULL, &st);
	assert_int_equal(st.lanes[0].oldest_ms, -1);
	status_free(&st);
}

/* What is in flight, what waits in place with a row, and what stands behind it, each once. */
static void a_window_by_age(void **state)
{
	struct lab *lab = *state;
	struct ages ages;
	struct status st;
	lab_start(lab, "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
		  "[sink s0]\nplugin = script\nretry = 1d, 1d\n[route r]\nto = s0\n");
	emit_many(lab, "a", "retry", 1);
	lab_wait(lab, 2 * MINUTE);
	emit_many(lab, "b", "ok", 2);
	lab_wait(lab, 9 * MINUTE);
	emit_many(lab, "c", "ok", 3);
	answer(lab, &ages, NULL);
	expect(&ages.lanes[0], (uint64_t[AGE_BUCKETS]){ 3, 2, 1 }, 11 * MINUTE);
	assert_false(ages.lanes[0].sampled || ages.lanes[0].own_time);
	ages_free(&ages);
	answer(lab, NULL, &st);
	assert_int_equal(st.lanes[0].oldest_ms, 11 * MINUTE);
	status_free(&st);
}

static void stragglers_by_age(void **state)
{
	struct lab *lab = *state;
	struct ages ages;
	struct status st;
	lab_start(lab, RELAXED);
	emit_many(lab, "a", "retry", 10);
	lab_wait(lab, 21 * MINUTE);
	emit_many(lab, "b", "retry", 5);
	lab_wait(lab, 1000);
	answer(lab, &ages, NULL);
	expect(&ages.lanes[0], (uint64_t[AGE_BUCKETS]){ [0] = 5, [3] = 10 }, 21 * MINUTE + 1000);
	ages_free(&ages);
	answer(lab, NULL, &st);
	assert_int_equal(st.lanes[0].stragglers, 15);
	assert_int_equal(st.lanes[0].oldest_ms, 21 * MINUTE + 1000);
	status_free(&st);
}

/* A lane that is behind has most of its backlog in the journal: a small one is counted whole. */
static void a_lane_behind(void **state)
{
	struct lab *lab = *state;
	struct ages ages;
	lab_start(lab, RELAXED);
	emit_many(lab, "a", "hold", 50);
	lab_wait(lab, 11 * MINUTE);
	emit_many(lab, "a", "hold", 7);
	assert_false(lab_lane(lab, "r s0")->live);
	answer(lab, &ages, NULL);
	expect(&ages.lanes[0], (uint64_t[AGE_BUCKETS]){ [0] = 7, [2] = 50 }, 11 * MINUTE);
	assert_false(ages.lanes[0].sampled || ages.lanes[0].own_time);
	ages_free(&ages);
}

static void is_about(uint64_t got, uint64_t expected)
{
	if (got * 10 < expected * 8 || got * 10 > expected * 12)
		fail_msg("%llu is not about %llu", (unsigned long long)got, (unsigned long long)expected);
}

/* A long one is estimated, for each lane by what its route wants. */
static void a_long_backlog_is_sampled(void **state)
{
	struct lab *lab = *state;
	struct ages ages;
	lab_start(lab, TWO);
	lab->sinks[0].always = lab->sinks[1].always = "down";
	for (int age = 0; age < 4; age++) {
		for (int i = 0; i < 5000; i++)
			lab_emit(lab, i % 10 == 3 ? "rare" : "a", "x");
		lab_settle(lab);
		clock_manual_advance(&lab->clock, 30 * MINUTE);
	}
	answer(lab, &ages, NULL);
	assert_int_equal(ages.n, 2);
	is_about(ages.lanes[0].total, 20000);
	is_about(ages.lanes[1].total, 2000);
	for (size_t i = 0; i < 2; i++) {	/* of 30, 60, 90 and 120 minutes */
		const struct lane_ages *lane = &ages.lanes[i];
		assert_true(lane->sampled && !lane->own_time);
		is_about(lane->counts[3], i == 0 ? 5000 : 500);
		is_about(lane->counts[4], i == 0 ? 5000 : 500);
		is_about(lane->counts[5], i == 0 ? 10000 : 1000);
		assert_in_range(lane->oldest_ms, 120 * MINUTE, 122 * MINUTE);
	}
	ages_free(&ages);
}

/* Of what an earlier run accepted only its own time is known. */
static void what_an_earlier_run_accepted(void **state)
{
	struct lab *lab = *state;
	struct ages ages;
	lab_start(lab, RELAXED);
	lab->sinks[0].always = "down";
	emit_many(lab, "a", "x", 40);
	lab_stop(lab);
	clock_manual_advance(&lab->clock, 41 * MINUTE);
	lab_start(lab, RELAXED);
	lab_emit(lab, "b", "x");
	answer(lab, &ages, NULL);
	assert_true(ages.lanes[0].own_time);
	expect(&ages.lanes[0], (uint64_t[AGE_BUCKETS]){ [0] = 1, [4] = 40 }, 41 * MINUTE);
	ages_free(&ages);
}

static uint64_t in_bucket(const struct histogram_counts *h, int64_t ms)
{
	return h->counts[histogram_bucket(SINK_SECONDS, (uint64_t)ms * 1000)];
}

/* An attempt's time is its own; that of the delivery is counted from the commit, once. */
static void times_and_answers_are_counted(void **state)
{
	struct lab *lab = *state;
	struct status st;
	lab_start(lab, HEAD "[sink s0]\nplugin = script_async\nretry = 10s\n[route r]\nto = s0\n");
	lab_emit(lab, "a", "retry");
	lab_settle(lab);
	lab->sinks[0].always = "hold";
	lab_wait(lab, 13000);
	clock_manual_advance(&lab->clock, 500);
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	answer(lab, NULL, &st);
	const struct instance_status *sink = &st.instances[1];
	assert_int_equal(sink->answers[PB_RETRY], 1);
	assert_int_equal(sink->answers[PB_OK], 1);
	assert_int_equal(sink->latency.total, 1);
	assert_int_equal(in_bucket(&sink->latency, 13500), 1);
	assert_int_equal(sink->attempts.total, 2);
	assert_int_equal(in_bucket(&sink->attempts, 0), 1);
	assert_int_equal(st.commit_events.total, 1);
	assert_int_equal(st.commit_seconds.total, 1);
	assert_true(st.commit_bytes.sum > 20);
	status_free(&st);
}

static void discards_are_counted_by_reason(void **state)
{
	struct lab *lab = *state;
	struct status st;
	lab_start(lab, HEAD "[sink s0]\nplugin = script_async\nretry = 1s\n[sink s1]\nplugin = script\n"
		  "[filter f]\nplugin = shape\nmode = drop\n[filter g]\nplugin = shape\nmode = fail\n"
		  "[route r]\nevents = r*\nto = s0\n[route f]\nevents = f*\nfilters = f\nto = s1\n"
		  "[route g]\nevents = g*\nfilters = g\nto = s1\n");
	emit_many(lab, "r", "reject", 2);
	emit_many(lab, "r", "retry", 1);
	emit_many(lab, "f", "ok", 3);
	emit_many(lab, "g", "ok", 4);
	emit_many(lab, "u", "ok", 5);
	lab_wait(lab, 5000);
	answer(lab, NULL, &st);
	assert_int_equal(st.lanes[0].died[DEAD_REJECTED], 2);
	assert_int_equal(st.lanes[0].died[DEAD_EXHAUSTED], 1);
	assert_int_equal(st.lanes[1].filtered, 3);
	assert_int_equal(st.lanes[2].died[DEAD_FILTER], 4);
	assert_int_equal(st.unrouted, 5);
	assert_int_equal(st.instances[0].events, 15);
	status_free(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_waits, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(a_window_by_age, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(stragglers_by_age, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(a_lane_behind, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(a_long_backlog_is_sampled, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(what_an_earlier_run_accepted, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(times_and_answers_are_counted, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(discards_are_counted_by_reason, lab_setup, lab_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
