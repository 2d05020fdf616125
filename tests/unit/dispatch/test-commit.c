/* test-commit.c - group commit from several threads: every event stored once, in an order that each thread's own keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
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

/* A thread's commit of one event with a body of `size` bytes. */
struct sized {
	struct bench *bench;
	size_t size;
	pthread_t thread;
	int result;
};

static void *commit_sized(void *arg)
{
	struct sized *s = arg;
	char *body = calloc(1, s->size);
	struct pb_event *ev = event_new(span_of(body, s->size), 0);
	struct buf records = BUF_INIT(16 << 20);
	size_t begun = record_begin(&records, RECORD_EVENT);
	codec_pack(&records, ev);
	record_end(&records, begun);
	struct commit_entry e = { .records = buf_span(&records), .events = &ev, .n = 1 };
	s->result = commit_run(&s->bench->commit, &e);
	event_unref(ev);
	buf_free(&records);
	free(body);
	return NULL;
}

static size_t count_waiting(struct commit *c)
{
	size_t n = 0;
	pthread_mutex_lock(&c->lock);
	for (const struct commit_entry *e = c->waiting; e != NULL; e = e->next)
		n++;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* All of them wait, in this order, before any of them leads. */
static void commit_together(struct bench *b, struct sized s[], size_t n)
{
	pthread_mutex_lock(&b->commit.lock);
	b->commit.led = true;
	pthread_mutex_unlock(&b->commit.lock);
	for (size_t i = 0; i < n; i++) {
		s[i].bench = b;
		assert_int_equal(thread_start(&s[i].thread, "commit", commit_sized, &s[i]), 0);
		while (count_waiting(&b->commit) <= i)
			sched_yield();
	}
	pthread_mutex_lock(&b->commit.lock);
	b->commit.led = false;
	pthread_cond_broadcast(&b->commit.done);
	pthread_mutex_unlock(&b->commit.lock);
	for (size_t i = 0; i < n; i++)
		pthread_join(s[i].thread, NULL);
}

/* How many events each block has, as digits. */
static const char *blocks(struct bench *b)
{
	static char text[20];
	size_t at = 0;
	struct intake got;
	inbox_take(&b->inbox, &got);
	for (struct committed *k = got.committed; k != NULL && at < sizeof text - 1; k = k->next)
		text[at++] = (char)('0' + k->n);
	text[at] = '\0';
	intake_free(&got);
	return text;
}

static void a_group_has_a_limit(void **state)
{
	struct bench *b = *state;
	struct sized s[] = { { .size = 3 << 20 }, { .size = 3 << 20 }, { .size = 3 << 20 },
			     { .size = 12 << 20 }, { .size = 10 }, { .size = 10 } };
	commit_together(b, s, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(s[i].result, 0);
	assert_string_equal(blocks(b), "2112");
}

static void a_small_one_fits_beside_a_large_one_that_does_not(void **state)
{
	struct bench *b = *state;
	struct sized s[] = { { .size = 100 }, { .size = 4 << 20 }, { .size = 100 } };
	journal_disk_room(b->disk, 1 << 20);
	commit_together(b, s, 3);
	assert_int_equal(s[0].result, 0);
	assert_int_equal(s[1].result, -ENOSPC);
	assert_int_equal(s[2].result, 0);
	assert_string_equal(blocks(b), "11");
}

static int too_large(struct journal *j, const struct pb_span parts[], size_t n, uint32_t events, uint64_t *seq)
{
	(void)j, (void)parts, (void)n, (void)events, (void)seq;
	return -EMSGSIZE;
}

static void more_than_a_block_takes_fails_alone(void **state)
{
	struct bench *b = *state;
	const struct journal_ops *sound = b->journal->ops;
	struct journal_ops faulty = *sound;
	uint64_t seq;
	faulty.append = too_large;
	b->journal->ops = &faulty;
	assert_int_equal(commit_one(b, "a", &seq), -EMSGSIZE);
	b->journal->ops = sound;
	assert_int_equal(b->commit.refused, 0);
	assert_int_equal(commit_one(b, "b", &seq), 0);
	assert_string_equal(blocks(b), "1");
}

/* Is the record of the lane's watermark in the journal? */
static bool has_watermark(struct journal *j, uint64_t seq)
{
	struct journal_cursor *c = journal_cursor(j, 0);
	struct record r;
	struct watermark m = { 0 };
	while (journal_next(j, c, &r) > 0)
		for (size_t at = 0; r.kind == RECORD_WATERMARK && watermarks_next(r.data, &at, &m); )
			;
	journal_cursor_close(j, c);
	return m.seq == seq;
}

static void watermarks_of_a_refused_block_go_with_the_next(void **state)
{
	struct bench *b = *state;
	uint64_t seq;
	watermarks_move(&b->watermarks, 0, 5);
	journal_disk_fail(b->disk, ENOSPC, true);
	assert_int_equal(commit_one(b, "a", &seq), -ENOSPC);
	assert_int_equal(commit_one(b, "b", &seq), 0);
	assert_true(has_watermark(b->journal, 5));
}

static void commit_size(struct bench *b, size_t size, int result)
{
	struct sized s = { .bench = b, .size = size };
	commit_sized(&s);
	assert_int_equal(s.result, result);
}

static void small_ones_do_not_say_that_there_is_room(void **state)
{
	struct bench *b = *state;
	journal_disk_room(b->disk, 1 << 20);
	commit_size(b, 2 << 20, -ENOSPC);
	size_t refused = b->commit.refused;
	assert_true(refused > 2 << 20);
	for (int i = 0; i < 3; i++) {
		commit_size(b, 10, 0);
		commit_size(b, 2 << 20, -ENOSPC);
		assert_int_equal(b->commit.refused, refused);
	}
	journal_disk_room(b->disk, UINT64_MAX);
	commit_size(b, 1 << 20, 0);
	assert_int_equal(b->commit.refused, refused);
	commit_size(b, 2 << 20, 0);
	assert_int_equal(b->commit.refused, 0);
	journal_disk_room(b->disk, 1 << 20);
	commit_size(b, 2 << 20, -ENOSPC);
	commit_freed(&b->commit);
	assert_int_equal(b->commit.refused, 0);
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
		T(a_group_has_a_limit), T(a_small_one_fits_beside_a_large_one_that_does_not),
		T(more_than_a_block_takes_fails_alone), T(watermarks_of_a_refused_block_go_with_the_next),
		T(small_ones_do_not_say_that_there_is_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
