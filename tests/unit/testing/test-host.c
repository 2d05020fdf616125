/* The box: sections as the daemon reads them, log, metrics, failing calls, and what is left behind. */
#include "unit/testing/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int set_up(void **state)
{
	tool_hooks = (struct tool_hooks){ 0 };
	*state = pbt_new(&tool_plugin);
	return 0;
}

static int tear_down(void **state)
{
	return pbt_free(*state);
}

static void options_are_read_as_by_the_daemon(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[sink s]\nsize = %d\ntimeout = 7s", 5);
	assert_non_null(in);
	assert_string_equal(pbt_errors(*state), "");
	assert_int_equal(pb_int(pbt_self(in), "size"), 5);
	assert_int_equal(pb_int(pbt_self(in), "timeout"), 7000);
	assert_string_equal(pb_str(pbt_self(in), "listen"), "127.0.0.1:0");
	assert_string_equal(pb_name(pbt_self(in)), "s");
	assert_true(pb_isset(pbt_self(in), "size"));
	assert_false(pb_isset(pbt_self(in), "listen"));
}

static void errors_name_their_lines(void **state)
{
	static const struct {
		const char *ini, *errors;
	} cases[] = {
		{ "[sink s]\nsize = 10",
		  "test.ini:2: [sink s] size: \"10\" is out of range; expected 1 to 9\n" },
		{ "[sink s]\n\nsiez = 1",
		  "test.ini:3: [sink s] siez: there is no such option; did you mean size?\n" },
		{ "[sink s]\nmax_batch = 9",
		  "test.ini:2: [sink s] max_batch: plugin tool takes at most 8 at once\n" },
		{ "[sinc s]",
		  "test.ini:1: [sinc s]: there is no such kind of section; did you mean sink?\n" },
		{ "[sink s]\nplugin = other",
		  "test.ini:2: [sink s] plugin: this test has no plugin but tool\n" },
		{ "[sink s]\ntext = ${env:PBT_NOT_THERE}", "test.ini:2: [sink s] text: " },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(pbt_open(*state, "%s", cases[i].ini));
		if (strncmp(pbt_errors(*state), cases[i].errors, strlen(cases[i].errors)) != 0)
			fail_msg("%s: %s", cases[i].ini, pbt_errors(*state));
	}
}

static void check_listen(struct pb_self *self, struct pb_error *err)
{
	if (pb_int(self, "size") == 4)
		pb_error(err, "size", "may not be four");
}

static bool open_not(struct tool *t, struct pb_error *err)
{
	(void)t;
	pb_error(err, NULL, "cannot");
	return false;
}

static void the_plugin_refuses_by_check_or_open(void **state)
{
	tool_hooks.check = check_listen;
	assert_null(pbt_open(*state, "[source s]\nsize = 4"));
	assert_string_equal(pbt_errors(*state), "test.ini:2: [source s] size: may not be four\n");
	tool_hooks.open = open_not;
	assert_null(pbt_open(*state, "[filter f]\n"));
	assert_string_equal(pbt_errors(*state), "test.ini:1: [filter f]: cannot\n");
}

static bool open_listens(struct tool *t, struct pb_error *err)
{
	return pb_listen(t->self, "listen", 0, err) >= 0;
}

static void a_listener_is_found_by_its_port(void **state)
{
	tool_hooks.open = open_listens;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	assert_non_null(in);
	assert_in_range(pbt_port(in, 0), 1, 65535);
	pbt_fail_at(PBT_LISTEN, 1);
	assert_null(pbt_open(*state, "[source t]"));
	assert_non_null(strstr(pbt_errors(*state), "[source t] listen: cannot listen"));
}

static void log_and_metrics_are_kept(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[sink s]");
	pb_log(pbt_self(in), PB_WARN, "number %d", 7);
	assert_true(pbt_logged(*state, "warning [sink s] number 7\n"));
	assert_false(pbt_logged(*state, "number 8"));
	assert_int_equal(pbt_metric(in, "opened"), 0);
	pb_add(pb_counter(pbt_self(in), "opened", "How often it was opened."), 2);
	assert_int_equal(pbt_metric(in, "opened"), 2);
}

static void time_stands_until_it_is_moved(void **state)
{
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	struct pb_event *ev = pb_event_new(pbt_self(in), (struct pb_span){ "x", 1 });
	assert_true(pb_event_time(ev) == INT64_C(1767225600000));
	pb_event_free(ev);
	pbt_advance(*state, 1500);
	assert_true(pbt_now(*state) == INT64_C(1767225601500));
	ev = pb_event_new(pbt_self(in), (struct pb_span){ "x", 1 });
	assert_true(pb_event_time(ev) == pbt_now(*state));
	pb_event_free(ev);
}

static void calls_fail_when_told(void **state)
{
	struct pb_self *self = pbt_self(pbt_open(*state, "[source s]"));
	struct pb_bytes to = { 0 };
	struct pb_span one = { "1", 1 };
	const char *missing = "x";
	size_t len;
	pbt_fail_at(PBT_EVENT_NEW, 2);
	struct pb_event *ev = pb_event_new(self, one);
	assert_non_null(ev);
	errno = 0;
	assert_null(pb_event_new(self, one));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(pbt_calls(PBT_EVENT_NEW), 2);
	pbt_fail_at(PBT_EVENT_NEW, 1);
	assert_null(pb_event_copy(self, ev, one));
	pbt_fail_at(PBT_EVENT_SET, 1);
	assert_int_equal(pb_event_set(ev, "type", "t"), -ENOMEM);
	assert_int_equal(pb_event_set(ev, "type", "t"), 0);
	pbt_fail_at(PBT_CLOUDEVENT, 1);
	assert_int_equal(pb_cloudevent(ev, &to), -ENOMEM);
	assert_int_equal(to.len, 0);
	pbt_fail_at(PBT_TEXT, 1);
	assert_null(pb_text(one));
	pbt_fail_at(PBT_RENDER, 1);
	assert_null(pb_render(self, "text", ev, &len, &missing));
	assert_null(missing);
	char *text = pb_render(self, "text", ev, &len, &missing);
	assert_string_equal(text, "t");
	free(text);
	pb_event_free(ev);
}

static void a_template_that_is_unset_is_empty(void **state)
{
	struct pb_self *self = pbt_self(pbt_open(*state, "[source s]"));
	struct pb_event *ev = pb_event_new(self, (struct pb_span){ "x", 1 });
	const char *missing = "x";
	size_t len = 1;
	char *text = pb_render(self, "note", ev, &len, &missing);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	assert_null(missing);
	free(text);
	pb_event_free(ev);
}

static void a_body_may_be_too_large(void **state)
{
	pbt_set_max_event(*state, 3);
	struct pb_self *self = pbt_self(pbt_open(*state, "[source s]"));
	assert_int_equal(pb_max_event(self), 3);
	errno = 0;
	assert_null(pb_event_new(self, (struct pb_span){ "four", 4 }));
	assert_int_equal(errno, EMSGSIZE);
}

/* What pbt_free() says of a host whose plugin `leave` was let do, of which `n` it counts. */
static char *told(void (*leave)(struct pbt_instance *), int n)
{
	char *text;
	size_t len;
	struct pbt_host *host = pbt_new(&tool_plugin);
	leave(pbt_open(host, "[source s]"));
	FILE *old = stderr, *to = open_memstream(&text, &len);
	stderr = to;
	int left = pbt_free(host);
	stderr = old;
	fclose(to);
	if (left != n)
		fail_msg("%d: %s", left, text);
	return text;
}

static void leave_events(struct pbt_instance *in)
{
	struct pb_event *ev = pb_event_new(pbt_self(in), (struct pb_span){ "x", 1 });
	pb_event_set(ev, "id", "i1");
	pb_event_set(ev, "type", "lost");
	ev = pb_event_copy(pbt_self(in), ev, (struct pb_span){ "x", 1 });
	pb_event_set(ev, "id", "i2");
}

static int left_fd;

static void leave_descriptor(struct pbt_instance *in)
{
	(void)in;
	left_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static pthread_t left_thread;

static void *read_one(void *fd)
{
	char c;
	return read(*(int *)fd, &c, 1) == 1 ? fd : NULL;
}

static int ends[2];

static void leave_thread(struct pbt_instance *in)
{
	(void)in;
	pthread_create(&left_thread, NULL, read_one, &ends[0]);
	pthread_setname_np(left_thread, "forgotten");
}

static void leave_metric(struct pbt_instance *in)
{
	pb_gauge(pbt_self(in), "late", "It is late.");
}

static void leave_nothing(struct pbt_instance *in)
{
	pb_event_free(pb_event_new(pbt_self(in), (struct pb_span){ "x", 1 }));
}

static void what_is_left_is_named(void **state)
{
	(void)state;
	tool_hooks = (struct tool_hooks){ 0 };
	char *text = told(leave_events, 2);
	assert_non_null(strstr(text, "patchbay-testing: [source s] event i1 (type \"lost\") was neither "
			       "handed over nor freed\n"));
	assert_non_null(strstr(text, "event i2"));
	free(text);
	text = told(leave_descriptor, 1);
	close(left_fd);
	assert_non_null(strstr(text, "patchbay-testing: descriptor "));
	assert_non_null(strstr(text, " (/dev/null) is left by the plugin\n"));
	free(text);
	assert_int_equal(pipe(ends), 0);
	text = told(leave_thread, 1);
	assert_int_equal(write(ends[1], "x", 1), 1);
	pthread_join(left_thread, NULL);
	close(ends[0]);
	close(ends[1]);
	assert_non_null(strstr(text, "patchbay-testing: thread "));
	assert_non_null(strstr(text, " (forgotten) is left by the plugin\n"));
	free(text);
	text = told(leave_metric, 1);
	assert_string_equal(text, "patchbay-testing: [source s] registered a metric after open()\n");
	free(text);
	text = told(leave_nothing, 0);
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(options_are_read_as_by_the_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_name_their_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_plugin_refuses_by_check_or_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_listener_is_found_by_its_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(log_and_metrics_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_stands_until_it_is_moved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_fail_when_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_template_that_is_unset_is_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_body_may_be_too_large, set_up, tear_down),
		cmocka_unit_test(what_is_left_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
