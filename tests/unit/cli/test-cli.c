/* test-cli.c - the command line, taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static char seen[500];

/* Stands for the daemon: notes what it was handed. */
static int run(struct cli *cli)
{
	int len = snprintf(seen, sizeof seen, "%s %s %d:", cli->config,
			   cli->plugin_dir == NULL ? "-" : cli->plugin_dir, cli->json);
	for (int i = 0; i < cli->argc; i++)
		len += snprintf(seen + len, sizeof seen - (size_t)len, " %s", cli->argv[i]);
	return CLI_NOT_PERMITTED;
}

/* `line` is split at its spaces. */
static int call(const char *line, int (*daemon)(struct cli *))
{
	char copy[200], *argv[20], *state = NULL;
	int argc = 0;
	snprintf(copy, sizeof copy, "%s", line);
	for (char *w = strtok_r(copy, " ", &state); w != NULL; w = strtok_r(NULL, " ", &state))
		argv[argc++] = w;
	argv[argc] = NULL;
	seen[0] = '\0';
	return cli_main(argc, argv, daemon);
}

static void common_options_stand_anywhere(void **state)
{
	(void)state;
	static const struct {
		const char *line, *seen;
	} cases[] = {
		{ "patchbay run", PATCHBAY_CONFIG_FILE " - 0: run" },
		{ "patchbay run -c f", "f - 0: run" },
		{ "patchbay -c f run --json", "f - 1: run" },
		{ "patchbay --plugin-dir p run -c f", "f p 0: run" },
		{ "patchbay --plugin-dir=p -c=f run", "f p 0: run" },
		{ "patchbay run -c f -c g", "g - 0: run" },
		{ "patchbay run a --own -c f b", "f - 0: run a --own b" },
		{ "patchbay run -- -c f --json", PATCHBAY_CONFIG_FILE " - 0: run -c f --json" },
		{ "patchbay -- run --json", PATCHBAY_CONFIG_FILE " - 0: run --json" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(call(cases[i].line, run), CLI_NOT_PERMITTED);
		assert_string_equal(seen, cases[i].seen);
	}
}

static void wrong_usage_runs_nothing(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"patchbay", "patchbay rum", "patchbay --jsn run", "patchbay run -c",
		"patchbay run --plugin-dir", "patchbay -x", "patchbay -- --json",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		assert_int_equal(call(lines[i], run), CLI_USAGE);
		assert_string_equal(seen, "");
	}
}

static void help_and_version_run_nothing(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"patchbay --help", "patchbay run --help", "patchbay run -h", "patchbay --version",
		"patchbay run --version",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		assert_int_equal(call(lines[i], run), CLI_OK);
		assert_string_equal(seen, "");
	}
}

static void without_a_daemon_there_is_no_run(void **state)
{
	(void)state;
	assert_int_equal(call("patchbay run", NULL), CLI_USAGE);
	assert_int_equal(call("patchbay --help", NULL), CLI_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_options_stand_anywhere),
		cmocka_unit_test(wrong_usage_runs_nothing),
		cmocka_unit_test(help_and_version_run_nothing),
		cmocka_unit_test(without_a_daemon_there_is_no_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
