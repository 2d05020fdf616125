/* test-keys.c - order_by: what has the same key goes out one after another, and nothing else waits for it. */
#include "unit/dispatch/keys-lab.h"

#include <errno.h>
#include <stdlib.h>

#include "dispatch/keys.h"
#include "state/rows.h"

static void one_of_a_key_is_out_at_once(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "hold");
	emit(lab, "a2", "a", "ok");
	emit(lab, "b1", "b", "ok");
	emit(lab, "none1", NULL, "hold");
	emit(lab, "none2", NULL, "ok");
	expect_seen(lab, "a1/1 b1/1 none1/1 none2/1 ");
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	expect_seen(lab, "a2/1 ");
	lab_answer(lab, 0, 1, PB_OK);
	expect_rest(lab);
}

static void what_fails_holds_back_its_key_alone(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "ok");
	emit(lab, "b1", "b", "ok");
	lab_wait(lab, 1000);
	emit(lab, "a3", "a", "ok");
	emit(lab, "b2", "b", "ok");
	lab_wait(lab, 1000);
	expect_seen(lab, "a1/1 b1/1 b2/1 ");
	assert_int_equal(the_lane(lab)->stragglers, 3);
	assert_int_equal(the_lane(lab)->count, 0);
	lab_wait(lab, 12000);
	expect_seen(lab, "a1/2 ");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_seen(lab, "a1/3 a2/1 a3/1 ");
	expect_rest(lab);
}

/* One behind the other fails, each lets the next one go only when it is through. */
static void several_fail_in_a_row(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "retry");
	emit(lab, "a2", "a", "reject");
	emit(lab, "a3", "a", "retry");
	emit(lab, "a4", "a", "ok");
	lab_wait(lab, 60000);
	static const char before[] = "a1/1 a1/2 a1/3 a1/4 a1/5 a2/1 a3/1 ";	/* and perhaps a3/2 */
	assert_int_equal(strncmp(lab->sinks[0].seen, before, strlen(before)), 0);
	assert_null(strstr(lab->sinks[0].seen, "a4"));
	assert_int_equal(the_lane(lab)->dead, 2);
	lab->sinks[0].always = "ok";
	lab->sinks[0].seen[0] = '\0';
	lab_wait(lab, 13000);
	assert_non_null(strstr(lab->sinks[0].seen, " a4/1 "));
	expect_rest(lab);
}

static void many_keys_fail_side_by_side(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	lab->sinks[0].always = "retry";
	for (int i = 0; i < 300; i++) {
		char key[16], type[16];
		snprintf(key, sizeof key, "k%d", i % 100);
		snprintf(type, sizeof type, "%d-%d", i % 100, i / 100);
		emit(lab, type, key, "");
	}
	lab_wait(lab, 1000);
	assert_int_equal(the_lane(lab)->stragglers, 300);
	lab->sinks[0].always = "ok";
	lab->sinks[0].seen[0] = '\0';
	lab_wait(lab, 14000);
	for (int i = 0; i < 100; i++) {
		char first[16], second[16], third[16];
		snprintf(first, sizeof first, " %d-0/2 ", i);
		snprintf(second, sizeof second, " %d-1/1 ", i);
		snprintf(third, sizeof third, " %d-2/1 ", i);
		char *at = strstr(lab->sinks[0].seen, first);
		assert_true(at != NULL || i == 0 || strncmp(lab->sinks[0].seen, first + 1, strlen(first) - 1) == 0);
		assert_true(strstr(lab->sinks[0].seen, second) > at);
		assert_true(strstr(lab->sinks[0].seen, third) > strstr(lab->sinks[0].seen, second));
	}
	expect_rest(lab);
}

/* The first hangs: its key waits, in rows, and others are delivered however many wait. */
static void a_hot_key_does_not_fill_the_window(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, SINK "order_by = subject\nmax_in_flight = 4\n" ROUTE);
	emit(lab, "first", "a", "hold");
	emit_many(lab, "a", "a", "ok", 300);
	emit_many(lab, "b", "b", "ok", 5);
	lab_wait(lab, 3000);
	assert_non_null(strstr(lab->sinks[0].seen, "b4/1"));
	assert_null(strstr(lab->sinks[0].seen, "a0"));
	lab_answer(lab, 0, 0, PB_OK);
	lab_wait(lab, 10000);
	expect_all_in_order(lab, "a", 300);
	expect_rest(lab);
}

/* With nothing else to do a key's backlog waits in the journal, and the state is left alone. */
static void what_is_held_as_a_whole_gets_no_rows(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "down", "x", "down");
	emit_many(lab, "a", "a", "ok", 300);
	lab_wait(lab, 100);
	assert_int_equal(the_lane(lab)->stragglers, 0);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 10000);
	expect_all_in_order(lab, "a", 300);
	expect_rest(lab);
}

static void order_is_kept_through_catching_up(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, SINK "order_by = subject\nmax_in_flight = 2\n" ROUTE);
	emit(lab, "first", "a", "retry");
	lab->sinks[0].always = "hold";
	emit_many(lab, "b", "b", "", 60);
	emit_many(lab, "a", "a", "", 60);
	lab_wait(lab, 200);
	lab->sinks[0].always = "ok";
	for (size_t i = 0; i < lab->sinks[0].n_held; i++)
		lab_answer(lab, 0, i, PB_OK);
	lab_wait(lab, 5000);
	expect_all_in_order(lab, "b", 60);
	assert_null(strstr(lab->sinks[0].seen, "a0"));
	lab_wait(lab, 10000);
	expect_all_in_order(lab, "a", 60);
	expect_rest(lab);
}

/* One held in memory is on its way to being parked when a later one is read from its row. */
static void parked_behind_one_that_was_fetched(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	struct router *r = &lab->d->router;
	struct outlet *o = r->outlets[0];
	emit(lab, "a1", "a", "retry");
	lab_wait(lab, 100);
	lab->sinks[0].always = "hold";
	lab_wait(lab, the_lane(lab)->next_due_ms - router_wall(r) - 500);
	o->breaker.state = BREAKER_OPEN;	/* nothing is parked then */
	emit(lab, "a2", "a", "");
	o->breaker.state = BREAKER_CLOSED;
	emit(lab, "a3", "a", "");
	lab_wait(lab, 600);
	expect_seen(lab, "a1/1 a1/2 ");
	assert_int_equal(the_lane(lab)->n_held, 1);
	clock_manual_advance(&lab->clock, 1500);
	router_turn(r);		/* a2 gets a row, since a3 has left the window */
	assert_int_equal(the_lane(lab)->n_held, 0);
	assert_int_equal(the_lane(lab)->count, 1);
	lab_answer(lab, 0, 0, PB_OK);
	router_turn(r);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 1000);
	expect_seen(lab, "a2/1 a3/1 ");
	expect_rest(lab);
}

static void at_the_limit_of_keys_all_wait(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, SINK "order_by = subject\nmax_keys = 2\n" ROUTE);
	emit(lab, "a1", "a", "retry");
	emit(lab, "b1", "b", "retry");
	emit_many(lab, "c", "c", "ok", 10);
	lab_wait(lab, 1000);
	expect_seen(lab, "a1/1 b1/1 ");
	assert_false(the_lane(lab)->live);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_all_in_order(lab, "c", 10);
	expect_rest(lab);
}

static void a_dead_one_lets_the_next_go(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	emit(lab, "a1", "a", "reject");
	emit(lab, "a2", "a", "ok");
	lab_wait(lab, 100);
	expect_seen(lab, "a1/1 a2/1 ");
	/* Replayed it is out of order, and holds nobody back. */
	struct delivery_key key = { the_lane(lab)->number, 1 };
	struct dead_change c = { .replay = true, .keys = &key, .n = 1 };
	dead_change(&lab->d->router, &c);
	assert_int_equal(c.done, 1);
	lab->sinks[0].always = "hold";
	lab_wait(lab, 2000);
	emit(lab, "a3", "a", "");
	expect_seen(lab, "a1/1 a3/1 ");
	lab_answer(lab, 0, 0, PB_OK);
	lab_answer(lab, 0, 1, PB_OK);
	expect_rest(lab);
}

static void a_sink_that_was_disabled_goes_on(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, KEYED);
	struct outlet *o = lab->d->router.outlets[0];
	emit(lab, "a1", "a", "hold");
	emit(lab, "a2", "a", "ok");
	emit(lab, "b1", "b", "retry");
	emit(lab, "b2", "b", "ok");
	lab_wait(lab, 2000);
	sink_set(o, SINK_DISABLED, "a test");
	lab_answer(lab, 0, 0, PB_OK);
	lab_wait(lab, 30000);
	expect_seen(lab, "a1/1 b1/1 ");
	lab->sinks[0].always = "ok";
	sink_set(o, SINK_ENABLED, "");
	emit(lab, "a3", "a", "ok");
	lab_wait(lab, 3000);
	expect_all_in_order(lab, "a", 0);
	const char *seen = lab->sinks[0].seen;
	assert_true(strstr(seen, "a2/1") != NULL && strstr(seen, "a2/1") < strstr(seen, "a3/1"));
	assert_true(strstr(seen, "b1/2") != NULL && strstr(seen, "b1/2") < strstr(seen, "b2/1"));
	expect_rest(lab);
}

/* The sink is held while a lane has nothing but parked rows: one of them is the probe. */
static void a_parked_one_probes(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[sink s0]\nplugin = script_async\nretry = 10s, 10s, 10s\nbreaker_failures = 1\n"
		  "order_by = subject\n" ROUTE);
	emit(lab, "a1", "a", "hold");
	emit(lab, "a2", "a", "ok");
	emit(lab, "b1", "b", "ok");
	lab_wait(lab, 3000);
	assert_int_equal(the_lane(lab)->stragglers, 2);
	emit(lab, "c1", "c", "down");
	lab_answer(lab, 0, 0, PB_OK);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 5000);
	assert_non_null(strstr(lab->sinks[0].seen, "a2/1"));
	expect_rest(lab);
}

static void filters_keep_the_order(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD "[filter f]\nplugin = shape\nmode = split\n[sink s0]\nplugin = script_async\nretry = 10s, 10s\n"
		  "order_by = subject\n[route r]\nfilters = f\nto = s0\n");
	emit(lab, "a1", "a", "hold");
	emit(lab, "a2", "a", "ok");
	expect_seen(lab, "a1/1 a1/1 a1/1 ");
	lab_answer(lab, 0, 0, PB_OK);
	lab_answer(lab, 0, 1, PB_RETRY);
	lab_answer(lab, 0, 2, PB_OK);
	lab_wait(lab, 2000);
	expect_seen(lab, "");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_seen(lab, "a1/2 a2/1 a2/1 a2/1 ");
	expect_rest(lab);
}

/* The events of parked rows are kept when their segment goes. */
static void parked_events_outlive_their_segment(void **state)
{
	struct lab *lab = *state;
	lab->journal_options.segment_size = 4096;
	lab_start(lab, KEYED);
	emit(lab, "first", "a", "retry");
	emit_many(lab, "a", "a", "ok", 20);
	emit_many(lab, "b", "b", "ok", 200);
	lab_wait(lab, 5000);
	assert_true(lab->d->router.kept_below > 20);
	lab_crash(lab);
	lab_start(lab, KEYED);
	lab->sinks[0].always = "ok";
	lab_wait(lab, 13000);
	expect_all_in_order(lab, "a", 20);
	expect_rest(lab);
	assert_int_equal(rows_get_kept(lab->env.state, 2, NULL, NULL), -ENOENT);
}

static uint64_t hash_of(const char *order_by, const char *body)
{
	static uint64_t seq;
	char name[64];
	struct router r = { .keyed_by = NULL };
	struct pb_event *ev = event_new(span_str(body), 0);
	event_set_seq(ev, ++seq);
	snprintf(name, sizeof name, "%s", order_by);
	event_set(ev, "subject", "x");
	event_set(ev, "tenant", "x");
	struct lane lane = { .router = &r, .order_by = name };
	uint64_t hash = keys_hash(&lane, ev);
	assert_true(keys_hash(&lane, ev) == hash);
	free(r.keyed_by);
	event_unref(ev);
	return hash;
}

/* What is remembered of one is not taken for another's. */
static void lanes_and_events_have_keys_of_their_own(void **state)
{
	(void)state;
	struct router r = { .keyed_by = NULL };
	char a_path[] = "data.a", b_path[] = "data.b";
	struct lane a = { .router = &r, .order_by = a_path }, b = { .router = &r, .order_by = b_path };
	struct pb_event *one = event_new(span_str("{\"a\":\"x\",\"b\":\"y\"}"), 0);
	struct pb_event *two = event_new(span_str("{\"a\":\"z\",\"b\":\"x\"}"), 0);
	event_set_seq(one, 1);
	event_set_seq(two, 2);
	for (int i = 0; i < 2; i++) {
		assert_true(keys_hash(&a, one) == hash_of("data.a", "{\"a\":\"x\"}"));
		assert_true(keys_hash(&b, one) == hash_of("data.a", "{\"a\":\"y\"}"));
		assert_true(keys_hash(&b, two) == keys_hash(&a, one));
		assert_true(keys_hash(&a, two) != keys_hash(&b, two));
	}
	free(r.keyed_by);
	event_unref(one);
	event_unref(two);
}

static void a_key_is_an_attribute_or_a_field(void **state)
{
	(void)state;
	uint64_t x = hash_of("subject", "");
	assert_true(x > 0 && x <= KEY_HASH_MAX);
	/* FNV-1a of "x", folded: what doc/store-format.md says. */
	assert_true(x == ((UINT64_C(0xaf63f54c86021707) & KEY_HASH_MAX) ^ UINT64_C(0xaf63f54c86021707) >> 61));
	assert_true(hash_of("tenant", "") == x);
	assert_true(hash_of("data.a.b", "{\"a\":{\"b\":\"x\"}}") == x);
	assert_true(hash_of("data.a.b", "{\"a\":{\"b\":\"\\u0078\"}}") == x);
	assert_true(hash_of("data.a", "{\"a\":\"y\"}") != x);
	assert_true(hash_of("data.a", "{\"a\":17}") == hash_of("data.a", "{\"a\":\"17\"}"));
	assert_true(hash_of("data.a", "{\"a\":null}") == 0);
	assert_true(hash_of("data.a", "{\"b\":1}") == 0);
	assert_true(hash_of("data.a", "no JSON") == 0);
	assert_true(hash_of("nothing", "") == 0);
	char *body = calloc(1, 100001);
	int len = snprintf(body, 100000, "{\"a\":\"");
	memset(body + len, 'x', 90000);
	memcpy(body + len + 90000, "\"}", 2);
	assert_true(hash_of("data.a", body) != 0);
	free(body);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(one_of_a_key_is_out_at_once), T(what_fails_holds_back_its_key_alone),
		T(several_fail_in_a_row), T(many_keys_fail_side_by_side),
		T(a_hot_key_does_not_fill_the_window), T(what_is_held_as_a_whole_gets_no_rows),
		T(order_is_kept_through_catching_up), T(parked_behind_one_that_was_fetched),
		T(at_the_limit_of_keys_all_wait), T(a_dead_one_lets_the_next_go),
		T(a_sink_that_was_disabled_goes_on), T(a_parked_one_probes),
		T(filters_keep_the_order), T(parked_events_outlive_their_segment),
		cmocka_unit_test(a_key_is_an_attribute_or_a_field),
		cmocka_unit_test(lanes_and_events_have_keys_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
