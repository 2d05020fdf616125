/* Plugins from files: they find the pb_ functions in the test's program. */
#include "unit/testing/tool.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_plugin_is_loaded_from_its_file(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		struct pbt_host *host = pbt_new_file("plugins/null.so");
		struct pbt_instance *in = pbt_open(host, "[sink n]");
		assert_int_equal(pbt_deliver(in, pbt_event(host, "x", 1, NULL)).code, PB_OK);
		assert_int_equal(pbt_metric(in, "discarded"), 1);
		assert_int_equal(pbt_free(host), 0);
	}
}

static void what_is_no_plugin_is_refused_with_a_line(void **state)
{
	static const struct {
		const char *path, *line;
	} cases[] = {
		{ "plugins/none-such.so", "patchbay-testing: plugin none-such cannot be loaded: " },
		{ "plugins/null", "patchbay-testing: a plugin's file is NAME.so: plugins/null\n" },
		{ "tests/unit/plugin/objects/unresolved.so", "patchbay-testing: plugin unresolved cannot be "
		  "loaded: tests/unit/plugin/objects/unresolved.so: undefined symbol: " },
		{ "tests/unit/plugin/objects/none.so", "patchbay-testing: tests/unit/plugin/objects/none.so "
		  "is not a plugin: it has no descriptor patchbay_plugin\n" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[1024];
		int ends[2], status;
		assert_int_equal(pipe(ends), 0);
		pid_t pid = fork();
		if (pid == 0) {
			dup2(ends[1], STDERR_FILENO);
			_exit(pbt_new_file(cases[i].path) == NULL);
		}
		close(ends[1]);
		ssize_t n = read(ends[0], text, sizeof text - 1);
		text[n < 0 ? 0 : n] = '\0';
		close(ends[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		if (strncmp(text, cases[i].line, strlen(cases[i].line)) != 0)
			fail_msg("%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plugin_is_loaded_from_its_file),
		cmocka_unit_test(what_is_no_plugin_is_refused_with_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
