/* replay.c - `patchbay replay`: kept events delivered again to one sink. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/flags.h"

#define FULL_PAUSE 200		/* ms until the daemon is asked again that cannot save */
#define FULL_TRIES 50

/* What was asked for, and what came of it. */
struct asked {
	const struct cli *cli;
	struct cli_daemon daemon;
	const char *to, *route, *type, *id;
	int64_t since, until;
	bool dry_run;
	json_t *page;			/* the last */
	char oldest[TIME_TEXT_SIZE];	/* the journal's first event, "" */
	uint64_t found, done, under_way, rows;
};

static void take_page(void *arg, const json_t *object)
{
	struct asked *a = arg;
	json_decref(a->page);
	a->page = json_incref((json_t *)object);
	a->found += answer_count(object, "found");
	a->done += answer_count(object, "done");
	a->under_way += answer_count(object, "under_way");
	a->rows += answer_count(object, "rows");
	if (a->oldest[0] == '\0')
		snprintf(a->oldest, sizeof a->oldest, "%s", answer_text(object, "oldest"));
}

static void show_progress(const struct asked *a, bool last)
{
	if (isatty(STDERR_FILENO) != 1)
		return;
	uint64_t left = answer_count(a->page, "end") - answer_count(a->page, "at");
	if (last)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%" PRIu64 " %s, %" PRIu64 " events to look at\033[K",
			a->dry_run ? a->found : a->done, a->dry_run ? "fit" : "replayed", left);
}

static json_t *arguments(const struct asked *a)
{
	return json_pack("{s:s, s:s*, s:s*, s:s*, s:I, s:I, s:b}", "to", a->to, "route", a->route,
			 "type", a->type, "id", a->id, "since", (json_int_t)a->since,
			 "until", (json_int_t)a->until, "dry_run", (int)a->dry_run);
}

/* Page by page. The exit status. */
static int ask_all(struct asked *a)
{
	json_t *args = arguments(a);
	if (args == NULL)
		return cli_usage(a->cli, "names are UTF-8 text");
	int status = CLI_OK, tries = 0;
	for (bool more = true; more && status == CLI_OK && tries < FULL_TRIES; ) {
		status = cli_daemon_ask(&a->daemon, "replay", args, take_page, a);
		if (status != CLI_OK || a->page == NULL)
			break;
		show_progress(a, false);
		json_object_set(args, "at", json_object_get(a->page, "at"));
		more = json_is_true(json_object_get(a->page, "more"));
		tries = json_is_true(json_object_get(a->page, "full")) ? tries + 1 : 0;
		if (tries > 0)
			poll(NULL, 0, FULL_PAUSE);
	}
	show_progress(a, true);
	json_decref(args);
	if (tries == FULL_TRIES) {
		fprintf(stderr, "patchbay replay: the daemon cannot save its state at present; go on later\n");
		status = CLI_FAILED;
	}
	return status;
}

static void print_json(const struct asked *a)
{
	json_t *object = json_pack("{s:I, s:I, s:I, s:I, s:b, s:s*}", "found", (json_int_t)a->found,
				   "replayed", (json_int_t)a->done, "under_way", (json_int_t)a->under_way,
				   "waiting_or_dead", (json_int_t)a->rows, "dry_run", (int)a->dry_run,
				   "oldest", a->oldest[0] != '\0' ? a->oldest : NULL);
	answer_print(NULL, object);
	json_decref(object);
}

static void print_text(const struct asked *a)
{
	uint64_t fit = a->found - a->under_way - a->rows;
	printf("%" PRIu64 " deliver%s %s\n", a->dry_run ? fit : a->done, (a->dry_run ? fit : a->done) == 1 ? "y" : "ies",
	       a->dry_run ? "would be made again; nothing was changed" : "will be made again");
	if (a->under_way > 0)
		printf("%" PRIu64 " left out: not made yet the first time\n", a->under_way);
	if (a->rows > 0)
		printf("%" PRIu64 " left out: they wait for their next attempt, or are dead letters (patchbay dead)\n",
		       a->rows);
}

/* That less is there than was asked for is no failure, but to be known. */
static void tell_oldest(const struct asked *a)
{
	int64_t oldest;
	if (a->oldest[0] == '\0')
		fprintf(stderr, "patchbay replay: the journal has no event\n");
	else if (time_parse(a->oldest, &oldest) == 0 && a->since != 0 && a->since < oldest)
		fprintf(stderr, "patchbay replay: the journal goes back to %s; what came before is not kept any more\n",
			a->oldest);
}

static int run(struct asked *a)
{
	int status = ask_all(a);
	if (status != CLI_OK && a->page == NULL)
		return status;
	if (a->cli->json)
		print_json(a);
	else
		print_text(a);
	tell_oldest(a);
	if (status == CLI_OK && a->id != NULL && a->found == 0) {
		fprintf(stderr, "patchbay replay: no event of that id is kept that a route leads to %s\n", a->to);
		status = CLI_FAILED;
	}
	return status;
}

int cli_replay(struct cli *cli)
{
	struct asked a = { .cli = cli };
	const struct flag flags[] = {
		{ "--to", FLAG_TEXT, &a.to }, { "--route", FLAG_TEXT, &a.route }, { "--type", FLAG_TEXT, &a.type },
		{ "--id", FLAG_TEXT, &a.id }, { "--since", FLAG_TIME, &a.since }, { "--until", FLAG_TIME, &a.until },
		{ "--dry-run", FLAG_YES, &a.dry_run }, { 0 },
	};
	int status = flags_take(cli, flags, clock_wall(&clock_system));
	if (status != CLI_OK)
		return status;
	if (cli->argc > 1)
		return cli_usage(cli, "takes options only: --to SINK --since TIME");
	if (a.to == NULL)
		return cli_usage(cli, "needs --to SINK");
	if (a.since == 0 && a.id == NULL)
		return cli_usage(cli, "needs --since TIME or --id ID");
	if (a.until != 0 && a.until <= a.since)
		return cli_usage(cli, "--until is not after --since");
	status = cli_daemon_find(&a.daemon, cli);
	if (status == CLI_OK)
		status = run(&a);
	json_decref(a.page);
	cli_daemon_free(&a.daemon);
	return status;
}
