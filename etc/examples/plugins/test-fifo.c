/*
 * test-fifo.c - a test of fifo.c, without a daemon.
 *
 *	cc -std=c17 -D_GNU_SOURCE -o test-fifo test-fifo.c fifo.c \
 *		$(pkg-config --cflags --libs patchbay-testing cmocka)
 *	./test-fifo
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>

#define PATH "/tmp/patchbay-test-fifo"

extern const struct pb_plugin patchbay_plugin;

static int set_up(void **state)
{
	unlink(PATH);
	if (mkfifo(PATH, 0600) < 0)
		return -1;
	*state = pbt_new(&patchbay_plugin);
	return 0;
}

/* The test fails when the plugin has left something behind. */
static int tear_down(void **state)
{
	unlink(PATH);
	return pbt_free(*state);
}

static void put(const char *lines)
{
	int fd = open(PATH, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, lines, strlen(lines)), strlen(lines));
	close(fd);
}

static void each_line_is_an_event(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source lines]\npath = %s\ntype = t", PATH);
	assert_non_null(in);
	pbt_start(in);
	put("one\n\ntwo\n");
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	const struct pb_event *ev = pbt_stored(in, 1);
	assert_string_equal(pb_event_type(ev), "t");
	assert_memory_equal(pb_event_body(ev).data, "two", 3);
}

static void a_full_store_is_waited_for(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source lines]\npath = %s", PATH);
	pbt_store(in, PBT_FULL, 0);
	pbt_start(in);
	put("one\n");
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_int_equal(pbt_n_stored(in), 0);
	pbt_store(in, PBT_STORES, 0);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
}

static void a_line_without_memory_is_told(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source lines]\npath = %s", PATH);
	pbt_fail_at(PBT_EVENT_NEW, 1);
	pbt_start(in);
	put("one\ntwo\n");
	assert_true(pbt_wait_logged(*state, "dropped a line: Cannot allocate memory", PBT_LONG));
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
}

static void what_is_no_fifo_is_refused(void **state)
{
	assert_null(pbt_open(*state, "[source lines]\npath = /dev/null"));
	assert_string_equal(pbt_errors(*state), "test.ini:2: [source lines] path: is not a FIFO\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_line_is_an_event, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_store_is_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_line_without_memory_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_fifo_is_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
