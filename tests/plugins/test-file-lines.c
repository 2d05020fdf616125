/* A file that holds whole lines: torn ones are cut off, what is not ours is left alone. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "file/lines.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

struct place {
	char folder[64], path[96];
};

static int place_make(void **state)
{
	struct place *place = calloc(1, sizeof *place);
	snprintf(place->folder, sizeof place->folder, "/tmp/patchbay-lines-XXXXXX");
	if (mkdtemp(place->folder) == NULL)
		return -1;
	snprintf(place->path, sizeof place->path, "%s/out", place->folder);
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	struct place *place = *state;
	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static void put(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void assert_holds(const char *path, const char *text)
{
	char data[256];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	data[fread(data, 1, sizeof data - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(data, text);
}

static void test_torn(void **state)
{
	static const struct {
		const char *begins, *before, *after;
		off_t torn;
		int error;
	} cases[] = {
		{ "{", "", "", 0, 0 },
		{ "{", "\n", "\n", 0, 0 },
		{ "{", "{1}\n", "{1}\n", 0, 0 },
		{ "{", "{1}\n{2", "{1}\n", 2, 0 },
		{ "{", "{2", "", 2, 0 },
		{ "{", "{1}\nroot:x", "{1}\nroot:x", 0, -EINVAL },
		{ "{", "root:x", "root:x", 0, -EINVAL },
		{ "", "a\nroot:x", "a\n", 6, 0 },
		{ "", "a\n12345678901", "a\n12345678901", 0, -EINVAL },
		{ "{", "{1}\n{2345678901", "{1}\n{2345678901", 0, -EINVAL },
		{ "", "a\n1234567890", "a\n", 10, 0 },
	};
	const char *path = ((struct place *)*state)->path;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lines lines;
		off_t torn;
		put(path, cases[i].before, strlen(cases[i].before));
		lines_init(&lines, path, 0600, false);
		lines.begins = cases[i].begins;
		lines.longest = 10;
		assert_int_equal(lines_open(&lines, &torn), cases[i].error);
		if (cases[i].error == 0)
			assert_int_equal(torn, cases[i].torn);
		else
			assert_string_equal(lines.error, "its last line has no end and is none of "
					    "this sink's");
		lines_close(&lines);
		assert_holds(path, cases[i].after);
	}
}

/* Longer than the blocks that are looked through, and with zeros as a crash leaves them. */
static void test_torn_long(void **state)
{
	static const size_t lengths[] = { 4095, 4096, 4097, 20000 };
	const char *path = ((struct place *)*state)->path;
	for (size_t i = 0; i < 2 * COUNT(lengths); i++) {
		size_t len = lengths[i / 2];
		char *data = calloc(1, len + 2);
		struct lines lines;
		off_t torn;
		memset(data, i % 2 == 0 ? '{' : '\0', len + 2);
		memcpy(data, "a\n", 2);
		put(path, data, len + 2);
		free(data);
		lines_init(&lines, path, 0600, false);
		lines.begins = "{";
		lines.longest = 20000;
		assert_int_equal(lines_open(&lines, &torn), 0);
		assert_int_equal(torn, len);
		lines_close(&lines);
		assert_holds(path, "a\n");
	}
}

static void test_open(void **state)
{
	const struct place *place = *state;
	struct lines lines, other;
	struct stat st;
	off_t torn;
	mode_t before = umask(077);
	lines_init(&lines, place->path, 0664, true);
	assert_int_equal(lines_open(&lines, &torn), 0);
	umask(before);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0664);

	lines_init(&other, place->path, 0664, true);
	assert_int_equal(lines_open(&other, &torn), -EBUSY);
	assert_string_equal(other.error, "another sink or program writes to it");
	assert_false(lines_gone(&lines));
	unlink(place->path);
	assert_true(lines_gone(&lines));
	lines_close(&lines);

	lines_init(&lines, place->folder, 0600, true);
	assert_int_equal(lines_open(&lines, &torn), -EISDIR);
	lines_init(&lines, "/dev/null", 0600, true);
	assert_int_equal(lines_open(&lines, &torn), -EINVAL);
	assert_string_equal(lines.error, "not a regular file");
	lines_init(&lines, "/nowhere/at/all", 0600, true);
	assert_int_equal(lines_open(&lines, &torn), -ENOENT);
	assert_string_equal(lines.error, "cannot make: No such file or directory");
}

static void limit_size(rlim_t size)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* However many bytes fit, whole lines stay and the rest can follow later. */
static void test_short_write(void **state)
{
	static const char data[] = "one\ntwo\nthree\n";
	static const size_t ends[] = { 4, 8, 14 };
	static const char *const left[] = { "zero\n", "zero\none\n", "zero\none\ntwo\n", data };
	const char *path = ((struct place *)*state)->path;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t room = 0; room <= 14; room++) {
		struct lines lines;
		off_t torn;
		size_t fit = room < 4 ? 0 : room < 8 ? 1 : room < 14 ? 2 : 3;
		put(path, "zero\n", 5);
		lines_init(&lines, path, 0600, true);
		assert_int_equal(lines_open(&lines, &torn), 0);
		limit_size(5 + room);
		size_t got = lines_append(&lines, data, ends, 3);
		limit_size(RLIM_INFINITY);
		assert_int_equal(got, fit);
		if (fit == 3) {
			lines_close(&lines);
			continue;
		}
		assert_string_equal(lines.error, "cannot write: File too large");
		assert_holds(path, left[fit]);
		size_t from = fit == 0 ? 0 : ends[fit - 1], rest[3];
		for (size_t i = fit; i < 3; i++)
			rest[i - fit] = ends[i] - from;
		assert_int_equal(lines_append(&lines, data + from, rest, 3 - fit), 3 - fit);
		assert_int_equal(lines_sync(&lines, 0), 0);
		assert_holds(path, "zero\none\ntwo\nthree\n");
		lines_close(&lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_torn, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_torn_long, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_open, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_short_write, place_make, place_remove),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
