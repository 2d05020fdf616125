/* test-trace.c - an event's story: what is told of it wherever it is, and of what it went through. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/memory.h"
#include "dispatch/trace.h"
#include "dispatch/trail.h"
#include "event/event.h"
#include "unit/config/folder.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define SINK "[sink s0]\nplugin = script_async\nretry = 10s, 10s\n"
#define RELAXED HEAD SINK "[route r]\nto = s0\n"
#define STRICT HEAD SINK "order = strict\n[route r]\nto = s0\n"
#define FILTERED(mode) HEAD SINK "[filter f]\nplugin = shape\nmode = " mode "\n[route r]\nfilters = f\nto = s0\n"

struct bench {
	char *folder;
	struct lab *lab;
};

static void open_history(struct lab *lab)
{
	lab->history = history_open("history", HISTORY_MIN, &lab->clock.clock);
}

/* What was not flushed is gone, as with a process that is killed. */
static void reopen_history(struct lab *lab)
{
	history_close(lab->history);
	open_history(lab);
}

static int set_up(void **state)
{
	struct bench *b = xcalloc(1, sizeof *b);
	void *folder;
	if (folder_begin(&folder) != 0)
		return -1;
	b->folder = folder;
	b->lab = lab_new();
	open_history(b->lab);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	void *folder = b->folder;
	struct history *history = b->lab->history;
	lab_free(b->lab);
	history_close(history);
	free(b);
	return folder_end(&folder);
}

static struct lab *lab_of(void **state)
{
	return ((struct bench *)*state)->lab;
}

static int at_once(struct inbox *in, struct inbox_call *call)
{
	call->run(call);
	history_step(CONTAINER_OF(in, struct router, inbox)->history);
	return 0;
}

static void tell_steps(FILE *to, const struct trace_event *ev, const struct trace_lane *lane)
{
	static const char *const names[HISTORY_KINDS] = {
		[HISTORY_ACCEPTED] = "accepted", [HISTORY_FOUND] = "found", [HISTORY_DELIVERED] = "ok",
		[HISTORY_FAILED] = "failed", [HISTORY_FILTERED] = "filtered", [HISTORY_FILTER_FAILED] = "unfiltered",
		[HISTORY_DEAD] = "dead", [HISTORY_REPLAYED] = "replayed", [HISTORY_PURGED] = "purged",
	};
	for (size_t i = 0; i < lane->n_steps; i++) {
		const struct history_entry *e = &ev->steps[lane->first_step + i].entry;
		fprintf(to, " %s", names[e->kind]);
		if (e->attempt > 0)
			fprintf(to, "/%u", (unsigned)e->attempt);
		if (e->parts > 1)
			fprintf(to, "(%u of %u)%s", (unsigned)e->part + 1, (unsigned)e->parts,
				e->settled ? "." : "");
	}
}

/* "SOURCE/TYPE STORED: ROUTE+|-WHY, [ROUTE SINK STEPS = NOW] ", for each. */
static char *told(const struct trace *t)
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	for (size_t i = 0; i < t->n; i++) {
		const struct trace_event *ev = &t->events[i];
		fprintf(to, "%s/%s %s:", ev->source, ev->type, ev->event == NULL ? "gone" :
			ev->kept ? "kept" : "journal");
		for (size_t k = 0; k < ev->n_routes; k++)
			fprintf(to, " %s%s", ev->routes[k].name, ev->routes[k].matches ? "+" :
				strstr(ev->routes[k].why, "from") != NULL ? "-from" : "-events");
		for (size_t k = 0; k < ev->n_lanes; k++) {
			const struct trace_lane *lane = &ev->lanes[k];
			fprintf(to, " [%s %s", lane->route, lane->sink);
			tell_steps(to, ev, lane);
			fprintf(to, " = %s%s", trace_where_name(lane->where), lane->wanted ? "" : "?");
			if (lane->behind > 0)
				fprintf(to, "<%u", (unsigned)lane->behind);
			fputc(']', to);
		}
	}
	fclose(to);
	return text;
}

/* The event, the last being 0, the one before it 1; by its id, which must be found as well as its number. */
static void expect(struct lab *lab, uint64_t back, const char *expected)
{
	struct router *r = &lab->d->router;
	struct trace t;
	assert_int_equal(trace_find(r, at_once, NULL, r->next - 1 - back, &t), 0);
	char *text = told(&t);
	assert_string_equal(text, expected);
	free(text);
	char *id = t.n > 0 && t.events[0].event != NULL ? xstrdup(event_id(t.events[0].event)) : NULL;
	trace_free(&t);
	if (id == NULL)
		return;
	assert_int_equal(trace_find(r, at_once, id, 0, &t), 0);
	text = told(&t);
	assert_string_equal(text, expected);
	free(text);
	free(id);
	trace_free(&t);
}

static void emit(struct lab *lab, const char *type, const char *answer)
{
	lab_emit(lab, type, answer);
	lab_settle(lab);
}

static void wherever_it_is(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, RELAXED);
	emit(lab, "a", "hold");
	expect(lab, 0, "in/a journal: r+ [r s0 = in flight]");
	lab_answer(lab, 0, 0, PB_RETRY);
	lab_settle(lab);
	expect(lab, 0, "in/a journal: r+ [r s0 failed/1 = saving]");
	lab_wait(lab, 100);
	expect(lab, 0, "in/a journal: r+ [r s0 failed/1 = waiting]");
	lab_wait(lab, 13000);
	expect(lab, 0, "in/a journal: r+ [r s0 failed/1 = in flight]");
	lab_answer(lab, 0, 1, PB_OK);
	lab_settle(lab);
	lab_wait(lab, 100);
	expect(lab, 0, "in/a journal: r+ [r s0 failed/1 ok/2 = settled]");
}

static void behind_a_sink_that_is_down(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, STRICT);
	emit(lab, "a", "retry");
	emit(lab, "b", "ok");
	expect(lab, 1, "in/a journal: r+ [r s0 failed/1 = waiting]");
	expect(lab, 0, "in/b journal: r+ [r s0 = ready]");
	struct trace t;
	assert_int_equal(trace_find(&lab->d->router, at_once, NULL, lab->d->router.next - 1, &t), 0);
	assert_int_equal(t.events[0].lanes[0].ahead, 1);
	assert_int_equal(t.events[0].lanes[0].attempts_max, 3);
	trace_free(&t);
	for (int i = 0; i < 5000; i++)
		lab_emit(lab, "c", "ok");
	lab_settle(lab);
	expect(lab, 0, "in/c journal: r+ [r s0 = backlog]");
	assert_int_equal(trace_find(&lab->d->router, at_once, NULL, lab->d->router.next - 1, &t), 0);
	assert_int_equal(t.events[0].lanes[0].ahead, 5001);
	trace_free(&t);
}

static void behind_one_of_its_key(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, HEAD SINK "order_by = type\n[route r]\nto = s0\n");
	emit(lab, "a", "retry");
	emit(lab, "a", "ok");
	expect(lab, 0, "in/a journal: r+ [r s0 = held<1]");
	lab_wait(lab, 3000);
	expect(lab, 1, "in/a journal: r+ [r s0 failed/1 = waiting]");
	expect(lab, 0, "in/a journal: r+ [r s0 = held]");
	lab->sinks[0].always = "ok";
	lab_wait(lab, 20000);
	expect(lab, 0, "in/a journal: r+ [r s0 ok/1 = settled]");
}

static void parked_out_of_the_journal(void **state)
{
	struct lab *lab = lab_of(state);
	char body[2000];
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = '\0';
	lab->sinks[0].always = "down";
	lab->journal_options = (struct journal_options){ .max_size = 8 << 20, .segment_size = 512 << 10 };
	lab_start(lab, HEAD SINK "order = strict\nmax_backlog = 1GiB\n[route r]\nto = s0\n");
	for (int i = 0; i < 3000; i++)
		emit(lab, "a", body);
	lab_wait(lab, 5000);
	expect(lab, 2999, "in/a kept: r+ [r s0 failed/1 failed/1 failed/1 = ready]");
	expect(lab, 2000, "in/a kept: r+ [r s0 = parked<1]");
	expect(lab, 500, "in/a journal: r+ [r s0 = backlog]");
}

static void which_routes_want_it(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, HEAD "[source other]\nplugin = drive\n" SINK "[route a]\nevents = a*\nto = s0\n"
		  "[route b]\nfrom = other\nto = s0\n[route c]\nevents = b*, c?\nto = s0\n");
	emit(lab, "c", "ok");
	expect(lab, 0, "in/c journal: a-events b-from c-events");
	emit(lab, "abc", "ok");
	expect(lab, 0, "in/abc journal: a+ b-from c-events [a s0 ok/1 = settled]");
}

static void what_filters_did(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, FILTERED("drop"));
	emit(lab, "a", "ok");
	expect(lab, 0, "in/a journal: r+ [r s0 filtered = settled]");
	lab_stop(lab);
	lab_start(lab, FILTERED("fail"));
	emit(lab, "a", "ok");
	lab_wait(lab, 100);
	expect(lab, 0, "in/a journal: r+ [r s0 unfiltered/1 dead = dead]");
	lab_stop(lab);
	lab_start(lab, FILTERED("halve"));
	emit(lab, "a", "hold");
	lab_answer(lab, 0, 0, PB_OK);
	lab_settle(lab);
	expect(lab, 0, "in/a journal: r+ [r s0 ok/1(1 of 2) = in flight]");
	lab_answer(lab, 0, 1, PB_OK);
	lab_settle(lab);
	expect(lab, 0, "in/a journal: r+ [r s0 ok/1(1 of 2) ok/1(2 of 2). = settled]");
}

static void dead_replayed_and_purged(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, RELAXED);
	emit(lab, "a", "reject");
	lab_wait(lab, 100);
	expect(lab, 0, "in/a journal: r+ [r s0 failed/1 dead = dead]");
	struct delivery_key key = { lab_lane(lab, "r s0")->number, lab->d->router.next - 1 };
	dead_change(&lab->d->router, &(struct dead_change){ .replay = true, .keys = &key, .n = 1 });
	lab_wait(lab, 2000);
	expect(lab, 0, "in/a journal: r+ [r s0 failed/1 dead replayed failed/1 dead = dead]");
	dead_change(&lab->d->router, &(struct dead_change){ .keys = &key, .n = 1 });
	lab_wait(lab, 2000);
	expect(lab, 0, "in/a journal: r+ [r s0 failed/1 dead replayed failed/1 dead purged = settled]");
}

static void of_a_route_that_is_gone(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, RELAXED);
	emit(lab, "a", "retry");
	lab_wait(lab, 100);
	emit(lab, "b", "ok");
	lab_stop(lab);
	lab_start(lab, HEAD "[sink s1]\nplugin = script\n[route q]\nevents = c\nto = s1\n");
	lab_wait(lab, 100);
	expect(lab, 1, "in/a journal: q-events [r s0 failed/1 dead = dead?]");
	expect(lab, 0, "in/b journal: q-events [r s0 ok/1 = settled?]");
}

static void after_a_crash_all_that_is_in_the_journal_is_found(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, RELAXED);
	emit(lab, "a", "ok");
	lab_wait(lab, 2000);
	emit(lab, "b", "hold");
	lab_crash(lab);
	reopen_history(lab);
	assert_int_equal(history_last(lab->history), 1);
	lab_start(lab, RELAXED);
	expect(lab, 1, "in/a journal: r+ [r s0 ok/1 = settled]");
	expect(lab, 0, "in/b journal: r+ [r s0 = in flight]");
}

static void long_delivered(void **state)
{
	struct lab *lab = lab_of(state);
	char body[20000];
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = '\0';
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	for (int i = 0; i < 200; i++) {		/* the journal's oldest segment goes */
		lab->sinks[0].seen[0] = '\0';
		emit(lab, "a", body);
		lab_wait(lab, 200);
	}
	lab_wait(lab, 5000);
	expect(lab, 199, "in/a gone: r+ [r s0 ok/1 = settled]");
	expect(lab, 0, "in/a journal: r+ [r s0 ok/1 = settled]");
}

static void past_the_memory_by_the_id_alone(void **state)
{
	struct lab *lab = lab_of(state);
	char body[200000];
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = '\0';
	lab->sinks[0].always = "ok";
	lab_start(lab, RELAXED);
	for (int i = 0; i < 20; i++)	/* more than the inbox takes */
		lab_emit(lab, "a", body);
	lab_settle(lab);
	for (uint64_t i = 0; i < 20; i++)
		expect(lab, i, "in/a journal: r+ [r s0 ok/1 = settled]");
}

static void unknown_is_nothing(void **state)
{
	struct lab *lab = lab_of(state);
	struct trace t;
	lab_start(lab, RELAXED);
	emit(lab, "a", "ok");
	assert_int_equal(trace_find(&lab->d->router, at_once, "nobody", 0, &t), 0);
	assert_int_equal(t.n, 0);
	assert_true(t.has_history && t.history.begins_ms > 0);
	trace_free(&t);
	assert_int_equal(trace_find(&lab->d->router, at_once, NULL, 12345, &t), 0);
	assert_int_equal(t.n, 0);
	trace_free(&t);
}

/* Another configuration may have had other routes. */
static void says_when_it_was_configured_since(void **state)
{
	struct lab *lab = lab_of(state);
	struct trace t;
	lab_start(lab, RELAXED);
	trail_configured(&lab->d->router);
	emit(lab, "a", "ok");
	assert_int_equal(trace_find(&lab->d->router, at_once, NULL, 1, &t), 0);
	assert_false(t.events[0].reconfigured);
	trace_free(&t);
	lab_wait(lab, 1000);
	trail_configured(&lab->d->router);
	assert_int_equal(trace_find(&lab->d->router, at_once, NULL, 1, &t), 0);
	assert_true(t.events[0].reconfigured);
	assert_true(t.events[0].configured_ms > t.events[0].accepted_ms);
	trace_free(&t);
}

/* The numbers of a store that was deleted are given again. */
static void of_another_store(void **state)
{
	struct lab *lab = lab_of(state);
	lab_start(lab, RELAXED);
	for (int i = 0; i < 5; i++)
		emit(lab, "old", "ok");
	lab_wait(lab, 2000);
	lab_stop(lab);
	struct lab *other = lab_new();
	other->history = lab->history;
	history_close(lab->history);
	open_history(other);
	lab->history = NULL;
	assert_int_equal(history_last(other->history), 5);
	lab_start(other, RELAXED);
	emit(other, "new", "ok");
	expect(other, 0, "in/new journal: r+ [r s0 ok/1 = settled]");
	struct history *history = other->history;
	lab_free(other);
	history_close(history);
}

static void cannot_be_read(void **state)
{
	struct lab *lab = lab_of(state);
	struct trace t;
	lab_start(lab, RELAXED);
	emit(lab, "a", "ok");
	nftw("history", folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	file_write("history", "is no folder");
	assert_int_equal(trace_find(&lab->d->router, at_once, NULL, 1, &t), 0);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.history_failed, -ENOTDIR);
	trace_free(&t);
}

static void without_a_history(void **state)
{
	struct lab *lab = lab_of(state);
	struct trace t;
	history_close(lab->history);
	lab->history = NULL;
	lab_start(lab, RELAXED);
	emit(lab, "a", "reject");
	lab_wait(lab, 100);
	assert_int_equal(trace_find(&lab->d->router, at_once, NULL, 1, &t), 0);
	char *text = told(&t);
	assert_string_equal(text, "in/a journal: r+ [r s0 = dead]");
	assert_false(t.has_history);
	free(text);
	trace_free(&t);
}

/* By its id too: in the journal, or kept out of it. */
static void found_without_a_history(void **state)
{
	struct lab *lab = lab_of(state);
	char body[2000];
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = '\0';
	history_close(lab->history);
	lab->history = NULL;
	lab->sinks[0].always = "down";
	lab->journal_options = (struct journal_options){ .max_size = 8 << 20, .segment_size = 512 << 10 };
	lab_start(lab, HEAD SINK "order = strict\nmax_backlog = 1GiB\n[route r]\nto = s0\n");
	for (int i = 0; i < 3000; i++)
		emit(lab, "a", body);
	lab_wait(lab, 5000);
	expect(lab, 2000, "in/a kept: r+ [r s0 = parked<1]");
	expect(lab, 500, "in/a journal: r+ [r s0 = backlog]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wherever_it_is),
		TEST(behind_a_sink_that_is_down),
		TEST(behind_one_of_its_key),
		TEST(parked_out_of_the_journal),
		TEST(which_routes_want_it),
		TEST(what_filters_did),
		TEST(dead_replayed_and_purged),
		TEST(of_a_route_that_is_gone),
		TEST(after_a_crash_all_that_is_in_the_journal_is_found),
		TEST(long_delivered),
		TEST(past_the_memory_by_the_id_alone),
		TEST(unknown_is_nothing),
		TEST(says_when_it_was_configured_since),
		TEST(of_another_store),
		TEST(cannot_be_read),
		TEST(without_a_history),
		TEST(found_without_a_history),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
