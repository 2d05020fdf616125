/* test-history.c - the ring of files: what is written is read, in order, within its size, past damage and failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/span.h"
#include "state/history-entry.h"
#include "state/history-files.h"
#include "state/history.h"
#include "unit/config/folder.h"
#include "unit/dump.h"

#define MIB (1u << 20)
#define WALL INT64_C(1767323045678)

/* What was read, as text. */
struct told {
	char text[4096];
	uint64_t first, last, n, disorder;	/* events' numbers */
	struct history_found found;
};

static bool tell(void *arg, const struct history_entry *e)
{
	struct told *t = arg;
	size_t len = strlen(t->text);
	if (len < sizeof t->text - 300)
		snprintf(t->text + len, sizeof t->text - len, "%d@%lld:%llu/%llu %.*s%s%.*s|%.*s|%.*s\n", (int)e->kind,
			 (long long)(e->at_ms - WALL), (unsigned long long)e->seq, (unsigned long long)e->lane,
			 (int)e->type.len, (const char *)e->type.data, e->sender.len > 0 ? " of " : "",
			 (int)e->sender.len, (const char *)e->sender.data, (int)e->text.len,
			 (const char *)e->text.data, (int)e->response.len, (const char *)e->response.data);
	if (e->seq > 0) {
		t->first = t->first == 0 ? e->seq : t->first;
		t->disorder += e->seq <= t->last;
		t->last = e->seq;
		t->n++;
	}
	return true;
}

static struct told told(void)
{
	struct told t = { .n = 0 };
	assert_int_equal(history_read("history", tell, &t, &t.found), 0);
	return t;
}

/* Accepted, of one type, and in the files. */
static void add(struct history *h, uint64_t seq)
{
	history_add(h, &(struct history_entry){
		.kind = HISTORY_ACCEPTED, .at_ms = WALL + (int64_t)seq / 100, .seq = seq, .id = seq, .origin = 3,
		.bytes = 1000, .type = span_str("report_run_started"),
	});
}

static void add_range(struct history *h, uint64_t from, uint64_t end)
{
	for (uint64_t seq = from; seq < end; seq++) {
		add(h, seq);
		if (seq % 512 == 0)
			history_step(h);
	}
	history_flush(h);
	history_step(h);
}

static struct history *open_history(uint64_t max)
{
	return history_open("history", max, &clock_system);
}

static void every_kind_is_read_as_it_was_written(void **state)
{
	(void)state;
	struct history *h = open_history(MIB);
	const struct history_entry entries[] = {
		{ .kind = HISTORY_CONFIGURED, .at_ms = WALL },
		{ .kind = HISTORY_ACCEPTED, .at_ms = WALL, .seq = 7, .id = 1, .type = span_str("a") },
		{ .kind = HISTORY_FOUND, .at_ms = WALL + 2, .seq = 8, .id = 2, .type = span_str("b") },
		{ .kind = HISTORY_ACCEPTED, .at_ms = WALL + 2, .seq = 9, .type = span_str("b"), .sender = span_str("::1") },
		{ .kind = HISTORY_ACCEPTED, .at_ms = WALL + 2, .seq = 10, .type = span_str("b") },
		{ .kind = HISTORY_ACCEPTED, .at_ms = WALL + 2, .seq = 11, .type = span_str("b:"), .sender = span_str(":1") },
		{ .kind = HISTORY_ACCEPTED, .at_ms = WALL + 2, .seq = 12, .type = span_str("b"), .sender = span_str("::1") },
		{ .kind = HISTORY_DELIVERED, .at_ms = WALL + 2, .seq = 7, .lane = 300, .text = span_str("fine") },
		{ .kind = HISTORY_FAILED, .at_ms = WALL + 1, .seq = 8, .lane = 1, .text = span_str("no"),
		  .response = span_str("busy") },
		{ .kind = HISTORY_FILTERED, .at_ms = WALL + 3, .seq = 9, .lane = 2 },
		{ .kind = HISTORY_FILTER_FAILED, .at_ms = WALL + 3, .seq = 9, .lane = 2, .text = span_str("bad") },
		{ .kind = HISTORY_DEAD, .at_ms = WALL + 3, .seq = 9, .lane = 2, .reason = 5 },
		{ .kind = HISTORY_REPLAYED, .at_ms = WALL + 3, .seq = 9, .lane = 2 },
		{ .kind = HISTORY_PURGED, .at_ms = WALL + 3, .seq = UINT64_MAX, .lane = UINT32_MAX },
	};
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		history_add(h, &entries[i]);
	history_close(h);
	assert_int_equal(told().found.entries, 0);	/* what was not flushed is not there */
	h = open_history(MIB);
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		history_add(h, &entries[i]);
	history_flush(h);
	history_close(h);
	struct told t = told();
	assert_string_equal(t.text, "12@0:0/0 ||\n3@0:7/0 a||\n4@2:8/0 b||\n3@2:9/0 b of ::1||\n3@2:10/0 b||\n"
			    "3@2:11/0 b: of :1||\n3@2:12/0 b of ::1||\n5@2:7/300 |fine|\n6@1:8/1 |no|busy\n"
			    "7@3:9/2 ||\n8@3:9/2 |bad|\n9@3:9/2 ||\n10@3:9/2 ||\n"
			    "11@3:18446744073709551615/4294967295 ||\n");
}

static void text_is_cut(void **state)
{
	(void)state;
	char *text = malloc(100000);
	memset(text, 'x', 100000);
	struct history *h = open_history(MIB);
	history_add(h, &(struct history_entry){
		.kind = HISTORY_ACCEPTED, .at_ms = WALL, .seq = UINT64_MAX, .type = span_of(text, 100000),
		.origin = UINT64_MAX, .bytes = UINT64_MAX,
	});
	history_add(h, &(struct history_entry){
		.kind = HISTORY_FAILED, .at_ms = INT64_MAX, .seq = UINT64_MAX, .lane = UINT64_MAX,
		.attempt = UINT64_MAX, .part = UINT64_MAX, .parts = UINT64_MAX, .code = UINT64_MAX,
		.took_us = UINT64_MAX, .text = span_of(text, 100000), .response = span_of(text, 100000),
	});
	history_flush(h);
	history_close(h);
	struct told t = told();
	assert_int_equal(t.n, 2);
	assert_int_equal(strspn(strchr(t.text, 'x'), "x"), HISTORY_TEXT_MAX);
	free(text);
}

static void the_whole_keeps_within_its_size_and_the_oldest_go(void **state)
{
	(void)state;
	struct history *h = open_history(MIB);
	struct history_stat st;
	for (uint64_t from = 1; from < 200000; from += 20000) {
		add_range(h, from, from + 20000);
		history_stat(h, &st);
		assert_true(st.bytes <= MIB);
	}
	history_close(h);
	assert_true(st.bytes > MIB * 3 / 4);
	assert_int_equal(st.lost, 0);
	struct told t = told();
	assert_int_equal(t.last, 200000);
	assert_int_equal(t.disorder, 0);
	assert_int_equal(t.n, t.last - t.first + 1);	/* without a gap */
	assert_true(t.n > 30000 && t.n < 60000);
	assert_int_equal(t.found.begins_ms, WALL + (int64_t)t.first / 100);
	assert_int_equal(t.found.damaged, 0);
	h = open_history(MIB);
	assert_int_equal(history_last(h), 200000);
	history_close(h);
}

static void a_smaller_size_takes_effect(void **state)
{
	(void)state;
	struct history_stat st;
	struct history *h = open_history(4 * MIB);
	add_range(h, 1, 200000);
	history_close(h);
	h = open_history(MIB);
	history_stat(h, &st);
	assert_true(st.bytes <= MIB && st.bytes > 0);
	history_close(h);
	assert_int_equal(told().last, 199999);
	assert_null(open_history(MIB - 1));
	history_add(NULL, &(struct history_entry){ .kind = HISTORY_CONFIGURED });
	history_flush(NULL);
	history_close(NULL);
	assert_int_equal(history_start(NULL), 0);
}

static void it_goes_on_where_it_was_and_cuts_a_torn_end(void **state)
{
	(void)state;
	struct history *h = open_history(MIB);
	add_range(h, 1, 10);
	history_close(h);
	FILE *f = fopen("history/0000000000000001.history", "r+");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	fputs("PBHC and half of what was being written", f);
	fclose(f);
	assert_int_equal(told().found.damaged, 1);
	h = open_history(MIB);
	assert_int_equal(history_last(h), 9);
	add_range(h, 10, 20);
	history_close(h);
	struct told t = told();
	assert_int_equal(t.found.files, 1);
	assert_int_equal(t.found.damaged, 0);
	assert_int_equal(t.n, 19);
	assert_int_equal(t.disorder, 0);
}

/* The bytes at an offset become others. */
static void damage(const char *name, long at, const char *bytes)
{
	FILE *f = fopen(name, "r+");
	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	fputs(bytes, f);
	fclose(f);
}

static void damage_costs_its_own_chunk_only(void **state)
{
	(void)state;
	const char *name = "history/0000000000000001.history";
	struct history *h = open_history(MIB);
	for (uint64_t seq = 1; seq <= 3; seq++)
		add_range(h, seq, seq + 1);
	history_close(h);
	damage(name, FILE_HEAD + CHUNK_HEAD + 8, "?");
	struct told t = told();
	assert_int_equal(t.found.damaged, 1);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.first, 2);
	damage(name, 0, "?");
	t = told();
	assert_int_equal(t.n, 0);
	assert_int_equal(t.found.damaged, 1);
	h = open_history(MIB);	/* the next file, then */
	add_range(h, 4, 5);
	history_close(h);
	assert_int_equal(told().n, 1);
}

/* Every cut and every flipped bit of a small file: nothing is read that was not written. */
static void whatever_is_in_a_file_is_survived(void **state)
{
	(void)state;
	const char *name = "history/0000000000000001.history";
	unsigned char bytes[1024];
	struct history *h = open_history(MIB);
	add_range(h, 1, 4);
	add_range(h, 4, 6);
	history_close(h);
	int fd = open(name, O_RDWR);
	size_t len = (size_t)read(fd, bytes, sizeof bytes);
	assert_true(len > 150 && len < sizeof bytes);
	for (size_t i = 0; i < len * 8; i++) {
		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
		assert_int_equal(pwrite(fd, bytes, len, 0), len);
		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
		struct told t = told();
		assert_true(t.n <= 5 && t.last <= 5 && t.disorder == 0);
		assert_true(i / 8 < 12 || i / 8 >= FILE_HEAD - 4 || t.n == 0);
	}
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		assert_int_equal(pwrite(fd, bytes, cut, 0), cut);
		assert_true(told().n <= 5);
	}
	close(fd);
}

static void deleted_beneath_it_begins_anew(void **state)
{
	(void)state;
	struct history *h = open_history(MIB);
	add_range(h, 1, 10);
	nftw("history", folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(told().n, 0);
	add_range(h, 10, 20);
	history_close(h);
	assert_int_equal(told().n, 10);
	struct stat st;
	assert_int_equal(stat("history", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat("history/0000000000000002.history", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_a_disk_refuses_is_counted_and_it_goes_on(void **state)
{
	(void)state;
	struct clock_manual clock;
	struct history_stat st;
	clock_manual_init(&clock, WALL);
	struct history *h = history_open("history", MIB, &clock.clock);
	add_range(h, 1, 10);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(300);
	add_range(h, 10, 1000);
	add_range(h, 1000, 1010);
	limit_files(RLIM_INFINITY);
	add_range(h, 1010, 1020);	/* it is not tried again at once */
	history_stat(h, &st);
	assert_int_equal(st.lost, 1010);
	clock_manual_advance(&clock, 20000);
	add_range(h, 1020, 1030);
	history_close(h);
	struct told t = told();
	assert_int_equal(t.n, 19);
	assert_int_equal(t.last, 1029);
	assert_int_equal(t.found.lost, 1010);
	assert_int_equal(t.found.damaged, 0);
}

static void what_finds_no_room_in_memory_is_counted(void **state)
{
	(void)state;
	struct history_stat st;
	struct history *h = open_history(16 * MIB);
	for (uint64_t seq = 1; seq <= 200000; seq++)	/* nobody writes meanwhile */
		add(h, seq);
	history_flush(h);
	history_stat(h, &st);
	assert_true(st.lost > 100000 && st.lost < 190000);
	history_step(h);
	add_range(h, 200001, 200002);
	history_close(h);
	struct told t = told();
	assert_int_equal(t.n, 200001 - st.lost);
	assert_int_equal(t.found.lost, st.lost);
}

static void many_types_in_one_chunk(void **state)
{
	(void)state;
	struct history *h = open_history(16 * MIB);
	for (unsigned i = 1; i <= 20000; i++) {
		char type[32];
		snprintf(type, sizeof type, "type%u", i % 7000);
		history_add(h, &(struct history_entry){
			.kind = HISTORY_ACCEPTED, .at_ms = WALL, .seq = i, .origin = i % 3, .bytes = i % 7000,
			.type = span_str(type),
		});
		if (i % 1000 == 0)
			history_step(h);
	}
	history_flush(h);
	history_close(h);
	struct told t = told();
	assert_int_equal(t.n, 20000);
	assert_non_null(strstr(t.text, "3@0:5/0 type5||\n3@0:6/0 type6||\n"));
}

static void with_a_thread_and_a_reader_beside_it(void **state)
{
	(void)state;
	struct history *h = open_history(MIB);
	assert_int_equal(history_start(h), 0);
	for (uint64_t seq = 1; seq <= 50000; seq++) {
		add(h, seq);
		if (seq % 10000 == 0) {
			history_flush(h);
			assert_true(history_sync(h, 10000));
			struct told t = told();
			assert_int_equal(t.last, seq);
			assert_int_equal(t.disorder, 0);
		}
	}
	history_close(h);
}

static void a_hash_is_what_the_format_says(void **state)
{
	(void)state;
	assert_true(history_hash("") == UINT64_C(0xcbf29ce484222325));
	assert_true(history_hash("a") == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(history_hash("foobar") == UINT64_C(0x85944171f73967e8));
}

/* The example of doc/store-format.md: event 7 comes and is refused, and the chunk says so. */
static size_t example(unsigned char to[static 512])
{
	static const struct history_entry entries[] = {
		{ .kind = HISTORY_TIME, .at_ms = WALL },
		{ .kind = HISTORY_TYPE, .type_number = 1, .origin = 1, .type = { "a", 1 },
		  .sender = { "10.0.0.7", 8 } },
		{ .kind = HISTORY_ACCEPTED, .id = UINT64_C(0xaf63dc4c8601ec8c), .seq = 7, .type_number = 1, .bytes = 300 },
		{ .kind = HISTORY_FAILED, .id = UINT64_C(0xaf63dc4c8601ec8c), .seq = 7, .lane = 2, .attempt = 1,
		  .parts = 1, .code = PB_REJECT, .took_us = 1500, .text = { "HTTP 404", 8 } },
	};
	const uint64_t salt = UINT64_C(0x1122334455667788);
	size_t len = CHUNK_HEAD;
	file_head_pack(salt, to);
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
		unsigned char bytes[ENTRY_MAX];
		size_t n = entry_pack(&entries[i], bytes);
		memcpy(to + FILE_HEAD + len, bytes, n);
		len += n;
	}
	chunk_head_pack(to + FILE_HEAD, len, salt, 2);
	return FILE_HEAD + len;
}

static void the_dump_is_what_is_written(void **state)
{
	(void)state;
	unsigned char want[512], got[512];
	size_t n = example(want), m = read_dump("### A file of it", got, sizeof got);
	if (n != m || memcmp(want, got, n) != 0)
		print_dump(want, n);
	assert_int_equal(m, n);
	assert_memory_equal(got, want, n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_begin, folder_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dump_is_what_is_written),	/* before the others leave the folder */
		TEST(every_kind_is_read_as_it_was_written),
		TEST(text_is_cut),
		TEST(the_whole_keeps_within_its_size_and_the_oldest_go),
		TEST(a_smaller_size_takes_effect),
		TEST(it_goes_on_where_it_was_and_cuts_a_torn_end),
		TEST(damage_costs_its_own_chunk_only),
		TEST(whatever_is_in_a_file_is_survived),
		TEST(deleted_beneath_it_begins_anew),
		TEST(what_a_disk_refuses_is_counted_and_it_goes_on),
		TEST(what_finds_no_room_in_memory_is_counted),
		TEST(many_types_in_one_chunk),
		TEST(with_a_thread_and_a_reader_beside_it),
		TEST(a_hash_is_what_the_format_says),
	};
	log_open(PB_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
