/* The smallest sink: every event is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plugins/host.h"

extern const struct pb_plugin patchbay_plugin;

static void test_null(void **state)
{
	static const char *const settings[] = { NULL };
	struct host *host = host_new(&patchbay_plugin);
	struct host_sink *sink = host_open(host, "n", settings);
	struct pb_delivery *d[3];
	(void)state;
	assert_non_null(sink);
	for (size_t i = 0; i < 3; i++)
		d[i] = host_delivery(sink, host_event(sink, "x", 1, NULL));
	host_send(sink, d, 3);
	assert_true(host_wait(d, 3, 0));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(d[i]->code, PB_OK);
		host_delivery_free(d[i]);
	}
	assert_int_equal(host_metric(sink, "discarded"), 3);
	host_close(sink);
	assert_int_equal(host_free(host), 0);
}

static void test_unknown_option(void **state)
{
	static const char *const settings[] = { "colour = red", NULL };
	struct host *host = host_new(&patchbay_plugin);
	(void)state;
	assert_null(host_open(host, "n", settings));
	assert_string_equal(host_errors(host), "colour: no such option\n");
	assert_int_equal(host_free(host), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null), cmocka_unit_test(test_unknown_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
