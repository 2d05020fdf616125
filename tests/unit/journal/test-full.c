/* test-full.c - the disk is full: nothing of the block stays, and work goes on when there is room. */
#include "journal/lab.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "journal/medium.h"
#include "journal/segment.h"
#include "journal/simulated.h"

static void count_events(struct journal *j, uint64_t n)
{
	struct journal_cursor *c = journal_cursor(j, 0);
	struct record r;
	for (uint64_t seq = 1; seq <= n; seq++) {
		assert_int_equal(journal_next(j, c, &r), 1);
		assert_int_equal(r.seq, seq);
		assert_true(lab_is_event(r.data, seq));
	}
	assert_int_equal(journal_next(j, c, &r), 0);
	journal_cursor_close(j, c);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static off_t file_size(const char *folder, const char *name)
{
	char path[600];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* The kernel writes what fits and then fails: a real half block. */
static void half_a_block_is_cut_back(void **state)
{
	(void)state;
	struct pb_error error;
	struct journal_options options = { .segment_size = 1 << 20 };
	struct journal_stat st;
	char *folder = lab_folder();
	error_init(&error);
	struct journal *j = journal_open(folder, &options, &error);
	assert_non_null(j);
	assert_int_equal(lab_append(j, 2, 1000, NULL, NULL), 0);
	journal_stat(j, &st);
	limit_files(4096);
	assert_int_equal(lab_append(j, 5, 1000, NULL, NULL), -ENOSPC);
	assert_int_equal(lab_append(j, 5, 1000, NULL, NULL), -ENOSPC);
	assert_int_equal(file_size(folder, "0000000000000001.seg"), st.end.offset);
	assert_int_equal(lab_append(j, 1, 1000, NULL, NULL), 0);
	limit_files(RLIM_INFINITY);
	assert_int_equal(lab_append(j, 5, 1000, NULL, NULL), 0);
	count_events(j, 8);
	journal_close(j);
	j = journal_open(folder, &options, &error);
	count_events(j, 8);
	journal_close(j);
	lab_remove(folder);
	free(folder);
}

/* The same where the space runs out anywhere in a block, or in the segment that it would have begun. */
static void any_room_is_enough_or_not(void **state)
{
	(void)state;
	struct journal_options options = { .segment_size = 2500 };
	for (uint64_t room = 64; room < 6000; room += 13) {
		struct journal_disk *disk = journal_disk_new(room);
		struct journal_stat st;
		uint64_t n = 0;
		struct journal *j = journal_simulated(disk, &options);
		journal_disk_room(disk, room);
		while (lab_append(j, 1, 400, NULL, NULL) == 0)
			n++;
		assert_int_equal(lab_append(j, 1, 400, NULL, NULL), -ENOSPC);
		journal_stat(j, &st);
		assert_true(st.bytes <= room);
		journal_disk_room(disk, UINT64_MAX);
		assert_int_equal(lab_append(j, 1, 400, NULL, NULL), 0);
		count_events(j, n + 1);
		journal_disk_crash(disk);
		journal_close(j);
		j = journal_simulated(disk, &options);
		count_events(j, n + 1);
		journal_close(j);
		journal_disk_free(disk);
	}
}

/* A sync that fails for want of space is undone; any other failure ends it. */
static void a_failed_sync(void **state)
{
	(void)state;
	static const struct { int error; bool written; int got, next; } cases[] = {
		{ ENOSPC, false, -ENOSPC, 0 }, { ENOSPC, true, -ENOSPC, 0 }, { EDQUOT, true, -ENOSPC, 0 },
		{ EFBIG, false, -ENOSPC, 0 }, { EIO, false, -EIO, -EIO }, { EIO, true, -EIO, -EIO },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct journal_disk *disk = journal_disk_new(i);
		struct journal_options options = { .segment_size = 1 << 20 };
		struct journal *j = journal_simulated(disk, &options);
		assert_int_equal(lab_append(j, 1, 2000, NULL, NULL), 0);
		journal_disk_fail(disk, cases[i].error, cases[i].written);
		assert_int_equal(lab_append(j, 1, 2000, NULL, NULL), cases[i].got);
		count_events(j, 1);
		assert_int_equal(lab_append(j, 1, 2000, NULL, NULL), cases[i].next);
		count_events(j, cases[i].next == 0 ? 2 : 1);
		journal_close(j);
		journal_disk_free(disk);
	}
}

static void a_full_disk_is_no_reason_to_refuse(void **state)
{
	(void)state;
	struct journal_disk *disk = journal_disk_new(1);
	struct journal_options options = { .segment_size = 1 << 20 };
	struct journal *j = journal_simulated(disk, &options);
	assert_int_equal(lab_append(j, 1, 2000, NULL, NULL), 0);
	journal_close(j);
	journal_disk_room(disk, 0);
	j = journal_simulated(disk, &options);
	assert_non_null(j);
	count_events(j, 1);
	assert_int_equal(lab_append(j, 1, 10, NULL, NULL), -ENOSPC);
	journal_close(j);
	journal_disk_free(disk);
}

/* All of it is settled: what may go goes. */
static void trim_all(struct journal *j)
{
	struct journal_stat st;
	journal_stat(j, &st);
	assert_true(journal_trim(j, st.next_seq, st.end) >= 0);
}

/* However the end is met, what is in the newest segment can go once nobody needs it. */
static void a_full_store_has_room_when_all_is_settled(void **state)
{
	(void)state;
	static const struct { uint64_t max_size, room, spare; const char *why; } cases[] = {
		{ 1 << 20, UINT64_MAX, 0, "max_size, 1048576 bytes, is reached" },
		{ 0, 1 << 20, 0, "no space on the disk of simulated" },
		{ 0, 1 << 20, 100000, "no space on the disk of simulated" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct journal_disk *disk = journal_disk_new(i);
		struct journal_options options = { .segment_size = 64 << 20, .max_size = cases[i].max_size,
						   .spare = cases[i].spare };
		struct journal_stat st;
		struct journal *j = journal_simulated(disk, &options);
		journal_disk_room(disk, cases[i].room);
		for (int round = 0; round < 3; round++) {
			while (lab_append(j, 1, 300000, NULL, NULL) == 0)
				;
			assert_string_equal(journal_why_full(j), cases[i].why);
			journal_stat(j, &st);
			assert_true(st.bytes > 600000 && st.bytes + cases[i].spare <= 1 << 20);
			assert_int_equal(lab_append(j, 1, 300000, NULL, NULL), -ENOSPC);
			trim_all(j);
			assert_int_equal(lab_append(j, 1, 300000, NULL, NULL), 0);
		}
		journal_close(j);
		journal_disk_free(disk);
	}
}

static void small_ones_between_refusals_make_few_segments(void **state)
{
	(void)state;
	struct journal_disk *disk = journal_disk_new(1);
	struct journal_options options = { .segment_size = 8 << 20, .max_size = 1 << 20 };
	struct journal_stat st;
	struct journal *j = journal_simulated(disk, &options);
	assert_int_equal(lab_append(j, 1, 500000, NULL, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(lab_append(j, 1, 600000, NULL, NULL), -ENOSPC);
		assert_int_equal(lab_append(j, 1, 200, NULL, NULL), 0);
	}
	journal_stat(j, &st);
	assert_true(st.segments > 2 && st.segments < 8);
	journal_close(j);
	journal_disk_free(disk);
}

/* What is spare takes a new segment's header. */
static void a_segment_fits_where_no_block_does(void **state)
{
	(void)state;
	struct journal_disk *disk = journal_disk_new(1);
	struct journal_options options = { .segment_size = 8 << 20, .spare = 4096 };
	struct journal_stat st;
	struct journal *j = journal_simulated(disk, &options);
	journal_disk_room(disk, 100000);
	while (lab_append(j, 1, 1, NULL, NULL) == 0)
		;
	journal_stat(j, &st);
	assert_int_equal(st.segments, 2);
	assert_true(st.bytes <= 100000 - 4096 + SEGMENT_HEADER);
	journal_close(j);
	journal_disk_free(disk);
}

/* Of a block that was taken back nothing is on the disk, whatever is not synced is lost. */
static void what_is_taken_back_stays_away(void **state)
{
	(void)state;
	struct journal_options options = { .segment_size = 1 << 20 };
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct journal_disk *disk = journal_disk_new(seed);
		struct journal *j = journal_simulated(disk, &options);
		assert_int_equal(lab_append(j, 1, 2000, NULL, NULL), 0);
		journal_disk_room(disk, 5000);
		assert_int_equal(lab_append(j, 1, 4000, NULL, NULL), -ENOSPC);
		const struct sim_file *file = disk->all[medium_find(disk, "0000000000000001.seg")];
		assert_true(file->synced.len == file->cached.len && file->cached.len < 2200);
		journal_close(j);
		journal_disk_free(disk);
	}
}

static size_t open_files(void)
{
	size_t n = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Nobody reads: rolling alone closes what it seals. And what was closed is found again. */
static void rolling_leaves_few_files_open(void **state)
{
	(void)state;
	struct pb_error error;
	struct journal_options options = { .segment_size = 4096 };
	struct buf out = BUF_INIT(1 << 20);
	char *folder = lab_folder();
	error_init(&error);
	struct journal *j = journal_open(folder, &options, &error);
	size_t before = open_files();
	for (int i = 0; i < 200; i++)
		assert_int_equal(lab_append(j, 1, 5000, NULL, NULL), 0);
	assert_true(open_files() - before <= 16);
	const struct segment *closed = segmented_of(j)->segments[3];
	assert_true(closed->file < 0 && closed->index.n > 0);
	count_events(j, 200);
	assert_int_equal(journal_get(j, 3, &out), 0);
	assert_true(lab_is_event(buf_span(&out), 3));
	assert_true(open_files() - before <= 16);
	buf_free(&out);
	journal_close(j);
	lab_remove(folder);
	free(folder);
}

int main(void)
{
	log_open(PB_ERROR);
	signal(SIGXFSZ, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_a_block_is_cut_back),
		cmocka_unit_test(any_room_is_enough_or_not),
		cmocka_unit_test(a_failed_sync),
		cmocka_unit_test(a_full_disk_is_no_reason_to_refuse),
		cmocka_unit_test(a_full_store_has_room_when_all_is_settled),
		cmocka_unit_test(small_ones_between_refusals_make_few_segments),
		cmocka_unit_test(a_segment_fits_where_no_block_does),
		cmocka_unit_test(what_is_taken_back_stays_away),
		cmocka_unit_test(rolling_leaves_few_files_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
