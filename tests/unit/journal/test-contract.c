/* test-contract.c - what journal.h says, held against each implementation. */
#include "journal/lab.h"

#include <dirent.h>

#include "journal/simulated.h"

struct lab {
	bool simulated;
	char *folder;
	struct journal_disk *disk;
	struct journal *j;
	struct journal_options options;
};

static void lab_open(struct lab *lab)
{
	struct pb_error error;
	error_init(&error);
	lab->j = lab->simulated ? journal_simulated(lab->disk, &lab->options) :
		journal_open(lab->folder, &lab->options, &error);
	if (lab->j == NULL)
		print_error("%s\n", error_text(&error));
	assert_non_null(lab->j);
	error_free(&error);
}

static void lab_reopen(struct lab *lab)
{
	journal_close(lab->j);
	lab_open(lab);
}

static int setup(void **state, bool simulated)
{
	struct lab *lab = calloc(1, sizeof *lab);
	lab->simulated = simulated;
	if (simulated)
		lab->disk = journal_disk_new(1);
	else
		lab->folder = lab_folder();
	lab->options = (struct journal_options){ .max_size = 1 << 20, .segment_size = 4096 };
	lab_open(lab);
	*state = lab;
	return 0;
}

static int setup_disk(void **state)
{
	return setup(state, false);
}

static int setup_simulated(void **state)
{
	return setup(state, true);
}

static int teardown(void **state)
{
	struct lab *lab = *state;
	journal_close(lab->j);
	if (lab->simulated)
		journal_disk_free(lab->disk);
	else
		lab_remove(lab->folder);
	free(lab->folder);
	free(lab);
	return 0;
}

static uint64_t append(struct lab *lab, uint32_t n, size_t size)
{
	uint64_t seq;
	assert_int_equal(lab_append(lab->j, n, size, NULL, &seq), 0);
	return seq;
}

/* Read from `seq` on: each event in turn up to (not with) `end`, nothing else. */
static void expect_events(struct lab *lab, uint64_t seq, uint64_t end)
{
	struct journal_cursor *c = journal_cursor(lab->j, seq);
	struct record r;
	for (; seq < end; seq++) {
		assert_int_equal(journal_next(lab->j, c, &r), 1);
		assert_int_equal(r.kind, RECORD_EVENT);
		assert_int_equal(r.seq, seq);
		assert_true(lab_is_event(r.data, seq));
	}
	assert_int_equal(journal_next(lab->j, c, &r), 0);
	journal_cursor_close(lab->j, c);
}

static void new_one_is_empty(void **state)
{
	struct lab *lab = *state;
	struct journal_stat st;
	journal_stat(lab->j, &st);
	assert_int_equal(st.first_seq, 1);
	assert_int_equal(st.next_seq, 1);
	assert_int_equal(st.segments, 1);
	assert_int_equal(st.oldest_end_seq, 0);
	expect_events(lab, 1, 1);
}

static void appended_is_read_back(void **state)
{
	struct lab *lab = *state;
	assert_int_equal(append(lab, 1, 10), 1);
	assert_int_equal(append(lab, 3, 100), 2);
	assert_int_equal(append(lab, 1, 0), 5);
	for (uint64_t from = 1; from <= 7; from++)
		expect_events(lab, from, from < 6 ? 6 : from);
}

static void all_survives_reopening(void **state)
{
	struct lab *lab = *state;
	for (int i = 0; i < 40; i++)
		append(lab, 3, 200);
	lab_reopen(lab);
	expect_events(lab, 1, 121);
	assert_int_equal(append(lab, 1, 10), 121);
	lab_reopen(lab);
	expect_events(lab, 60, 122);
}

static void cursor_goes_on_where_it_ended(void **state)
{
	struct lab *lab = *state;
	struct journal_cursor *c = journal_cursor(lab->j, 1);
	struct record r;
	for (uint64_t seq = 1; seq < 50; seq++) {
		assert_int_equal(journal_next(lab->j, c, &r), 0);
		append(lab, 1, 300);
		assert_int_equal(journal_next(lab->j, c, &r), 1);
		assert_int_equal(r.seq, seq);
	}
	journal_cursor_close(lab->j, c);
}

static void cursor_waits_for_a_later_seq(void **state)
{
	struct lab *lab = *state;
	struct journal_cursor *c = journal_cursor(lab->j, 3);
	struct record r;
	append(lab, 1, 10);
	assert_int_equal(journal_next(lab->j, c, &r), 0);
	append(lab, 3, 10);
	assert_int_equal(journal_next(lab->j, c, &r), 1);
	assert_int_equal(r.seq, 3);
	journal_cursor_close(lab->j, c);
}

static void a_cursor_goes_on_anywhere(void **state)
{
	struct lab *lab = *state;
	struct record r;
	for (int i = 0; i < 50; i++)
		append(lab, 7, 90);
	struct journal_cursor *c = journal_cursor(lab->j, 1);
	for (uint64_t i = 0, seq = 1; i < 2000; i++) {
		journal_seek(lab->j, c, seq);
		for (uint64_t n = 0; n <= i % 3 && seq <= 350; n++, seq++) {
			assert_int_equal(journal_next(lab->j, c, &r), 1);
			assert_int_equal(r.seq, seq);
			assert_true(lab_is_event(r.data, seq));
		}
		/* the last again, a later one of its block, or any */
		seq = i % 4 == 0 ? seq - 1 : i % 4 == 1 && seq < 348 ? seq + 2 : i % 4 == 2 ? i * 7919 % 350 + 1 : seq;
		seq = seq > 350 ? 1 : seq;
	}
	journal_seek(lab->j, c, 351);
	assert_int_equal(journal_next(lab->j, c, &r), 0);
	append(lab, 1, 90);
	assert_int_equal(journal_next(lab->j, c, &r), 1);
	assert_int_equal(r.seq, 351);
	journal_cursor_close(lab->j, c);
}

static void marks_are_read_with_the_next_seq(void **state)
{
	struct lab *lab = *state;
	struct record r;
	append(lab, 2, 10);
	assert_int_equal(lab_append(lab->j, 0, 0, "alone", NULL), 0);
	assert_int_equal(lab_append(lab->j, 1, 10, "before", NULL), 0);
	struct journal_cursor *c = journal_cursor_at(lab->j, (struct journal_pos){ 0, 0 });
	static const struct { enum record_kind kind; uint64_t seq; } want[] = {
		{ RECORD_EVENT, 1 }, { RECORD_EVENT, 2 }, { RECORD_MARK, 3 }, { RECORD_MARK, 3 },
		{ RECORD_EVENT, 3 },
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		assert_int_equal(journal_next(lab->j, c, &r), 1);
		assert_int_equal(r.kind, want[i].kind);
		assert_int_equal(r.seq, want[i].seq);
	}
	assert_int_equal(journal_next(lab->j, c, &r), 0);
	journal_cursor_close(lab->j, c);
}

/* Beginning at each block's end gives the block after it, after a reopening too. */
static void a_position_leads_to_its_block(void **state)
{
	struct lab *lab = *state;
	enum { N = 60 };
	struct journal_pos ends[N + 1] = { 0 };
	struct record r;
	for (int i = 1; i <= N; i++) {
		struct journal_stat st;
		append(lab, 2, 150);
		journal_stat(lab->j, &st);
		ends[i] = st.end;
	}
	lab_reopen(lab);
	for (int i = 0; i <= N; i++) {
		struct journal_cursor *c = journal_cursor_at(lab->j, ends[i]);
		int got = journal_next(lab->j, c, &r);
		assert_int_equal(got, i < N);
		if (i < N) {
			assert_int_equal(r.seq, 2 * i + 1);
			assert_int_equal(journal_pos_cmp(r.block_end, ends[i + 1]), 0);
		}
		journal_cursor_close(lab->j, c);
	}
}

static void get_finds_any(void **state)
{
	struct lab *lab = *state;
	struct buf out = BUF_INIT(1 << 20);
	for (int i = 0; i < 50; i++)
		append(lab, 7, 90);
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t seq = i % 2 == 0 ? i % 350 + 1 : i * 7919 % 350 + 1;
		buf_reset(&out);
		assert_int_equal(journal_get(lab->j, seq, &out), 0);
		assert_true(lab_is_event(buf_span(&out), seq));
	}
	assert_int_equal(journal_get(lab->j, 0, &out), -ENOENT);
	assert_int_equal(journal_get(lab->j, 351, &out), -ENOENT);
	buf_free(&out);
}

static void trim_takes_only_what_is_past_both(void **state)
{
	struct lab *lab = *state;
	struct journal_stat st;
	for (int i = 0; i < 60; i++)
		append(lab, 1, 1000);
	journal_stat(lab->j, &st);
	size_t segments = st.segments;
	assert_true(segments > 5);
	struct journal_pos all = st.end;
	assert_int_equal(journal_trim(lab->j, st.oldest_end_seq - 1, all), 0);
	assert_int_equal(journal_trim(lab->j, UINT64_MAX, (struct journal_pos){ 1, 100 }), 0);
	assert_int_equal(journal_trim(lab->j, st.oldest_end_seq, all), 1);
	uint64_t first = st.oldest_end_seq, bytes = st.bytes;
	journal_stat(lab->j, &st);
	assert_int_equal(st.first_seq, first);
	assert_true(st.bytes < bytes);
	assert_int_equal(st.segments, segments - 1);
	struct buf out = BUF_INIT(1 << 20);
	assert_int_equal(journal_get(lab->j, first - 1, &out), -ENOENT);
	assert_int_equal(journal_get(lab->j, first, &out), 0);
	buf_free(&out);
	expect_events(lab, first, 61);
}

static void a_cursor_outlives_its_segment(void **state)
{
	struct lab *lab = *state;
	struct journal_stat st;
	struct record r;
	for (int i = 0; i < 60; i++)
		append(lab, 1, 1000);
	struct journal_cursor *c = journal_cursor(lab->j, 1);
	assert_int_equal(journal_next(lab->j, c, &r), 1);
	journal_stat(lab->j, &st);
	assert_true(journal_trim(lab->j, 30, st.end) > 0);
	journal_stat(lab->j, &st);
	assert_int_equal(journal_next(lab->j, c, &r), 1);
	assert_int_equal(r.seq, st.first_seq);
	journal_cursor_close(lab->j, c);
}

static void numbers_survive_trimming_all(void **state)
{
	struct lab *lab = *state;
	struct journal_stat st;
	for (int i = 0; i < 21; i++)
		append(lab, 1, 1000);
	journal_stat(lab->j, &st);
	assert_true(journal_trim(lab->j, UINT64_MAX, st.end) > 0);
	journal_stat(lab->j, &st);
	assert_int_equal(st.segments, 1);
	lab_reopen(lab);
	assert_int_equal(append(lab, 1, 1000), 22);
}

static void next_seq_is_raised(void **state)
{
	struct lab *lab = *state;
	append(lab, 2, 10);
	lab->options.next_seq = 100;
	lab_reopen(lab);
	lab->options.next_seq = 0;
	assert_int_equal(append(lab, 1, 10), 100);
	lab_reopen(lab);
	assert_int_equal(append(lab, 1, 10), 101);
	struct record r;
	struct journal_cursor *c = journal_cursor(lab->j, 3);
	assert_int_equal(journal_next(lab->j, c, &r), 1);
	assert_int_equal(r.seq, 100);
	journal_cursor_close(lab->j, c);
}

static void full_is_no_space_until_trimmed(void **state)
{
	struct lab *lab = *state;
	struct journal_stat st;
	lab->options.max_size = 20000;
	lab_reopen(lab);
	uint64_t n = 0;
	while (lab_append(lab->j, 1, 1000, NULL, NULL) == 0)
		n++;
	assert_int_equal(n, 18);
	assert_int_equal(lab_append(lab->j, 1, 1000, NULL, NULL), -ENOSPC);
	journal_stat(lab->j, &st);
	assert_true(st.bytes <= 20000);
	assert_int_equal(st.next_seq, n + 1);
	assert_true(journal_trim(lab->j, 8, st.end) > 0);
	assert_int_equal(append(lab, 1, 1000), n + 1);
}

static void what_is_charged_counts_too(void **state)
{
	struct lab *lab = *state;
	lab->options.max_size = 20000;
	lab_reopen(lab);
	journal_charge(lab->j, 15000);
	uint64_t n = 0;
	while (lab_append(lab->j, 1, 1000, NULL, NULL) == 0)
		n++;
	assert_int_equal(n, 4);
	journal_charge(lab->j, 14000);
	assert_int_equal(append(lab, 1, 1000), n + 1);
	assert_int_equal(lab_append(lab->j, 1, 1000, NULL, NULL), -ENOSPC);
}

/* Near enough: never less than there is, and not more by more than an index's step or an unread segment. */
static void bytes_from_an_event_to_the_end(void **state)
{
	struct lab *lab = *state;
	struct journal_stat st;
	for (int i = 0; i < 20; i++)
		append(lab, 1, 1000);
	assert_int_equal(journal_bytes_from(lab->j, 21), 0);
	journal_stat(lab->j, &st);
	assert_true(st.segments > 2);
	for (int reopened = 0; reopened < 2; reopened++) {
		for (uint64_t seq = 1; seq <= 20; seq++) {
			uint64_t bytes = journal_bytes_from(lab->j, seq);
			assert_in_range(bytes, (21 - seq) * 1064, (21 - seq) * 1064 + 8192);
			assert_true(seq == 1 || bytes <= journal_bytes_from(lab->j, seq - 1));
		}
		lab_reopen(lab);
	}
	uint64_t before = journal_bytes_from(lab->j, 15);
	journal_stat(lab->j, &st);
	assert_true(journal_trim(lab->j, 10, st.end) > 0);
	assert_int_equal(journal_bytes_from(lab->j, 15), before);
}

static void a_large_block_is_one_block(void **state)
{
	struct lab *lab = *state;
	append(lab, 1, 10);
	append(lab, 3, 200000);
	append(lab, 1, 10);
	expect_events(lab, 1, 6);
	lab_reopen(lab);
	expect_events(lab, 3, 6);
}

static int count_open_files(void)
{
	int n = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static void few_files_stay_open(void **state)
{
	struct lab *lab = *state;
	int before = count_open_files();
	for (int i = 0; i < 200; i++)
		append(lab, 1, 1000);
	expect_events(lab, 1, 201);
	lab_reopen(lab);
	expect_events(lab, 1, 201);
	assert_true(count_open_files() < before + 12);
}

int main(void)
{
#define SCENARIO(name) { #name, name, NULL, teardown, NULL }
	struct CMUnitTest tests[] = {
		SCENARIO(new_one_is_empty),
		SCENARIO(appended_is_read_back),
		SCENARIO(all_survives_reopening),
		SCENARIO(cursor_goes_on_where_it_ended),
		SCENARIO(cursor_waits_for_a_later_seq),
		SCENARIO(a_cursor_goes_on_anywhere),
		SCENARIO(marks_are_read_with_the_next_seq),
		SCENARIO(a_position_leads_to_its_block),
		SCENARIO(get_finds_any),
		SCENARIO(trim_takes_only_what_is_past_both),
		SCENARIO(a_cursor_outlives_its_segment),
		SCENARIO(numbers_survive_trimming_all),
		SCENARIO(next_seq_is_raised),
		SCENARIO(full_is_no_space_until_trimmed),
		SCENARIO(what_is_charged_counts_too),
		SCENARIO(bytes_from_an_event_to_the_end),
		SCENARIO(a_large_block_is_one_block),
		SCENARIO(few_files_stay_open),
	};
	int failed = 0;
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tests[i].setup_func = setup_disk;
	failed += cmocka_run_group_tests_name("disk", tests, NULL, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tests[i].setup_func = setup_simulated;
	failed += cmocka_run_group_tests_name("simulated", tests, NULL, NULL);
	return failed;
}
