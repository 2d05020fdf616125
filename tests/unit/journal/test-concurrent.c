/* test-concurrent.c - one thread appends while another reads, looks up and trims: for the thread sanitizer. */
#include "journal/lab.h"

#include "base/log.h"
#include "base/thread.h"
#include "journal/simulated.h"

#define EVENTS 6000

static void *append_all(void *arg)
{
	struct journal *j = arg;
	for (unsigned i = 0; i < EVENTS / 3; i++)
		if (lab_append(j, 3, i % 300, NULL, NULL) != 0)
			abort();
	return NULL;
}

/* Look at another event now and then; it may be trimmed, but never another. */
static void look_up(struct journal *j, uint64_t seq)
{
	struct buf out = BUF_INIT(4096);
	int r = journal_get(j, seq, &out);
	assert_true(r == -ENOENT || (r == 0 && lab_is_event(buf_span(&out), seq)));
	buf_free(&out);
}

static void read_all(struct journal *j)
{
	struct journal_cursor *c = journal_cursor(j, 1);
	struct journal_stat st;
	struct record r;
	for (uint64_t seq = 1; seq <= EVENTS;) {
		int got = journal_next(j, c, &r);
		assert_true(got >= 0);
		if (got == 0)
			continue;
		assert_int_equal(r.seq, seq);
		assert_true(lab_is_event(r.data, seq));
		if (seq % 16 == 0)
			look_up(j, seq - seq * 7919 % seq / 2);
		if (seq % 512 == 0) {
			journal_stat(j, &st);
			assert_true(st.next_seq > seq);
			assert_true(journal_trim(j, seq - 200, r.block_end) >= 0);
		}
		seq++;
	}
	journal_cursor_close(j, c);
}

static void run(struct journal *j)
{
	pthread_t thread;
	assert_non_null(j);
	assert_int_equal(thread_start(&thread, "append", append_all, j), 0);
	read_all(j);
	pthread_join(thread, NULL);
	journal_close(j);
}

static void on_disk(void **state)
{
	(void)state;
	struct journal_options options = { .segment_size = 20000 };
	struct pb_error error;
	char *folder = lab_folder();
	error_init(&error);
	run(journal_open(folder, &options, &error));
	lab_remove(folder);
	free(folder);
}

static void simulated(void **state)
{
	(void)state;
	struct journal_options options = { .segment_size = 20000 };
	struct journal_disk *disk = journal_disk_new(1);
	run(journal_simulated(disk, &options));
	journal_disk_free(disk);
}

int main(void)
{
	log_open(PB_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_disk),
		cmocka_unit_test(simulated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
