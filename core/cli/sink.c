/* sink.c - `patchbay sink`: sinks listed, disabled, enabled, drained. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/flags.h"
#include "cli/table.h"

static const struct column columns[] = {
	{ "NAME", false }, { "PLUGIN", false }, { "STATE", false }, { "BEHIND", true },
	{ "STRAGGLERS", true }, { "DEAD", true }, { "PURGED", true }, { "SINCE", false },
	{ "WHY", false }, { NULL, false },
};

/* Why it is as it is: what an operator said, or what its receiver does. */
static void add_why(struct table *t, const json_t *sink, bool enabled)
{
	char span[HUMAN_SIZE], why[400];
	uint64_t failing = answer_count(sink, "failing_ms");
	const char *failure = answer_text(sink, "last_failure");
	span_format((int64_t)failing, span);
	if (!enabled)
		snprintf(why, sizeof why, "%s", answer_text(sink, "why"));
	else if (failing > 0)
		snprintf(why, sizeof why, "fails for %s: %s", span, failure);
	else
		snprintf(why, sizeof why, "%s", failure);
	table_add(t, TONE_PLAIN, why);
}

static void add_sink(void *arg, const json_t *sink)
{
	struct table *t = arg;
	const char *state = answer_text(sink, "state");
	bool enabled = strcmp(answer_text(sink, "mode"), "enabled") == 0;
	uint64_t dead = answer_count(sink, "dead");
	table_add(t, TONE_PLAIN, answer_text(sink, "name"));
	table_add(t, TONE_PLAIN, answer_text(sink, "plugin"));
	table_add(t, strcmp(state, "running") == 0 ? TONE_PLAIN :
		  strcmp(state, "disabled") == 0 || strcmp(state, "down") == 0 ? TONE_BAD : TONE_WARN, state);
	table_add_count(t, TONE_PLAIN, answer_count(sink, "behind"));
	table_add_count(t, TONE_PLAIN, answer_count(sink, "stragglers"));
	table_add_count(t, dead > 0 ? TONE_BAD : TONE_PLAIN, dead);
	table_add_count(t, TONE_PLAIN, answer_count(sink, "purged"));
	table_add(t, TONE_PLAIN, enabled ? "" : answer_text(sink, "since"));
	add_why(t, sink, enabled);
}

static int run_list(const struct cli *cli)
{
	struct table t;
	if (cli->json)
		return cli_ask(cli, "sinks", NULL, answer_print, NULL);
	table_init(&t, columns);
	int status = cli_ask(cli, "sinks", NULL, add_sink, &t);
	table_print(&t, stdout, tone_welcome(stdout));
	table_free(&t);
	return status;
}

static void print_change(void *arg, const json_t *answer)
{
	bool changed = json_is_true(json_object_get(answer, "changed"));
	(void)arg;
	printf("sink %s is %s%s\n", answer_text(answer, "name"), answer_text(answer, "mode"),
	       changed ? "" : " already");
}

static int run_set(const struct cli *cli, const char *mode, const char *reason)
{
	json_t *args = json_pack("{s:s, s:s, s:s*}", "name", cli->argv[2], "mode", mode, "reason", reason);
	if (args == NULL)
		return cli_usage(cli, "a name and a reason are UTF-8 text");
	int status = cli_ask(cli, "sink-set", args, cli->json ? answer_print : print_change, NULL);
	json_decref(args);
	return status;
}

int cli_sink(struct cli *cli)
{
	static const struct { const char *name, *mode; } deeds[] = {
		{ "disable", "disabled" }, { "enable", "enabled" }, { "drain", "draining" },
	};
	const char *reason = NULL;
	const struct flag flags[] = { { "--reason", FLAG_TEXT, &reason }, { 0 } };
	int status = flags_take(cli, flags, 0);
	if (status != CLI_OK)
		return status;
	if (cli->argc == 2 && strcmp(cli->argv[1], "list") == 0 && reason == NULL)
		return run_list(cli);
	for (size_t i = 0; cli->argc == 3 && i < sizeof deeds / sizeof *deeds; i++) {
		if (strcmp(deeds[i].name, cli->argv[1]) != 0)
			continue;
		if (reason != NULL && strcmp(deeds[i].name, "enable") == 0)
			return cli_usage(cli, "enable needs no --reason");
		return run_set(cli, deeds[i].mode, reason);
	}
	return cli_usage(cli, "needs list, or disable, enable or drain and the NAME of one sink");
}
