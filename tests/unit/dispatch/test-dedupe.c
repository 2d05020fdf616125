/* test-dedupe.c - a source with `dedupe` stores what its sender repeats once, whatever happens in between. */
#include "unit/dispatch/lab.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "event/event.h"
#include "state/rows.h"

#define SINK "[sink s0]\nplugin = script_async\n[route r]\nto = s0\n"
#define SOURCE "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define OFF SOURCE SINK
#define HOUR SOURCE "dedupe = 1h\n" SINK
#define FEW SOURCE "dedupe = 1h\ndedupe_max = 10\n" SINK
#define PAIR SOURCE "dedupe = 1h\nworkers = 2\n" SINK

static struct pb_event *event_with(struct feed *f, const char *key, const char *id)
{
	struct pb_event *ev = pb_event_new(&f->self, span_str("ok"));
	assert_non_null(ev);
	assert_int_equal(pb_event_set(ev, "type", "t"), 0);
	if (key != NULL)
		assert_int_equal(pb_event_set_key(ev, span_str(key)), 0);
	if (id != NULL)
		assert_int_equal(pb_event_set(ev, "id", id), 0);
	return ev;
}

static void emit(struct lab *lab, const char *key, const char *id)
{
	struct feed *f = lab->d->feeds[0];
	struct pb_event *ev = event_with(f, key, id);
	assert_int_equal(feed_emit(f, &ev, 1, NULL, (void *)"u"), 0);
	feed_commit(f);
}

static uint64_t stored(struct lab *lab)
{
	struct journal_stat stat;
	journal_stat(lab->env.journal, &stat);
	return stat.next_seq;
}

static bool count_row(void *arg, const struct seen_row *row)
{
	(void)row;
	++*(size_t *)arg;
	return true;
}

static bool count_any(void *arg, struct pb_span key, struct pb_span value)
{
	(void)key;
	(void)value;
	++*(size_t *)arg;
	return true;
}

/* Keys in the state: each has two rows. */
static size_t rows(struct lab *lab)
{
	size_t n = 0, all = 0;
	assert_int_equal(rows_each_seen(lab->env.state, 0, 0, count_row, &n), 0);
	assert_int_equal(state_scan(lab->env.state, STATE_SEEN, SPAN_NONE, count_any, &all), 0);
	assert_int_equal(all, 2 * n);
	return n;
}

static void a_repeat_gets_the_first_ones_id(void **state)
{
	struct lab *lab = *state;
	char first[64];
	lab_start(lab, HOUR);
	uint64_t before = stored(lab);
	emit(lab, "k1", NULL);
	assert_false(lab->repeat);
	memcpy(first, lab->first_id, sizeof first);
	emit(lab, "k1", NULL);
	assert_true(lab->repeat);
	assert_string_equal(lab->first_id, first);
	lab_wait(lab, 5000);
	assert_int_equal(rows(lab), 1);
	assert_int_equal(lab->d->router.seen.n, 0);
	emit(lab, "k1", NULL);		/* known by the state now */
	assert_true(lab->repeat);
	assert_string_equal(lab->first_id, first);
	emit(lab, "k2", NULL);
	assert_false(lab->repeat);
	lab_wait(lab, 1000);
	assert_int_equal(stored(lab) - before, 2);
	assert_string_equal(lab->settled, "u:1 u:1 u:1 u:1 ");
	assert_string_equal(lab->sinks[0].seen, "t/1 t/1 ");
	assert_int_equal(lab->d->feeds[0]->accepted, 2);
	assert_int_equal(lab->d->feeds[0]->repeated, 2);
}

static void an_id_is_known_by_its_source_and_ours_never(void **state)
{
	struct lab *lab = *state;
	struct feed *f;
	lab_start(lab, HOUR);
	f = lab->d->feeds[0];
	emit(lab, NULL, "7");
	emit(lab, NULL, "7");
	assert_true(lab->repeat);
	assert_string_equal(lab->first_id, "7");
	struct pb_event *ev = event_with(f, NULL, "7");
	pb_event_set(ev, "source", "elsewhere");
	feed_emit(f, &ev, 1, NULL, (void *)"u");
	feed_commit(f);
	assert_false(lab->repeat);
	emit(lab, "7", NULL);		/* a key is no id */
	assert_false(lab->repeat);
	emit(lab, "8", "7");		/* a key decides */
	assert_false(lab->repeat);
	emit(lab, "8", "9");
	assert_true(lab->repeat);
	assert_string_equal(lab->first_id, "7");
	ev = event_with(f, NULL, NULL);
	struct pb_event *copy = pb_event_copy(&f->self, ev, pb_event_body(ev));
	feed_emit(f, (struct pb_event *[]){ ev, copy }, 2, NULL, (void *)"u");	/* one id, but one of ours */
	feed_commit(f);
	assert_false(lab->repeat);
	assert_int_equal(f->repeated, 2);
	assert_int_equal(f->accepted, 6);
}

static void of_two_in_one_commit_the_second_goes_with_the_first(void **state)
{
	struct lab *lab = *state;
	char first[64];
	lab_start(lab, HOUR);
	struct feed *f = lab->d->feeds[0];
	uint64_t before = stored(lab);
	struct pb_event *evs[] = { event_with(f, "a", NULL), event_with(f, "b", NULL), event_with(f, "a", NULL),
				   event_with(f, NULL, NULL), event_with(f, "b", NULL) };
	struct pb_mark mark = { "place", { "12", 2 } };
	memcpy(first, event_id(evs[0]), strlen(event_id(evs[0])) + 1);
	feed_emit(f, evs, 2, NULL, (void *)"u");
	feed_emit(f, evs + 2, 3, &mark, (void *)"v");
	feed_commit(f);
	assert_string_equal(lab->settled, "u:1 v:1 ");
	assert_true(lab->repeat);
	assert_string_equal(lab->first_id, first);
	assert_int_equal(stored(lab) - before, 3);
	assert_int_equal(f->accepted, 3);
	lab_wait(lab, 1000);
	assert_string_equal(lab->sinks[0].seen, "t/1 t/1 t/1 ");
	/* Nothing but repeats, and a mark. */
	evs[0] = event_with(f, "a", NULL);
	mark.value.data = "34";
	feed_emit(f, evs, 1, &mark, (void *)"w");
	feed_commit(f);
	lab_crash(lab);
	lab_start(lab, HOUR);
	char value[8];
	assert_int_equal(feed_restore(lab->d->feeds[0], "place", value, sizeof value), 2);
	assert_memory_equal(value, "34", 2);
	assert_int_equal(stored(lab) - before, 3);
}

static void known_over_crashes_and_restarts(void **state)
{
	struct lab *lab = *state;
	char first[64];
	lab_start(lab, HOUR);
	emit(lab, "k", NULL);
	memcpy(first, lab->first_id, sizeof first);
	for (int i = 0; i < 6; i++) {
		if (i < 2)
			lab_crash(lab);		/* before a save, and again */
		else
			lab_stop(lab);
		lab_start(lab, HOUR);
		emit(lab, "k", NULL);
		assert_true(lab->repeat);
		assert_string_equal(lab->first_id, first);
		lab_wait(lab, i * 2000);
		assert_int_equal(rows(lab), 1);
	}
	assert_int_equal(stored(lab), 2);
}

static void forgotten_after_its_time(void **state)
{
	struct lab *lab = *state;
	char first[64];
	lab_start(lab, HOUR);
	emit(lab, "k", NULL);
	emit(lab, "l", NULL);
	memcpy(first, lab->first_id, sizeof first);
	lab_wait(lab, 3599000);
	emit(lab, "l", NULL);
	assert_true(lab->repeat);
	assert_int_equal(rows(lab), 2);
	lab_wait(lab, 3000);
	emit(lab, "l", NULL);
	assert_false(lab->repeat);
	assert_string_not_equal(lab->first_id, first);
	memcpy(first, lab->first_id, sizeof first);
	emit(lab, "l", NULL);
	assert_string_equal(lab->first_id, first);
	lab_wait(lab, 5000);
	assert_int_equal(rows(lab), 1);
	lab_wait(lab, 3700000);
	assert_int_equal(rows(lab), 0);
	assert_int_equal(lab->d->router.seen.sources[0].forgotten, 0);
}

static void the_oldest_yield(void **state)
{
	struct lab *lab = *state;
	char key[16];
	lab_start(lab, FEW);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "%d", i);
		emit(lab, key, NULL);
	}
	lab_wait(lab, 10000);
	assert_int_equal(rows(lab), 10);
	uint64_t keys, forgotten;
	seen_count(&lab->d->router.seen, lab->d->feeds[0]->number, &keys, &forgotten);
	assert_int_equal(keys, 10);
	assert_int_equal(forgotten, 90);
	emit(lab, "90", NULL);
	assert_true(lab->repeat);
	emit(lab, "89", NULL);
	assert_false(lab->repeat);
	lab_stop(lab);
	lab_start(lab, FEW);
	assert_int_equal(lab->d->router.seen.sources[0].rows, 10);
}

static void rows_go_with_the_option(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HOUR);
	emit(lab, "k", NULL);
	lab_wait(lab, 5000);
	lab_stop(lab);
	lab_start(lab, OFF);
	emit(lab, "k", NULL);
	assert_false(lab->repeat);
	lab_wait(lab, 5000);
	assert_int_equal(rows(lab), 0);
	emit(lab, "k", NULL);
	assert_false(lab->repeat);
	lab_wait(lab, 5000);
	assert_int_equal(rows(lab), 0);
}

static void emit_large(struct lab *lab, const char *key, const char *token)
{
	struct feed *f = lab->d->feeds[0];
	char *body = calloc(1, 600000);
	struct pb_event *ev = pb_event_new(&f->self, span_of(body, 600000));
	free(body);
	if (key != NULL)
		pb_event_set_key(ev, span_str(key));
	feed_emit(f, &ev, 1, NULL, (void *)token);
}

static void known_over_reloads(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, OFF);
	emit(lab, "k", NULL);
	assert_true(lab_reload(lab, HOUR));
	emit(lab, "k", NULL);
	assert_false(lab->repeat);
	emit(lab, "l", NULL);
	assert_true(lab_reload(lab, PAIR));	/* before it is saved, and after */
	emit(lab, "l", NULL);
	assert_true(lab->repeat);
	lab_wait(lab, 5000);
	assert_int_equal(rows(lab), 2);
	assert_true(lab_reload(lab, FEW));
	emit(lab, "k", NULL);
	assert_true(lab->repeat);
	emit(lab, "m", NULL);
	assert_true(lab_reload(lab, OFF));
	emit(lab, "m", NULL);
	assert_false(lab->repeat);
	lab_wait(lab, 5000);
	assert_int_equal(rows(lab), 0);
	lab_stop(lab);
	lab_start(lab, HOUR);
	emit(lab, "m", NULL);
	assert_false(lab->repeat);
}

static void what_was_not_stored_is_no_first(void **state)
{
	struct lab *lab = *state;
	lab->journal_options = (struct journal_options){ .max_size = 1 << 20, .segment_size = 1 << 19 };
	lab_start(lab, HOUR);
	lab->sinks[0].always = "ok";
	emit_large(lab, NULL, "t");
	feed_commit(lab->d->feeds[0]);
	emit_large(lab, "k", "u");
	emit_large(lab, "k", "v");
	feed_commit(lab->d->feeds[0]);
	assert_string_equal(lab->settled, "t:1 u:3 v:3 ");
	uint64_t before = stored(lab);
	emit(lab, "k", NULL);
	assert_false(lab->repeat);
	emit(lab, "k", NULL);
	assert_true(lab->repeat);
	lab_wait(lab, 5000);
	assert_int_equal(stored(lab) - before, 1);
	assert_int_equal(rows(lab), 1);
}

static void a_clock_set_back_forgets(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HOUR);
	emit(lab, "k", NULL);
	lab_wait(lab, 5000);
	lab_stop(lab);
	lab->clock.wall_ms = INT64_C(1767398645678) - 7200000;
	lab_start(lab, HOUR);
	emit(lab, "k", NULL);
	assert_false(lab->repeat);
	emit(lab, "k", NULL);
	assert_true(lab->repeat);
	lab_wait(lab, 5000);
	assert_int_equal(rows(lab), 1);
}

struct worker {
	pthread_t thread;
	struct feed *feed;
};

#define KEYS 2000
static void *emit_all(void *arg)
{
	struct worker *w = arg;
	for (int i = 0; i < KEYS; i++) {
		char key[16];
		snprintf(key, sizeof key, "%d", i);
		struct pb_event *ev = event_with(w->feed, key, NULL);
		feed_emit(w->feed, &ev, 1, NULL, NULL);
		if (i % 3 == 0)
			feed_commit(w->feed);
	}
	feed_commit(w->feed);
	return NULL;
}

static void ignore(void *arg, void *token, enum pb_outcome outcome)
{
	(void)arg;
	(void)token;
	assert_int_equal(outcome, PB_ACCEPTED);
}

static void two_workers_store_one(void **state)
{
	struct lab *lab = *state;
	struct worker workers[2];
	lab->unit_settled = ignore;
	lab_start(lab, PAIR);
	uint64_t before = stored(lab);
	for (int i = 0; i < 2; i++) {
		workers[i].feed = lab->d->feeds[i];
		assert_int_equal(pthread_create(&workers[i].thread, NULL, emit_all, &workers[i]), 0);
	}
	for (int i = 0; i < 50; i++)	/* saves in between */
		router_turn(&lab->d->router), lab_step_all(lab);
	for (int i = 0; i < 2; i++)
		pthread_join(workers[i].thread, NULL);
	lab_wait(lab, 5000);
	assert_int_equal(stored(lab) - before, KEYS);
	assert_int_equal(rows(lab), KEYS);
	assert_int_equal(lab->d->feeds[0]->repeated + lab->d->feeds[1]->repeated, KEYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)
		T(a_repeat_gets_the_first_ones_id),
		T(an_id_is_known_by_its_source_and_ours_never),
		T(of_two_in_one_commit_the_second_goes_with_the_first),
		T(known_over_crashes_and_restarts),
		T(forgotten_after_its_time),
		T(the_oldest_yield),
		T(rows_go_with_the_option),
		T(known_over_reloads),
		T(what_was_not_stored_is_no_first),
		T(a_clock_set_back_forgets),
		T(two_workers_store_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
