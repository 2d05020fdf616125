/* The smallest sink: every event is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <patchbay/testing.h>

extern const struct pb_plugin patchbay_plugin;

static void test_null(void **state)
{
	struct pbt_host *host = pbt_new(&patchbay_plugin);
	struct pbt_instance *sink = pbt_open(host, "[sink n]");
	struct pb_delivery *d[3];
	(void)state;
	assert_non_null(sink);
	for (size_t i = 0; i < 3; i++)
		d[i] = pbt_delivery(sink, pbt_event(host, "x", 1, NULL));
	pbt_send(sink, d, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pbt_answer(d[i]).code, PB_OK);
	assert_int_equal(pbt_metric(sink, "discarded"), 3);
	assert_int_equal(pbt_free(host), 0);
}

static void test_unknown_option(void **state)
{
	struct pbt_host *host = pbt_new(&patchbay_plugin);
	(void)state;
	assert_null(pbt_open(host, "[sink n]\ncolour = red"));
	assert_string_equal(pbt_errors(host), "test.ini:2: [sink n] colour: there is no such option\n");
	assert_int_equal(pbt_free(host), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null), cmocka_unit_test(test_unknown_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
