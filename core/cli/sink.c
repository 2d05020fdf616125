/* sink.c - `patchbay sink`: sinks listed, disabled, enabled, drained, tried now. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/flags.h"
#include "cli/table.h"
#include "config/suggest.h"

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

static void print_retry(void *arg, const json_t *answer)
{
	uint64_t waiting = answer_count(answer, "waiting");
	bool probe = json_is_true(json_object_get(answer, "probe"));
	(void)arg;
	printf("sink %s: ", answer_text(answer, "name"));
	if (probe)
		fputs("it is down, and is probed now; then ", stdout);
	if (waiting == 0)
		puts("no delivery waits for its next attempt");
	else
		printf("%llu waiting deliver%s tried%s\n", (unsigned long long)waiting, waiting == 1 ? "y is" : "ies are",
		       probe ? "" : " now");
}

static int run_retry(const struct cli *cli)
{
	json_t *args = json_pack("{s:s}", "name", cli->argv[2]);
	if (args == NULL)
		return cli_usage(cli, "a name is UTF-8 text");
	int status = cli_ask(cli, "sink-retry", args, cli->json ? answer_print : print_retry, NULL);
	json_decref(args);
	return status;
}

/* Without a mode it is tried now. */
static const struct { const char *name, *mode; } deeds[] = {
	{ "disable", "disabled" }, { "enable", "enabled" }, { "drain", "draining" }, { "retry", NULL },
};

/* False: there is no such deed. */
static bool find_mode(const char *deed, const char **mode)
{
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		*mode = deeds[i].mode;
		if (strcmp(deeds[i].name, deed) == 0)
			return true;
	}
	return false;
}

static int wrong_deed(const struct cli *cli)
{
	struct suggest near;
	char hint[SUGGEST_TEXT_SIZE];
	suggest_begin(&near, cli->argv[1]);
	suggest_offer(&near, "list");
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
		suggest_offer(&near, deeds[i].name);
	suggest_text(&near, hint);
	return cli_usage(cli, "there is no `sink %s`%s", cli->argv[1], *hint != '\0' ? hint :
			 ": list, disable, enable, drain, retry");
}

int cli_sink(struct cli *cli)
{
	const char *reason = NULL;
	const struct flag flags[] = { { "--reason", FLAG_TEXT, &reason }, { 0 } };
	int status = flags_take(cli, flags, 0);
	if (status != CLI_OK)
		return status;
	if (cli->argc < 2)
		return cli_usage(cli, "needs list, or disable, enable, drain or retry and the NAME of one sink");
	const char *deed = cli->argv[1], *mode;
	bool list = strcmp(deed, "list") == 0;
	if (!list && !find_mode(deed, &mode))
		return wrong_deed(cli);
	if (list && cli->argc > 2)
		return cli_usage(cli, "list takes no NAME: it shows all");
	if (!list && cli->argc != 3)
		return cli_usage(cli, "%s needs the NAME of one sink", deed);
	if (reason != NULL && (list || mode == NULL || strcmp(deed, "enable") == 0))
		return cli_usage(cli, "%s needs no --reason", deed);
	if (list)
		return run_list(cli);
	return mode == NULL ? run_retry(cli) : run_set(cli, mode, reason);
}
