/* test-commit.c - group commit from several threads: every event stored once, in an order that each thread's own keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/span.h"
#include "base/thread.h"
#include "dispatch/commit.h"
#include "event/codec.h"
#include "event/event.h"
#include "journal/simulated.h"

#define THREADS 4
#define COMMITS 200

struct bench {
	struct journal_disk *disk;
	struct journal *journal;
	struct inbox inbox;
	struct watermarks watermarks;
	struct commit commit;
};

struct committer {
	struct bench *bench;
	int number;
	uint64_t last_seq;
	bool ordered;
};

static int bench_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	b->disk = journal_disk_new(1);
	b->journal = journal_simulated(b->disk, &(struct journal_options){ .max_size = 1 << 30, .segment_size = 1 << 20 });
	inbox_init(&b->inbox, 1 << 30);
	watermarks_init(&b->watermarks, 1);
	commit_init(&b->commit, b->journal, &b->inbox, &b->watermarks);
	b->commit.clock = &clock_system;
	*state = b;
	return 0;
}

static int bench_down(void **state)
{
	struct bench *b = *state;
	struct intake got;
	inbox_take(&b->inbox, &got);
	intake_free(&got);
	commit_fini(&b->commit);
	watermarks_fini(&b->watermarks);
	inbox_fini(&b->inbox);
	journal_close(b->journal);
	journal_disk_free(b->disk);
	free(b);
	return 0;
}

/* One commit of one event; its result, and its number in *seq. */
static int commit_one(struct bench *b, const char *type, uint64_t *seq)
{
	struct pb_event *ev = event_new(span_str("{}"), 0);
	struct buf records = BUF_INIT(1 << 20);
	event_set(ev, "type", type);
	size_t begun = record_begin(&records, RECORD_EVENT);
	codec_pack(&records, ev);
	record_end(&records, begun);
	struct commit_entry e = { .records = buf_span(&records), .events = &ev, .n = 1 };
	int result = commit_run(&b->commit, &e);
	*seq = event_seq(ev);
	event_unref(ev);
	buf_free(&records);
	return result;
}

static void *commit_many(void *arg)
{
	struct committer *c = arg;
	char type[32];
	c->ordered = true;
	for (int i = 0; i < COMMITS; i++) {
		uint64_t seq;
		snprintf(type, sizeof type, "t%d.%d", c->number, i);
		if (commit_one(c->bench, type, &seq) != 0 || seq <= c->last_seq)
			c->ordered = false;
		c->last_seq = seq;
	}
	return NULL;
}

static void threads_combine(void **state)
{
	struct bench *b = *state;
	struct committer c[THREADS];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		c[i] = (struct committer){ .bench = b, .number = i };
		assert_int_equal(thread_start(&threads[i], "commit", commit_many, &c[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		assert_true(c[i].ordered);
	struct intake got;
	inbox_take(&b->inbox, &got);
	uint64_t next = 1;
	size_t n = 0;
	for (struct committed *k = got.committed; k != NULL; k = k->next) {
		assert_true(k->first_seq == next);
		assert_true(k->in_memory);
		next += k->n;
		n += k->n;
	}
	assert_int_equal(n, THREADS * COMMITS);
	intake_free(&got);
}

static void a_full_disk_is_told_to_all_and_passes(void **state)
{
	struct bench *b = *state;
	uint64_t seq;
	journal_disk_fail(b->disk, ENOSPC, false);
	assert_int_equal(commit_one(b, "a", &seq), -ENOSPC);
	assert_int_equal(commit_one(b, "b", &seq), 0);
	struct intake got;
	inbox_take(&b->inbox, &got);
	assert_non_null(got.committed);
	assert_null(got.committed->next);
	assert_string_equal(event_type(got.committed->events[0]), "b");
	intake_free(&got);
}

static void past_the_limit_only_numbers_are_handed_on(void **state)
{
	struct bench *b = *state;
	uint64_t seq;
	b->inbox.limit = 1;
	assert_int_equal(commit_one(b, "a", &seq), 0);
	struct intake got;
	inbox_take(&b->inbox, &got);
	assert_false(got.committed->in_memory);
	assert_int_equal(got.committed->n, 1);
	assert_true(got.committed->first_seq == seq);
	intake_free(&got);
}

struct counting {
	struct inbox_call call;
	int ran;
};

static void count(struct inbox_call *call)
{
	((struct counting *)call)->ran++;
}

static void *serve(void *arg)
{
	struct inbox *in = arg;
	struct intake got = { 0 };
	while (got.calls == NULL) {
		inbox_wait(in, -1);
		inbox_take(in, &got);
	}
	got.calls->run(got.calls);
	inbox_called(in, got.calls);
	inbox_close(in);
	return NULL;
}

static void calls_are_served_or_refused(void **state)
{
	struct bench *b = *state;
	struct counting c = { .call.run = count };
	pthread_t thread;
	assert_int_equal(thread_start(&thread, "serve", serve, &b->inbox), 0);
	assert_int_equal(inbox_call(&b->inbox, &c.call), 0);
	assert_int_equal(c.ran, 1);
	pthread_join(thread, NULL);
	assert_int_equal(inbox_call(&b->inbox, &c.call), -EAGAIN);
	assert_int_equal(c.ran, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)
	const struct CMUnitTest tests[] = {
		T(threads_combine), T(a_full_disk_is_told_to_all_and_passes),
		T(past_the_limit_only_numbers_are_handed_on), T(calls_are_served_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
