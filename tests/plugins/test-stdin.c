/* Standard input as a source: which lines come of which bytes, and how it ends. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>

#include "stdin/lines.h"

extern const struct pb_plugin patchbay_plugin;

struct bench {
	struct pbt_host *host;
	int kept;	/* the test's own standard input */
	int writer;	/* the other end of the plugin's, -1: ended */
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	int ends[2];
	if (b == NULL || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	b->kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	b->writer = ends[1];
	b->host = pbt_new(&patchbay_plugin);
	*state = b;
	return 0;
}

static void end_input(struct bench *b)
{
	close(b->writer);
	b->writer = -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	int left = pbt_free(b->host);
	if (b->writer >= 0)
		close(b->writer);
	dup2(b->kept, STDIN_FILENO);
	close(b->kept);
	free(b);
	return left;
}

static struct pbt_instance *start(struct bench *b, const char *options)
{
	struct pbt_instance *in = pbt_open(b->host, "[source s]\n%s", options);
	if (in == NULL)
		fail_msg("%s", pbt_errors(b->host));
	pbt_start(in);
	return in;
}

static void put(struct bench *b, const void *bytes, size_t len)
{
	assert_int_equal(write(b->writer, bytes, len), len);
}

static void assert_ended(struct pbt_instance *in)
{
	int result;
	assert_true(pbt_wait_ended(in, PBT_LONG, &result));
	assert_int_equal(result, PB_DONE);
}

static void assert_body(struct pbt_instance *in, size_t i, const void *bytes, size_t len)
{
	assert_true(pbt_wait_stored(in, i + 1, PBT_LONG));
	struct pb_span body = pb_event_body(pbt_stored(in, i));
	assert_int_equal(body.len, len);
	if (len > 0)
		assert_memory_equal(body.data, bytes, len);
}

static void lines_come_with_all_their_bytes(void **state)
{
	static const char input[] = "one\nCR\r\n\n\r\na\0b\n\xff\xfe\r\r\n  \ntail";
	struct bench *b = *state;
	struct pbt_instance *in = start(b, "");
	put(b, input, sizeof input - 1);
	end_input(b);
	assert_ended(in);
	assert_int_equal(pbt_n_stored(in), 6);
	assert_body(in, 0, "one", 3);
	assert_body(in, 1, "CR", 2);
	assert_body(in, 2, "a\0b", 3);
	assert_body(in, 3, "\xff\xfe\r", 3);
	assert_body(in, 4, "  ", 2);
	assert_body(in, 5, "tail", 4);
	assert_string_equal(pb_event_type(pbt_stored(in, 0)), "line");
	assert_string_equal(pb_event_content_type(pbt_stored(in, 0)), "text/plain");
	assert_string_equal(pb_event_source(pbt_stored(in, 0)), "s");
	assert_true(pbt_logged(b->host, "info [source s] the input has ended after 6 events"));
}

static void a_line_comes_when_it_is_whole(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = start(b, "keep_empty = yes\ntype = t");
	put(b, "one\ntw", 6);
	assert_body(in, 0, "one", 3);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_int_equal(pbt_n_emitted(in), 1);
	put(b, "o\n\n", 3);
	assert_body(in, 1, "two", 3);
	assert_body(in, 2, "", 0);
	assert_string_equal(pb_event_type(pbt_stored(in, 2)), "t");
	assert_true(pbt_stop(in, PBT_LONG));
}

/* What lines come of the bytes, fed in pieces of `piece`, with "|" behind each. */
static void assert_lines(const char *input, size_t piece, enum lines_overlong overlong, const char *expected, size_t n_overlong)
{
	struct lines l;
	struct pb_span line;
	char got[128] = "";
	size_t len = strlen(input), size;
	assert_true(lines_init(&l, 4, overlong, false));
	for (size_t at = 0; at <= len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		char *space = lines_space(&l, &size);
		assert_true(size >= LINES_CHUNK);
		memcpy(space, input + at, n);
		l.end += n;
		while (lines_next(&l, at + piece > len, &line)) {
			assert_true(line.len <= 4);
			snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s|", (int)line.len, (const char *)line.data);
		}
	}
	if (strcmp(got, expected) != 0)
		fail_msg("\"%s\" by %zu: %s, expected %s", input, piece, got, expected);
	assert_int_equal(l.n_overlong, n_overlong);
	assert_int_equal(l.begin, l.end);
	lines_fini(&l);
}

static void overlong_lines(void **state)
{
	static const struct {
		const char *input, *cut, *split, *skip;
		size_t n;
	} cases[] = {
		{ "abcd\nabcd\r\nx", "abcd|abcd|x|", "abcd|abcd|x|", "abcd|abcd|x|", 0 },
		{ "abcde\nx\n", "abcd|x|", "abcd|e|x|", "x|", 1 },
		{ "abcde\r\nx", "abcd|x|", "abcd|e|x|", "x|", 1 },
		{ "abcdefghijkl\nx\n", "abcd|x|", "abcd|efgh|ijkl|x|", "x|", 1 },
		{ "abcdefghijkl", "abcd|", "abcd|efgh|ijkl|", "", 1 },
		{ "abcd\r", "abcd|", "abcd|\r|", "", 1 },
		{ "abcd\rx\ny\n", "abcd|y|", "abcd|\rx|y|", "y|", 1 },
		{ "abcde\nabcde\n\n", "abcd|abcd|", "abcd|e|abcd|e|", "", 2 },
		{ "", "", "", "", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t piece = 1; piece < 14; piece++) {
			assert_lines(cases[i].input, piece, LINES_CUT, cases[i].cut, cases[i].n);
			assert_lines(cases[i].input, piece, LINES_SPLIT, cases[i].split, cases[i].n);
			assert_lines(cases[i].input, piece, LINES_SKIP, cases[i].skip, cases[i].n);
		}
}

static void overlong_lines_are_counted(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = start(b, "max_line = 4\noverlong = split");
	put(b, "abcdefgh\nxyz\nabcde\n", 19);
	end_input(b);
	assert_ended(in);
	assert_int_equal(pbt_n_stored(in), 5);
	assert_int_equal(pbt_metric(in, "overlong"), 2);
	assert_true(pbt_logged(b->host, "a line is longer than max_line, 4 bytes: it becomes several events"));
}

static void json_says_its_type(void **state)
{
	static const char input[] = "{\"e\":{\"t\":\"made\"}}\n{\"e\":1}\n[1, 2]\r\n\n \t\nnot json\n{\"e\":{\"t\":\"a\\u0007\"}}\n{\"e\":{\"t\":\"\"}}";
	struct bench *b = *state;
	struct pbt_instance *in = start(b, "format = json\ntype_field = e.t\ntype = other");
	put(b, input, sizeof input - 1);
	end_input(b);
	assert_ended(in);
	assert_int_equal(pbt_n_stored(in), 6);
	assert_string_equal(pb_event_type(pbt_stored(in, 0)), "made");
	assert_string_equal(pb_event_content_type(pbt_stored(in, 0)), "application/json");
	for (size_t i = 1; i < 6; i++)
		assert_string_equal(pb_event_type(pbt_stored(in, i)), "other");
	assert_body(in, 2, "[1, 2]", 6);
	assert_body(in, 3, "not json", 8);
	assert_string_equal(pb_event_content_type(pbt_stored(in, 3)), "text/plain");
	assert_int_equal(pbt_metric(in, "unparsed"), 1);
}

static void a_full_store_makes_the_writer_wait(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = start(b, "");
	char line[1000];
	size_t written = 0;
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	pbt_store(in, PBT_HOLDS, 0);
	put(b, line, sizeof line);
	assert_true(pbt_wait_held(in, PBT_LONG));
	fcntl(b->writer, F_SETFL, O_NONBLOCK);
	while (write(b->writer, line, sizeof line) == sizeof line)
		written++;
	assert_true(written < 1000);	/* a pipe's worth */
	assert_int_equal(pbt_n_emitted(in), 1);
	pbt_store(in, PBT_STORES, 0);
	assert_true(pbt_wait_stored(in, written + 1, PBT_LONG));
}

static void a_reload_loses_nothing(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = start(b, "max_line = 100");
	put(b, "one\ntw", 6);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	pbt_close(in);
	in = start(b, "max_line = 200");
	put(b, "o\n", 2);
	assert_body(in, 1, "two", 3);
}

static void without_memory_nothing_is_lost(void **state)
{
	struct bench *b = *state;
	pbt_run_clock(b->host);
	for (enum pbt_call call = PBT_EVENT_NEW; call <= PBT_EVENT_SET; call++) {
		struct pbt_instance *in = start(b, "");
		size_t before = pbt_n_stored(in);
		pbt_fail_at(call, 2);
		put(b, "one\ntwo\nthree\n", 14);
		assert_body(in, before, "one", 3);
		assert_body(in, before + 1, "two", 3);
		assert_body(in, before + 2, "three", 5);
		pbt_close(in);
	}
}

static void a_file_in_its_place(void **state)
{
	struct bench *b = *state;
	char path[] = "/tmp/patchbay-stdin-XXXXXX";
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "one\ntwo", 7), 7);
	close(fd);
	char options[64];
	snprintf(options, sizeof options, "path = %s", path);
	struct pbt_instance *in = start(b, options);
	assert_ended(in);
	assert_int_equal(pbt_n_stored(in), 2);
	unlink(path);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *options, *error;
	} cases[] = {
		{ "isolate = process", "isolate: a process of its own has not the daemon's standard input" },
		{ "type_field = a", "type_field: is for format = json" },
		{ "max_line = 2MiB", "max_line: is more than max_event, 1048576 bytes" },
		{ "path = /no/such/file", "path: /no/such/file: No such file or directory" },
	};
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(pbt_open(b->host, "[source s]\n%s", cases[i].options));
		if (strstr(pbt_errors(b->host), cases[i].error) == NULL)
			fail_msg("%s: %s", cases[i].options, pbt_errors(b->host));
	}
	assert_non_null(pbt_open(b->host, "[source s]\n"));
	assert_null(pbt_open(b->host, "[source other]\n"));
	assert_non_null(strstr(pbt_errors(b->host), "another section reads standard input: only one can"));
}

#define WITH_INPUT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_INPUT(lines_come_with_all_their_bytes), WITH_INPUT(a_line_comes_when_it_is_whole),
		cmocka_unit_test(overlong_lines), WITH_INPUT(overlong_lines_are_counted), WITH_INPUT(json_says_its_type),
		WITH_INPUT(a_full_store_makes_the_writer_wait), WITH_INPUT(a_reload_loses_nothing),
		WITH_INPUT(without_memory_nothing_is_lost), WITH_INPUT(a_file_in_its_place), WITH_INPUT(what_is_wrong_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
