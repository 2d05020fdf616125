/* The file sink: what it writes, and that it stays whole when the disk is full. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>
#include <jansson.h>


#define COUNT(a) (sizeof (a) / sizeof *(a))

extern const struct pb_plugin patchbay_plugin;

struct bench {
	struct pbt_host *host;
	char folder[64], path[96], rotated[96];
};

static int bench_up(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	snprintf(bench->folder, sizeof bench->folder, "/tmp/patchbay-file-XXXXXX");
	if (mkdtemp(bench->folder) == NULL)
		return -1;
	snprintf(bench->path, sizeof bench->path, "%s/out", bench->folder);
	snprintf(bench->rotated, sizeof bench->rotated, "%s/out.1", bench->folder);
	bench->host = pbt_new(&patchbay_plugin);
	*state = bench;
	return 0;
}

static int bench_down(void **state)
{
	struct bench *bench = *state;
	int open = pbt_free(bench->host);
	unlink(bench->path);
	unlink(bench->rotated);
	rmdir(bench->folder);
	free(bench);
	return open;
}

/* A sink that writes to the bench's file, with further lines `more`. */
static struct pbt_instance *sink_of(const struct bench *bench, const char *more)
{
	struct pbt_instance *sink = pbt_open(bench->host, "[sink f]\npath = %s\n%s", bench->path, more);
	if (sink == NULL)
		fail_msg("%s", pbt_errors(bench->host));
	return sink;
}

/* The file's text, to be freed. */
static char *text_of(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		fail_msg("%s is not there", path);
	char *text = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	return text;
}

static void assert_holds(const char *path, const char *expected)
{
	char *text = text_of(path);
	assert_string_equal(text, expected);
	free(text);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static enum pb_code write_one(struct pbt_instance *sink, const char *body)
{
	return pbt_deliver(sink, pbt_event(pbt_host(sink), body, strlen(body), NULL)).code;
}

static void assert_member(const json_t *object, const char *name, const char *value)
{
	const char *got = json_string_value(json_object_get(object, name));
	if (value == NULL)
		assert_null(json_object_get(object, name));
	else
		assert_string_equal(got == NULL ? "(none)" : got, value);
}

static void test_json(void **state)
{
	static const struct {
		const char *body;
		size_t len;
		const char *data;	/* as JSON; NULL: in base64 */
		const char *base64;
	} cases[] = {
		{ "{\"event\":\"x\",\n \"n\":[1,2]}", 25, "{\"event\":\"x\",\"n\":[1,2]}", NULL },
		{ "line one\nline two", 17, "\"line one\\nline two\"", NULL },
		{ "\xff\x00\x0a", 3, NULL, "/wAK" },
		{ "", 0, NULL, NULL },
	};
	static const char *const attributes[] = { "id = i1", "type = t", "subject = s",
						  "datacontenttype = ", "extra = e", "source = f", NULL };
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "");
	struct pb_delivery *d[COUNT(cases)];
	for (size_t i = 0; i < COUNT(cases); i++)
		d[i] = pbt_delivery(sink, pbt_event(pbt_host(sink), cases[i].body, cases[i].len, attributes));
	pbt_send(sink, d, COUNT(cases));
	char *text = text_of(bench->path), *line = text;
	assert_int_equal(pbt_metric(sink, "bytes"), strlen(text));
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *end = strchr(line, '\n');
		assert_non_null(end);
		json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
		assert_non_null(object);
		assert_int_equal(pbt_answer(d[i]).code, PB_OK);
		assert_member(object, "specversion", "1.0");
		assert_member(object, "id", "i1");
		assert_member(object, "source", "f");
		assert_member(object, "type", "t");
		assert_member(object, "subject", "s");
		assert_member(object, "extra", "e");
		assert_member(object, "data_base64", cases[i].base64);
		assert_non_null(json_object_get(object, "time"));
		char *data = json_dumps(json_object_get(object, "data"), JSON_ENCODE_ANY | JSON_COMPACT);
		assert_string_equal(data == NULL ? "" : data, cases[i].data == NULL ? "" : cases[i].data);
		free(data);
		json_decref(object);
		line = end + 1;
	}
	assert_int_equal(*line, '\0');
	free(text);
	pbt_close(sink);
}

static void test_raw(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "format = raw\nsync = never");
	assert_int_equal(write_one(sink, "one"), PB_OK);
	assert_int_equal(write_one(sink, ""), PB_OK);
	assert_int_equal(write_one(sink, "two\nthree"), PB_OK);
	pbt_close(sink);
	assert_holds(bench->path, "one\n\ntwo\nthree\n");
	sink = sink_of(bench, "format = raw");
	assert_int_equal(write_one(sink, "four"), PB_OK);
	pbt_close(sink);
	assert_holds(bench->path, "one\n\ntwo\nthree\nfour\n");
}

static void test_rotation(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "format = raw\nmode = 0600");
	struct stat st;
	assert_int_equal(write_one(sink, "one"), PB_OK);
	assert_int_equal(rename(bench->path, bench->rotated), 0);
	assert_int_equal(write_one(sink, "two"), PB_OK);
	pbt_reopen(sink);
	assert_int_equal(write_one(sink, "three"), PB_OK);
	assert_holds(bench->rotated, "one\ntwo\n");
	assert_holds(bench->path, "three\n");
	assert_int_equal(stat(bench->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Deleted without a word: the next line is in a file that can be found. */
	unlink(bench->path);
	assert_int_equal(write_one(sink, "four"), PB_OK);
	assert_holds(bench->path, "four\n");
	/* Emptied in place, as copytruncate does. */
	assert_int_equal(truncate(bench->path, 0), 0);
	assert_int_equal(write_one(sink, "five"), PB_OK);
	assert_holds(bench->path, "five\n");
	pbt_close(sink);
}

/* Its folder is gone for a while. */
static void test_reopen_fails(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "format = raw");
	assert_int_equal(write_one(sink, "one"), PB_OK);
	unlink(bench->path);
	rmdir(bench->folder);
	pbt_reopen(sink);
	assert_true(pbt_logged(bench->host, "cannot make: No such file or directory"));
	assert_int_equal(write_one(sink, "two"), PB_DOWN);
	assert_int_equal(mkdir(bench->folder, 0700), 0);
	assert_int_equal(write_one(sink, "two"), PB_OK);
	assert_holds(bench->path, "two\n");
	pbt_close(sink);
}

static void test_torn(void **state)
{
	const struct bench *bench = *state;
	put(bench->path, "{\"a\":1}\n{\"b\":");
	struct pbt_instance *sink = sink_of(bench, "");
	assert_true(pbt_logged(bench->host, "cut off 5 bytes of a torn last line; if it was "
			       "an event of ours it comes again"));
	assert_holds(bench->path, "{\"a\":1}\n");
	pbt_close(sink);
}

static void limit_size(rlim_t size)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk is full after so many bytes: what is answered ok is there, whole; the first
 * that did not fit is "down", the rest untried; and all arrive in order in the end. */
static void test_full(void **state)
{
	const struct bench *bench = *state;
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 0; room <= 30; room++) {
		struct pbt_instance *sink = sink_of(bench, "format = raw");
		struct pb_delivery *d[6];
		char *text;
		size_t ok = 0;
		for (size_t i = 0; i < 6; i++)
			d[i] = pbt_delivery(sink, pbt_event(pbt_host(sink), "1234", 4, NULL));
		limit_size(room);
		pbt_send(sink, d, 6);
		limit_size(RLIM_INFINITY);
		while (ok < 6 && pbt_answer(d[ok]).code == PB_OK)
			ok++;
		assert_int_equal(ok, room / 5);
		text = text_of(bench->path);
		assert_int_equal(strlen(text), 5 * ok);
		free(text);
		if (ok < 6) {
			assert_int_equal(pbt_answer(d[ok]).code, PB_DOWN);
			assert_non_null(strstr(pbt_answer(d[ok]).reason, "cannot write: File too large"));
		}
		for (size_t i = ok + 1; i < 6; i++)
			assert_false(pbt_answer(d[i]).given);
		for (size_t i = ok; i < 6; i++)
			assert_int_equal(write_one(sink, "1234"), PB_OK);
		assert_holds(bench->path, "1234\n1234\n1234\n1234\n1234\n1234\n");
		pbt_close(sink);
		unlink(bench->path);
	}
}

/* More than the buffer gathers: several writes, one batch. */
static void test_large(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "format = raw");
	enum { LEN = 700 * 1024, N = 8 };
	char *body = calloc(1, LEN);
	struct pb_delivery *d[N];
	struct stat st;
	for (int i = 0; i < N; i++) {
		memset(body, 'a' + i, LEN);
		d[i] = pbt_delivery(sink, pbt_event(pbt_host(sink), body, LEN, NULL));
	}
	pbt_send(sink, d, N);
	char *text = text_of(bench->path);
	assert_int_equal(stat(bench->path, &st), 0);
	assert_int_equal(st.st_size, N * (LEN + 1));
	for (int i = 0; i < N; i++) {
		memset(body, 'a' + i, LEN);
		assert_int_equal(pbt_answer(d[i]).code, PB_OK);
		assert_memory_equal(text + i * (LEN + 1), body, LEN);
		assert_int_equal(text[(i + 1) * (LEN + 1) - 1], '\n');
	}
	free(text);
	free(body);
	pbt_close(sink);
}

static void test_check(void **state)
{
	static const struct {
		const char *ini, *error;
	} cases[] = {
		{ "path = out", "test.ini:2: [sink f] path: \"out\" is not a path" },
		{ "", "test.ini:1: [sink f] path: is missing" },
		{ "path = /nowhere/x", "test.ini:2: [sink f] path: /nowhere/x: cannot make: No such file" },
		{ "path = /dev/full", "test.ini:2: [sink f] path: /dev/full: not a regular file" },
		{ "path = /tmp/x\nmode = 99", "test.ini:3: [sink f] mode: expected three octal digits" },
		{ "path = /tmp/x\nmode = 0440", "test.ini:3: [sink f] mode: expected three octal digits" },
		{ "path = /tmp/x\nmode = 4755", "test.ini:3: [sink f] mode: expected three octal digits" },
		{ "path = /tmp/x\nformat = xml", "test.ini:3: [sink f] format: \"xml\" is not a choice; " },
		{ "path = /tmp/x\nsync = always", "test.ini:3: [sink f] sync: \"always\" is not a choice; " },
	};
	const struct bench *bench = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_null(pbt_open(bench->host, "[sink f]\n%s", cases[i].ini));
		if (strncmp(pbt_errors(bench->host), cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: %s", cases[i].error, pbt_errors(bench->host));
	}
	sink_of(bench, "");
	assert_null(pbt_open(bench->host, "[sink g]\npath = %s", bench->path));
	assert_non_null(strstr(pbt_errors(bench->host), "another sink or program writes to it"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_json, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_raw, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_rotation, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_reopen_fails, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_torn, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_full, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_large, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_check, bench_up, bench_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
