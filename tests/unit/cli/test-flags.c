/* test-flags.c - a command's own options, and words that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flags.h"

#define NOW INT64_C(1767323045000)	/* 2026-01-02T03:04:05Z */

static char seen[300];

/* `line` is split at its spaces; what became of it is in `seen`. */
static int take(const char *line)
{
	char copy[200], *argv[20], *state = NULL;
	const char *sink = "-";
	bool all = false;
	uint64_t limit = 0;
	int64_t since = 0;
	const struct flag flags[] = {
		{ "--sink", FLAG_TEXT, &sink }, { "--all", FLAG_YES, &all },
		{ "--limit", FLAG_COUNT, &limit }, { "--since", FLAG_TIME, &since }, { 0 },
	};
	struct cli cli = { .argv = argv };
	snprintf(copy, sizeof copy, "%s", line);
	for (char *w = strtok_r(copy, " ", &state); w != NULL; w = strtok_r(NULL, " ", &state))
		argv[cli.argc++] = w;
	argv[cli.argc] = NULL;
	int status = flags_take(&cli, flags, NOW);
	int len = snprintf(seen, sizeof seen, "%s %d %d %lld:", sink, (int)all, (int)limit,
			   since == 0 ? 0 : (long long)(NOW - since));
	for (int i = 1; i < cli.argc && status == CLI_OK; i++)
		len += snprintf(seen + len, sizeof seen - (size_t)len, " %s", cli.argv[i]);
	return status;
}

static void taken(void **state)
{
	(void)state;
	static const struct {
		const char *line, *seen;
	} cases[] = {
		{ "dead", "- 0 0 0:" },
		{ "dead list x", "- 0 0 0: list x" },
		{ "dead --sink a list --all", "a 1 0 0: list" },
		{ "dead list --sink=a=b -", "a=b 0 0 0: list -" },
		{ "dead --sink= x", " 0 0 0: x" },
		{ "dead --limit 7 --sink --all", "--all 0 7 0:" },
		{ "dead --since 2h", "- 0 0 7200000:" },
		{ "dead --since=2026-01-02T03:04:04Z", "- 0 0 1000:" },
		{ "dead --since 2026-01-02T04:04:04+01:00", "- 0 0 1000:" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(take(cases[i].line), CLI_OK);
		assert_string_equal(seen, cases[i].seen);
	}
}

static void refused(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"dead --sikn a", "dead --sink", "dead --all=yes", "dead --limit 0", "dead --limit x",
		"dead --limit=-1", "dead --since", "dead --since yesterday", "dead --since 5", "dead -x",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_int_equal(take(lines[i]), CLI_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(taken), cmocka_unit_test(refused) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
