/* What plugin-name does with its file, its mark and a store that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>

extern const struct pb_plugin patchbay_plugin;

struct bench {
	struct pbt_host *host;
	char path[80];
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	if (b == NULL)
		return -1;
	*state = b;
	snprintf(b->path, sizeof b->path, "/tmp/test-plugin-name-XXXXXX");
	int fd = mkstemp(b->path);
	if (fd < 0)
		return -1;
	close(fd);
	b->host = pbt_new(&patchbay_plugin);
	return 0;
}

/* The test fails when the plugin has left something behind. */
static int tear_down(void **state)
{
	struct bench *b = *state;
	int left = pbt_free(b->host);
	unlink(b->path);
	free(b);
	return left;
}

static void append(const struct bench *b, const char *text)
{
	FILE *file = fopen(b->path, "a");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The source at the bench's file; the text of `more` is added to its section. */
static struct pbt_instance *source(const struct bench *b, const char *more)
{
	struct pbt_instance *in = pbt_open(b->host, "[source s]\npath = %s\n%s", b->path, more);
	if (in == NULL)
		fail_msg("%s", pbt_errors(b->host));
	return in;
}

static void assert_body(struct pbt_instance *in, size_t i, const char *expected)
{
	struct pb_span body = pb_event_body(pbt_stored(in, i));
	assert_int_equal(body.len, strlen(expected));
	assert_memory_equal(body.data, expected, body.len);
}

static void each_line_is_an_event(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = source(b, "type = t\ninterval = 5s");
	append(b, "one\n\ntwo\nthr");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_body(in, 0, "one");
	assert_body(in, 1, "two");
	assert_string_equal(pb_event_type(pbt_stored(in, 0)), "t");

	/* It has done what there was to do, and looks again when the time has come. */
	int64_t timeout;
	assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
	assert_int_equal(timeout, 5000);
	append(b, "ee\n");
	pbt_advance(b->host, 5000);
	assert_true(pbt_wait_stored(in, 3, PBT_LONG));
	assert_body(in, 2, "three");
	assert_int_equal(pbt_metric(in, "lines"), 3);
}

/* To stop a source whose store is full is the nearest to a crash. */
static void a_crash_repeats_nothing_and_loses_nothing(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = source(b, "");
	append(b, "one\n");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	pbt_store(in, PBT_FULL, 0);
	append(b, "two\nthree\n");
	pbt_advance(b->host, 1000);
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_int_equal(pbt_n_stored(in), 1);
	pbt_close(in);

	in = source(b, "");
	append(b, "four\n");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 4, PBT_LONG));
	assert_body(in, 1, "two");
	assert_body(in, 3, "four");
}

static void what_is_not_stored_is_read_again(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = source(b, "");
	append(b, "one\ntwo\n");
	pbt_store(in, PBT_REFUSES, 1);
	pbt_start(in);
	assert_true(pbt_wait_ended(in, PBT_LONG, NULL));
	assert_true(pbt_logged(b->host, "a line was not stored: too large to store"));
	pbt_start(in);		/* as the daemon does, after a pause */
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_body(in, 0, "one");
}

/* More is read at once than is committed at once: what comes behind a failure may not pass it. */
static void nothing_passes_what_is_not_stored(void **state)
{
	enum { LINES = 30, LENGTH = 100000 };
	struct bench *b = *state;
	struct pbt_instance *in = source(b, "");
	char line[LENGTH + 2] = "";
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof line, "%0*d\n", LENGTH, i);
		append(b, line);
	}
	pbt_store(in, PBT_REFUSES, 1);
	pbt_start(in);
	assert_true(pbt_wait_ended(in, PBT_LONG, NULL));
	assert_int_equal(pbt_n_stored(in), 0);
	pbt_start(in);
	assert_true(pbt_wait_stored(in, LINES, PBT_LONG));
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof line, "%0*d", LENGTH, i);
		assert_body(in, (size_t)i, line);
	}
}

static void short_memory_costs_no_line(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = source(b, "");
	append(b, "one\ntwo\n");
	pbt_fail_at(PBT_EVENT_NEW, 2);
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_wait_logged(b->host, "Cannot allocate memory", PBT_LONG));
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	pbt_fail_at(PBT_EVENT_SET, 1);
	pbt_advance(b->host, 1000);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	pbt_advance(b->host, 1000);
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_body(in, 1, "two");
}

static void a_line_that_is_too_long_is_dropped(void **state)
{
	struct bench *b = *state;
	pbt_set_max_event(b->host, 8);
	struct pbt_instance *in = source(b, "");
	append(b, "12345678\n123456789 and more\n87654321\n");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_body(in, 0, "12345678");
	assert_body(in, 1, "87654321");
	assert_int_equal(pbt_metric(in, "dropped"), 1);
	assert_true(pbt_logged(b->host, "dropped a line longer than 8 bytes"));
}

static void a_shorter_file_is_read_from_its_start(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = source(b, "");
	append(b, "one and more\n");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_int_equal(truncate(b->path, 0), 0);
	append(b, "two\n");
	pbt_advance(b->host, 1000);
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_body(in, 1, "two");
}

static void what_is_wrong_is_refused_at_its_line(void **state)
{
	struct bench *b = *state;
	assert_null(pbt_open(b->host, "[source s]\npath = /x\ntype ="));
	assert_string_equal(pbt_errors(b->host), "test.ini:3: [source s] type: must not be empty: "
			    "routes match on it\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_line_is_an_event, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_crash_repeats_nothing_and_loses_nothing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_stored_is_read_again,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_passes_what_is_not_stored,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(short_memory_costs_no_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_dropped,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_shorter_file_is_read_from_its_start,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_at_its_line,
						set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
