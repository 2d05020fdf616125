/* test-lmdb.c - the state on disk: other versions, damage, a full disk, readers beside the writer, the lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/span.h"
#include "base/thread.h"
#include "state/lock.h"
#include "state/reserve.h"
#include "state/state.h"

struct lab {
	char folder[64];
	struct state *s;
	struct pb_error error;
	struct state_batch batch;
};

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);
	snprintf(lab->folder, sizeof lab->folder, "/tmp/patchbay-state-XXXXXX");
	assert_non_null(mkdtemp(lab->folder));
	error_init(&lab->error);
	batch_init(&lab->batch);
	*state = lab;
	return 0;
}

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int teardown(void **state)
{
	struct lab *lab = *state;
	limit_files(RLIM_INFINITY);
	state_close(lab->s);
	umount(lab->folder);
	batch_free(&lab->batch);
	error_free(&lab->error);
	nftw(lab->folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
	free(lab);
	return 0;
}

static void lab_open(struct lab *lab)
{
	lab->s = state_open(lab->folder, 1 << 20, &lab->error);
	if (lab->s == NULL)
		print_error("%s\n", error_text(&lab->error));
	assert_non_null(lab->s);
}

static void lab_close(struct lab *lab)
{
	state_close(lab->s);
	lab->s = NULL;
}

static int apply(struct lab *lab)
{
	int r = state_apply(lab->s, &lab->batch);
	batch_reset(&lab->batch);
	return r;
}

static void put(struct lab *lab, const char *key, const char *value)
{
	batch_put(&lab->batch, STATE_SEEN, span_str(key), span_str(value));
}

static int get(struct lab *lab, const char *key)
{
	struct buf value = BUF_INIT(4 << 20);
	int r = state_get(lab->s, STATE_SEEN, span_str(key), &value);
	buf_free(&value);
	return r;
}

/* The whole of a file of the folder; the caller frees it. */
static char *read_file(const struct lab *lab, const char *name, size_t *len)
{
	char path[100];
	snprintf(path, sizeof path, "%s/%s", lab->folder, name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	char *data = malloc(1 << 20);
	*len = fread(data, 1, 1 << 20, f);
	fclose(f);
	return data;
}

static void write_file(const struct lab *lab, const char *name, const char *data, size_t len)
{
	char path[100];
	snprintf(path, sizeof path, "%s/%s", lab->folder, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static bool has_file(const struct lab *lab, const char *name)
{
	char path[100];
	snprintf(path, sizeof path, "%s/%s", lab->folder, name);
	return access(path, F_OK) == 0;
}

static void expect_refused(struct lab *lab, const char *message)
{
	size_t len, after_len;
	char *before = read_file(lab, "data.mdb", &len);
	assert_null(state_open(lab->folder, 1 << 20, &lab->error));
	assert_non_null(strstr(error_text(&lab->error), message));
	char *after = read_file(lab, "data.mdb", &after_len);
	assert_true(len == after_len && memcmp(before, after, len) == 0);
	free(before);
	free(after);
}

static void another_version_is_refused(void **state)
{
	struct lab *lab = *state;
	unsigned char version[4];
	lab_open(lab);
	put_le32(version, 2);
	batch_put(&lab->batch, STATE_META, span_str("format"), span_of(version, sizeof version));
	assert_int_equal(apply(lab), 0);
	lab_close(lab);
	expect_refused(lab, "another format version");
}

static void a_missing_version_is_refused(void **state)
{
	struct lab *lab = *state;
	lab_open(lab);
	batch_del(&lab->batch, STATE_META, span_str("format"));
	assert_int_equal(apply(lab), 0);
	lab_close(lab);
	expect_refused(lab, "format version is missing");
}

static void a_foreign_file_is_refused(void **state)
{
	struct lab *lab = *state;
	char noise[9000];
	memset(noise, 'x', sizeof noise);
	write_file(lab, "data.mdb", noise, sizeof noise);
	expect_refused(lab, "data.mdb");
}

struct rows {
	char text[64];
};

static bool add_key(void *arg, struct pb_span key, struct pb_span value)
{
	struct rows *rows = arg;
	(void)value;
	strncat(rows->text, key.data, key.len);
	return true;
}

/* One flipped bit in the bytes of row b: that row is missing, and no other. */
static void a_damaged_row_is_left_out(void **state)
{
	struct lab *lab = *state;
	static const char needle[] = "the value of b";
	lab_open(lab);
	put(lab, "a", "the value of a");
	put(lab, "b", needle);
	put(lab, "c", "the value of c");
	assert_int_equal(apply(lab), 0);
	lab_close(lab);
	size_t len;
	char *data = read_file(lab, "data.mdb", &len);
	char *at = memmem(data, len, needle, strlen(needle));
	for (; at != NULL; at = memmem(at, len - (size_t)(at - data), needle, strlen(needle)))
		at[4] ^= 1;
	write_file(lab, "data.mdb", data, len);
	free(data);
	lab_open(lab);
	assert_int_equal(get(lab, "a"), 0);
	assert_int_equal(get(lab, "b"), -EBADMSG);
	struct rows rows = { "" };
	assert_int_equal(state_scan(lab->s, STATE_SEEN, SPAN_NONE, add_key, &rows), 0);
	assert_string_equal(rows.text, "ac");
	assert_int_equal(state_damaged(lab->s), 2);
	put(lab, "b", "new");
	assert_int_equal(apply(lab), 0);
	assert_int_equal(get(lab, "b"), 0);
}

static void put_large(struct lab *lab, const char *key, size_t size)
{
	char *value = calloc(1, size);
	batch_put(&lab->batch, STATE_SEEN, span_str(key), span_of(value, size));
	free(value);
}

/* The kernel stops LMDB in the middle of its pages. */
static void a_short_write_is_no_space(void **state)
{
	struct lab *lab = *state;
	lab_open(lab);
	put(lab, "a", "1");
	assert_int_equal(apply(lab), 0);
	assert_true(has_file(lab, "reserve"));
	limit_files(200000);
	put(lab, "b", "2");
	put_large(lab, "large", 500000);
	assert_int_equal(apply(lab), -ENOSPC);
	assert_false(has_file(lab, "reserve"));
	assert_int_equal(get(lab, "a"), 0);
	assert_int_equal(get(lab, "b"), -ENOENT);
	put(lab, "b", "2");
	assert_int_equal(apply(lab), 0);
	limit_files(RLIM_INFINITY);
	put_large(lab, "large", 500000);
	assert_int_equal(apply(lab), 0);
	for (int i = 0; i < 40 && !has_file(lab, "reserve"); i++) {
		put(lab, "b", "3");
		assert_int_equal(apply(lab), 0);
	}
	assert_true(has_file(lab, "reserve"));
	lab_close(lab);
	lab_open(lab);
	assert_int_equal(get(lab, "b"), 0);
}

/* Fill the disk with a file beside the state's. */
static void fill_disk(const struct lab *lab)
{
	char path[100], chunk[4096];
	snprintf(path, sizeof path, "%s/ballast", lab->folder);
	memset(chunk, 'x', sizeof chunk);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	while (fwrite(chunk, 1, sizeof chunk, f) == sizeof chunk)
		;
	fclose(f);
}

/* On a disk that is full, what the reserve holds is enough to go on deleting. */
static void the_reserve_keeps_it_going(void **state)
{
	struct lab *lab = *state;
	if (mount("tmpfs", lab->folder, "tmpfs", 0, "size=12m") != 0) {
		print_message("needs a file system of its own: not root\n");
		skip();
	}
	lab_open(lab);
	put_large(lab, "large", 1000000);
	assert_int_equal(apply(lab), 0);
	assert_true(has_file(lab, "reserve"));
	fill_disk(lab);
	lab_close(lab);
	lab_open(lab);
	assert_int_equal(get(lab, "large"), 0);
	put_large(lab, "more", 2000000);
	assert_int_equal(apply(lab), 0);
	assert_false(has_file(lab, "reserve"));
	put_large(lab, "yet more", 20000000);
	assert_int_equal(apply(lab), -ENOSPC);
	batch_del(&lab->batch, STATE_SEEN, span_str("large"));
	assert_int_equal(apply(lab), 0);
	assert_int_equal(get(lab, "more"), 0);
	assert_int_equal(get(lab, "yet more"), -ENOENT);
}

struct reading {
	struct state *s;
	_Atomic bool stop;
};

static bool check_row(void *arg, struct pb_span key, struct pb_span value)
{
	unsigned *n = arg;
	(void)key;
	if (value.len != 40)
		abort();
	++*n;
	return true;
}

static void *read_on(void *arg)
{
	struct reading *reading = arg;
	while (!atomic_load(&reading->stop)) {
		unsigned n = 0;
		struct buf value = BUF_INIT(1000);
		if (state_scan(reading->s, STATE_SEEN, SPAN_NONE, check_row, &n) != 0 || n < 100)
			abort();
		if (state_get(reading->s, STATE_SEEN, span_str("050"), &value) != 0)
			abort();
		buf_free(&value);
	}
	return NULL;
}

static void rewrite(struct lab *lab, int round)
{
	char key[16], value[41];
	for (unsigned i = 0; i < 600; i++) {
		snprintf(key, sizeof key, "%03u", i);
		snprintf(value, sizeof value, "%040d", round);
		if (i >= 100 && (i + (unsigned)round) % 3 == 0)
			batch_del(&lab->batch, STATE_SEEN, span_str(key));
		else
			put(lab, key, value);
	}
	assert_int_equal(apply(lab), 0);
}

static void reading_beside_writing(void **state)
{
	struct lab *lab = *state;
	pthread_t threads[2];
	lab_open(lab);
	rewrite(lab, 0);
	struct reading reading = { .s = lab->s };
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(thread_start(&threads[i], "read", read_on, &reading), 0);
	for (int round = 1; round < 60; round++)
		rewrite(lab, round);
	atomic_store(&reading.stop, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* Another process tries; its exit status says how that went. */
static int lock_elsewhere(struct lab *lab, const char *message)
{
	pid_t child = fork();
	if (child == 0) {
		int fd = store_lock(lab->folder, &lab->error);
		_exit(fd >= 0 ? 0 : fd == -EBUSY && strstr(error_text(&lab->error), message) != NULL ? 1 : 2);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void one_process_a_store(void **state)
{
	struct lab *lab = *state;
	char message[64];
	int fd = store_lock(lab->folder, &lab->error);
	assert_true(fd >= 0);
	snprintf(message, sizeof message, "process %ld", (long)getpid());
	assert_int_equal(lock_elsewhere(lab, message), 1);
	close(fd);
	assert_int_equal(lock_elsewhere(lab, message), 0);
}

int main(void)
{
#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	log_open(PB_ERROR);
	signal(SIGXFSZ, SIG_IGN);
	const struct CMUnitTest tests[] = {
		SCENARIO(another_version_is_refused),
		SCENARIO(a_missing_version_is_refused),
		SCENARIO(a_foreign_file_is_refused),
		SCENARIO(a_damaged_row_is_left_out),
		SCENARIO(a_short_write_is_no_space),
		SCENARIO(the_reserve_keeps_it_going),
		SCENARIO(reading_beside_writing),
		SCENARIO(one_process_a_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
