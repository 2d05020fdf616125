/* test-config.c - names to instances and routes; what is legal but surely wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "config/config.h"
#include "unit/config/folder.h"
#include "unit/config/reported.h"

static const struct pb_option options[] = {
	{ "url", PB_URL, NULL, .help = "Where to." },
	{ 0 }
};

static const struct pb_option listening[] = {
	{ "listen", PB_ADDRESSES, NULL, .help = "Where." },
	{ 0 }
};

static char told_folder[100];

static void take_folder(void *arg, const char *plugin_dir)
{
	(void)arg;
	snprintf(told_folder, sizeof told_folder, "%s", plugin_dir);
}

/* "null" has no options and is all kinds; "post" is a sink of ten at once; "many" a source of
 * several, "hear" one that listens. */
static bool find(void *arg, enum config_kind kind, const char *plugin,
		 const struct pb_option **table, uint32_t *most, bool *repeat, struct pb_error *err)
{
	(void)arg;
	assert_true(told_folder[0] == '/');
	bool post = strcmp(plugin, "post") == 0, many = strcmp(plugin, "many") == 0;
	bool hear = strcmp(plugin, "hear") == 0;
	*table = post ? options : hear ? listening : NULL;
	*most = post ? 10 : 1;
	*repeat = many;
	if (strcmp(plugin, "null") == 0 || (post && kind == CONFIG_SINK) ||
	    ((many || hear) && kind == CONFIG_SOURCE))
		return true;
	error_add(err, "plugin", "there is no plugin %s", plugin);
	return false;
}

static struct config *load(const char *text, struct report *report)
{
	const struct config_plugins plugins = { .find = find, .folder = take_folder };
	file_write("f", text);
	told_folder[0] = '\0';
	*report = (struct report){ 0 };
	return config_load("f", &plugins, report);
}

static void says(const char *text, const char *expected)
{
	struct report report;
	struct config *config = load(text, &report);
	config_free(config);
	char *said = reported(&report, false);
	assert_string_equal(said, expected);
	free(said);
}

#define SOURCE "[source in]\nplugin = null\n"
#define SINK "[sink out]\nplugin = null\n"
#define ROUTE "[route all]\nto = out\n"

static void names_lead_to_instances(void **state)
{
	(void)state;
	struct report report;
	struct config *c = load(
		"[patchbay]\nplugin_dir = /somewhere\n"
		"[route runs]\nfrom = b, a\nevents = x_*, y\nfilters = f, g\nto = s, t\n"
		"[route rest]\nto = s\n"
		"[source a]\nplugin = null\n[source b]\nplugin = many\nworkers = 2\n"
		"[filter f]\nplugin = null\n[filter g]\nplugin = null\n"
		"[sink s]\nplugin = null\nretry = 1s, 2s\n[sink t]\nplugin = post\nurl = http://x\n", &report);
	assert_int_equal(report.n, 0);
	assert_string_equal(told_folder, "/somewhere");
	assert_int_equal(c->n_instances, 6);
	assert_int_equal(c->n_routes, 2);
	const struct config_route *r = c->routes[0];
	assert_string_equal(r->name, "runs");
	assert_string_equal(r->title, "route runs");
	assert_int_equal(r->n_from, 2);
	assert_string_equal(r->from[0]->name, "b");
	assert_string_equal(r->filters[1]->title, "filter g");
	assert_string_equal(r->to[1]->plugin, "post");
	assert_string_equal(r->events[0], "x_*");
	assert_null(r->events[2]);
	r = c->routes[1];
	assert_int_equal(r->n_from, 2);
	assert_ptr_equal(r->from[0], config_find(c, CONFIG_SOURCE, "a"));
	assert_string_equal(r->events[0], "*");
	assert_null(config_find(c, CONFIG_SOURCE, "s"));
	assert_null(config_find(c, CONFIG_SINK, "none"));
	const struct config_instance *s = config_find(c, CONFIG_SINK, "s");
	assert_int_equal(s->retry.n, 2);
	assert_true(s->sound && s->used);
	assert_string_equal(options_str(s->options, "order"), "");
	assert_int_equal(options_int(c->core, "max_event"), 16 * 1024 * 1024);
	config_free(c);
}

static void right_is_silent(void **state)
{
	(void)state;
	says(SOURCE SINK ROUTE, "");
}

static void a_missing_file_is_one_error(void **state)
{
	(void)state;
	const struct config_plugins plugins = { .find = find };
	struct report report = { 0 };
	struct config *c = config_load("none", &plugins, &report);
	assert_int_equal(options_int(c->core, "shutdown_timeout"), 10000);
	config_free(c);
	char *said = reported(&report, false);
	assert_string_equal(said, "none: No such file or directory\n");
	free(said);
}

static void plugins_are_asked_for(void **state)
{
	(void)state;
	says(SOURCE ROUTE "[sink out]\nurl = x\n", "f:5: [sink out] plugin: is missing; expected the "
	     "name of a plugin that has a sink, as `patchbay plugins` lists them\n");
	says(SOURCE ROUTE "[sink out]\nplugin =\n", "f:6: [sink out] plugin: is missing; expected the "
	     "name of a plugin that has a sink, as `patchbay plugins` lists them\n");
	says(SOURCE ROUTE "[sink out]\nplugin = nul\nanything = x\n",
	     "f:6: [sink out] plugin: there is no plugin nul\n");
	says(SOURCE ROUTE "[sink out]\nplugin = ${env:PB_TEST_NONE}\n",
	     "f:6: [sink out] plugin: ${env:PB_TEST_NONE}: is not set in the environment\n");
}

static void common_options_are_checked(void **state)
{
	(void)state;
	says("[source in]\nplugin = null\nworkers = 2\n" SINK ROUTE,
	     "f:3: [source in] workers: plugin null cannot run several side by side; expected 1\n");
	says("[source in]\nplugin = many\nworkers = 65\n" SINK ROUTE,
	     "f:3: [source in] workers: \"65\" is out of range; expected 1 to 64\n");
	says(SOURCE ROUTE "[sink out]\nplugin = post\nurl = http://x\nmax_batch = 11\n",
	     "f:8: [sink out] max_batch: plugin post takes at most 10 at once\n");
	says(SOURCE ROUTE "[sink out]\nplugin = null\nretry = 5\n",
	     "f:7: [sink out] retry: not a retry schedule; expected waits such as 5s, 5m, 30m, or "
	     "exponential(FIRST, CAP, COUNT), or none\n");
	says(SOURCE ROUTE "[sink out]\nplugin = null\norder = loose\nfrom = x\n",
	     "f:7: [sink out] order: \"loose\" is not a choice; expected one of strict, relaxed\n"
	     "f:8: [sink out] from: there is no such option\n");
}

static void routes_name_what_there_is(void **state)
{
	(void)state;
	says(SOURCE SINK "[route r]\nfrom = on\nfilters = f\nto = oot, out, out\n",
	     "f:6: [route r] from: there is no [source on]; did you mean in?\n"
	     "f:7: [route r] filters: there is no [filter f]\n"
	     "f:8: [route r] to: there is no [sink oot]; did you mean out?\n"
	     "f:8: [route r] to: names out twice\n");
	says(SOURCE SINK "[route r]\n", "f:5: [route r] to: is missing; expected a list: The "
	     "sinks that each event is delivered to.\n");
	says(SOURCE SINK "[route r]\nto =\n", "f:6: [route r] to: is empty; expected words or \"quoted "
	     "strings\" between commas\n");
	says(SOURCE SINK "[route r]\nto = in\n",
	     "f:6: [route r] to: there is no [sink in]\n");
}

static void names_from_secrets_are_not_shown(void **state)
{
	(void)state;
	setenv("PB_TEST", "hunter2", 1);
	says(SOURCE SINK "[route r]\nto = out, ${env:PB_TEST}\n",
	     "f:6: [route r] to: there is no [sink (secret)]\n");
	says(SOURCE ROUTE "[sink out]\nplugin = ${env:PB_TEST}\n",
	     "f:6: [sink out] plugin: is named by a ${...}; expected the name itself\n");
	unsetenv("PB_TEST");
}

static void listeners_in_one_place_are_warned_of(void **state)
{
	(void)state;
	static const char text[] = SINK ROUTE
		"[source a]\nplugin = hear\nlisten = 127.0.0.1:0, unix:/x, h:1\n"
		"[source b]\nplugin = hear\nlisten = h:1, h:2, 127.0.0.1:0\n";
	says(text, "f:10: warning: [source b] listen: [source a] listens there too\n");
}

/* Its plugin must not be asked about a default that nobody wrote. */
static void an_instance_without_its_secret_is_unsound(void **state)
{
	(void)state;
	struct report report;
	struct config *c = load(SOURCE SINK "retry = ${env:PB_TEST_NONE}\n" ROUTE, &report);
	assert_int_equal(report.errors, 1);
	assert_true(config_find(c, CONFIG_SOURCE, "in")->sound);
	assert_false(config_find(c, CONFIG_SINK, "out")->sound);
	config_free(c);
	report_free(&report);
}

static void what_is_surely_wrong_is_warned_of(void **state)
{
	(void)state;
	says("", "f: warning: there is no source and no sink: nothing will happen\n");
	says(SINK ROUTE, "f:3: warning: [route all]: no source feeds it\n");
	says(SOURCE SINK ROUTE "[source b]\nplugin = null\n[route b]\nfrom = b\nto = out\n", "");
	says(SOURCE SINK "[route r]\nfrom = in\nto = out\n[source b]\nplugin = null\n"
	     "[sink c]\nplugin = null\n[filter d]\nplugin = null\n",
	     "f:8: warning: [source b]: no route takes from it: its events go nowhere\n"
	     "f:10: warning: [sink c]: no route reaches it\n"
	     "f:12: warning: [filter d]: no route uses it\n");
	says(SOURCE SINK "[route r]\nto = out\nevents = a, b, a\n",
	     "f:7: warning: [route r] events: names a type twice\n");
	says(SOURCE SINK "[route r]\nto = out\nevents =\n",
	     "f:7: warning: [route r] events: is empty: no event takes this route\n");
	says(SOURCE SINK "expire = 1h\nretry = 5m, 30m, 2h\n" ROUTE,
	     "f:6: warning: [sink out] retry: an event expires after 1h (expire), so only 2 of the "
	     "3 waits are used\n");
	says(SOURCE SINK "order_by = data.a.b\norder = relaxed\n" ROUTE, "");
	says(SOURCE SINK "order_by = subject\norder = strict\n" ROUTE,
	     "f:5: [sink out] order_by: does not go with order = strict, which keeps all events of a route in "
	     "one order: take one of them out\n");
	says(SOURCE SINK "order_by = data.\nmax_keys = many\n" ROUTE,
	     "f:5: [sink out] order_by: expected the name of an attribute, such as subject, or data.FIELD\n"
	     "f:6: [sink out] max_keys: \"many\" is not a number; expected a whole number\n");
	says(SOURCE SINK "order_by = data.\n" ROUTE,
	     "f:5: [sink out] order_by: expected the name of an attribute, such as subject, or data.FIELD\n");
	says(SOURCE SINK "order_by = data.a..b\n" ROUTE,
	     "f:5: [sink out] order_by: expected the name of an attribute, such as subject, or data.FIELD\n");
	says(SOURCE SINK "order_by = body.a\n" ROUTE,
	     "f:5: warning: [sink out] order_by: is the name of an attribute; a field of the body is data.FIELD\n");
	says(SOURCE "dedupe_max = 5\n" SINK "burst = 5\nmax_keys = 5\n" ROUTE,
	     "f:3: warning: [source in] dedupe_max: has no effect without dedupe\n"
	     "f:6: warning: [sink out] burst: has no effect without rate\n"
	     "f:7: warning: [sink out] max_keys: has no effect without order_by\n");
	says(SOURCE SINK ROUTE "[route own]\nfrom = patchbay\nto = out\nevents = sink.down, patchbay.sink.*\n",
	     "f:10: warning: [route own] events: \"sink.down\" matches none of patchbay's own events, such as "
	     "patchbay.sink.down\n");
	says(SOURCE SINK "order_by = time\n" ROUTE,
	     "f:5: [sink out] order_by: expected the name of an attribute, such as subject, or data.FIELD\n");
	says(SOURCE SINK ROUTE "[patchbay]\nmax_size = 8MiB\n",
	     "f:8: warning: [patchbay] max_size: is below max_event (16MiB by default): an event "
	     "that large never finds room; set max_event too\n");
	says(SOURCE SINK ROUTE "[patchbay]\nmax_event = 20MiB\nmax_size = 8MiB\n",
	     "f:8: warning: [patchbay] max_event: is above max_size (8MiB): an event that large "
	     "never finds room; set one of them\n");
	says(SOURCE SINK ROUTE "[patchbay]\nmax_size = 64MiB\nsegment_size = 9MiB\n",
	     "f:9: warning: [patchbay] segment_size: is over an eighth of max_size (64MiB), which is "
	     "then taken instead\n");
	says(SOURCE SINK "max_backlog = 10GiB\n" ROUTE, "");
	says(SOURCE SINK "max_backlog = 6GiB\n[sink b]\nplugin = null\nmax_backlog = 5GiB\n[route b]\nto = b, out\n",
	     "f:8: warning: [sink b] max_backlog: with those of the sinks before it more than max_size (10GiB by "
	     "default): if all were full, nothing would be accepted\n");
}

static void control_needs_a_group_and_a_place(void **state)
{
	(void)state;
	says(SOURCE SINK ROUTE "[patchbay]\ncontrol = /x/c\ncontrol_group = root\n", "");
	says(SOURCE SINK ROUTE "[patchbay]\ncontrol = /x/c\ncontrol_group = no-such-group\n",
	     "f:9: [patchbay] control_group: there is no group no-such-group\n");
	says(SOURCE SINK ROUTE "[patchbay]\ncontrol_group = root\n",
	     "f:8: [patchbay] control_group: has no effect on the default socket: the state folder "
	     "lets nobody else in; set control too, such as control = /run/patchbay/control.sock\n");
}

static bool own_sound(const char *sink)
{
	struct report report;
	struct config *c = load(sink, &report);
	bool own = c->instances[0]->own_sound;
	assert_true(report.errors > 0 && !c->instances[0]->sound);
	config_free(c);
	report_free(&report);
	return own;
}

static void what_is_a_plugins_own_may_be_right_alone(void **state)
{
	(void)state;
	assert_true(own_sound("[sink s]\nplugin = post\nurl = http://x\nretry = x\nextra = 1\n"));
	assert_false(own_sound("[sink s]\nplugin = post\nurl = x\n"));
	assert_false(own_sound("[sink s]\nplugin = post\nurl =\n"));
	assert_false(own_sound("[sink s]\nplugin = post\n"));
	assert_false(own_sound("[sink s]\nplugin = post\nurl = ${env:NO_SUCH_NAME}\n"));
	assert_false(own_sound("[sink s]\nplugin = nowhere\nurl = http://x\n"));
}

static void tables_of_the_core_are_sound(void **state)
{
	(void)state;
	struct pb_error err;
	error_init(&err);
	assert_true(options_table_sound(config_core_table, NULL, &err));
	assert_true(options_table_sound(config_route_table, NULL, &err));
	for (enum config_kind kind = 0; kind < CONFIG_KINDS; kind++)
		assert_true(options_table_sound(config_common_table(kind), NULL, &err));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_begin, folder_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(names_lead_to_instances),
		IN_FOLDER(right_is_silent),
		IN_FOLDER(a_missing_file_is_one_error),
		IN_FOLDER(plugins_are_asked_for),
		IN_FOLDER(common_options_are_checked),
		IN_FOLDER(routes_name_what_there_is),
		IN_FOLDER(names_from_secrets_are_not_shown),
		IN_FOLDER(listeners_in_one_place_are_warned_of),
		IN_FOLDER(an_instance_without_its_secret_is_unsound),
		IN_FOLDER(what_is_surely_wrong_is_warned_of),
		IN_FOLDER(control_needs_a_group_and_a_place),
		IN_FOLDER(what_is_a_plugins_own_may_be_right_alone),
		cmocka_unit_test(tables_of_the_core_are_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
