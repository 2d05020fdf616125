/* dead.c - `patchbay dead`: dead letters listed, shown, replayed, purged. */
#include "cli/dead.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/flags.h"
#include "cli/table.h"
#include "config/suggest.h"
#include "state/rows.h"

#define PAGE 256
#define FULL_PAUSE 200		/* ms until the daemon is asked again that cannot save */
#define FULL_TRIES 50

/* One page under way. */
struct page {
	void (*each)(void *arg, const json_t *letter);
	void *arg;
	json_t *end;		/* its last line */
};

static void take_line(void *arg, const json_t *object)
{
	struct page *p = arg;
	if (strcmp(answer_text(object, "type"), "page") == 0) {
		json_decref(p->end);
		p->end = json_incref((json_t *)object);
	} else if (p->each != NULL) {
		p->each(p->arg, object);
	}
}

static json_t *arguments(const struct dead_asked *asked, bool whole)
{
	return json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:I, s:I, s:b, s:b}", "sink", asked->sink,
			 "route", asked->route, "type", asked->type, "reason", asked->reason,
			 "id", asked->id, "since", (json_int_t)asked->since,
			 "until", (json_int_t)asked->until, "dry_run", (int)asked->dry_run,
			 "whole", (int)whole);
}

static void add_totals(struct dead_totals *t, const json_t *end)
{
	const char *lane = answer_text(end, "removed_lane");
	t->done += answer_count(end, "done");
	t->removed += answer_count(end, "removed");
	t->waiting += answer_count(end, "waiting");
	if (t->removed_lane[0] == '\0')
		snprintf(t->removed_lane, sizeof t->removed_lane, "%s", lane);
}

static void show_progress(const char *word, uint64_t n, bool last)
{
	if (word == NULL || isatty(STDERR_FILENO) != 1)
		return;
	if (last)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%llu %s\033[K", (unsigned long long)n, word);
}

/* Ask for one page from args.at on, which moves on. 1: there is more, 0: that was all, -1: *status says why not. */
static int one_page(const struct dead_asked *asked, const char *verb, json_t *args, struct dead_totals *t,
		    struct page *p, int *status)
{
	for (int tries = 0; tries < FULL_TRIES; tries++) {
		json_object_set_new(args, "most", json_integer((json_int_t)(asked->limit - t->found < PAGE ?
									   asked->limit - t->found : PAGE)));
		*status = cli_daemon_ask(&asked->daemon, verb, args, take_line, p);
		if (*status != CLI_OK || p->end == NULL)
			return -1;
		add_totals(t, p->end);
		if (!json_is_true(json_object_get(p->end, "full"))) {
			t->found += answer_count(p->end, "found");
			json_object_set(args, "at", json_object_get(p->end, "at"));
			return json_is_true(json_object_get(p->end, "more"));
		}
		poll(NULL, 0, FULL_PAUSE);
	}
	fprintf(stderr, "patchbay dead: the daemon cannot save its state at present; try again\n");
	*status = CLI_FAILED;
	return -1;
}

int dead_pages(const struct dead_asked *asked, const char *verb, bool whole, const char *progress,
	       struct dead_totals *t, void (*each)(void *arg, const json_t *letter), void *arg)
{
	struct page p = { .each = each, .arg = arg };
	json_t *args = arguments(asked, whole);
	int status = CLI_OK, more = 1;
	while (more > 0 && t->found < asked->limit) {
		more = one_page(asked, verb, args, t, &p, &status);
		show_progress(progress, asked->dry_run ? t->found : t->done, false);
	}
	show_progress(progress, 0, true);
	json_decref(p.end);
	json_decref(args);
	return status;
}

static const struct column columns[] = {
	{ "DIED", false }, { "REASON", false }, { "LANE", false }, { "TYPE", false }, { "ID", false },
	{ "ATTEMPTS", true }, { "LAST ERROR", false }, { NULL, false },
};

static void add_letter(void *arg, const json_t *letter)
{
	struct table *t = arg;
	char lane[160];
	bool configured = json_is_true(json_object_get(letter, "configured"));
	snprintf(lane, sizeof lane, "%s -> %s", answer_text(letter, "route"), answer_text(letter, "sink"));
	table_add(t, TONE_PLAIN, answer_text(letter, "died"));
	table_add(t, TONE_PLAIN, answer_text(letter, "reason"));
	table_add(t, configured ? TONE_PLAIN : TONE_WARN, lane);
	table_add(t, TONE_PLAIN, answer_text(letter, "event_type"));
	table_add(t, TONE_PLAIN, answer_text(letter, "id"));
	table_add_count(t, TONE_PLAIN, answer_count(letter, "attempts"));
	table_add(t, TONE_PLAIN, answer_text(letter, "last_error"));
}

static void print_json(void *arg, const json_t *object)
{
	++*(int *)arg;
	answer_print(NULL, object);
}

static int run_list(struct dead_asked *asked)
{
	struct dead_totals totals = { 0 };
	struct table t;
	if (asked->cli->json)
		return dead_pages(asked, "dead", false, NULL, &totals, answer_print, NULL);
	table_init(&t, columns);
	int status = dead_pages(asked, "dead", false, NULL, &totals, add_letter, &t);
	table_print(&t, stdout, tone_welcome(stdout));
	table_free(&t);
	return status;
}

/* It may have been delivered, or wait for its next attempt: trace knows. */
static int none_fits(const struct dead_asked *asked)
{
	if (asked->id != NULL)
		fprintf(stderr, "patchbay dead: no dead letter fits; `patchbay trace` knows of other events\n");
	else
		fprintf(stderr, "patchbay dead: no dead letter fits\n");
	return CLI_FAILED;
}

static int run_show(struct dead_asked *asked)
{
	struct dead_totals totals = { 0 };
	int shown = 0;
	int status = dead_pages(asked, "dead", true, NULL, &totals,
				asked->cli->json ? print_json : dead_show, &shown);
	if (status != CLI_OK || shown > 0)
		return status;
	return none_fits(asked);
}

/* What was left, and why. */
static int complain(const struct dead_totals *t, const char *what)
{
	if (t->removed > 0)
		fprintf(stderr, "patchbay dead: %llu cannot be replayed: the configuration no longer has %s; "
			"once it has, they can\n", (unsigned long long)t->removed, t->removed_lane);
	if (t->waiting > 0)
		fprintf(stderr, "patchbay dead: %llu cannot be %s yet: something before them is under way "
			"to their sink; try again\n", (unsigned long long)t->waiting, what);
	return t->removed > 0 || t->waiting > 0 ? CLI_FAILED : CLI_OK;
}

static int run_change(struct dead_asked *asked, const char *verb, const char *what)
{
	struct dead_totals t = { 0 };
	bool dry = asked->dry_run;
	int status = dead_pages(asked, verb, false, what, &t, NULL, NULL);
	uint64_t n = dry ? t.found : t.done;
	if (asked->cli->json) {
		json_t *object = json_pack("{s:I, s:I, s:I, s:I, s:b}", "found", (json_int_t)t.found,
					   what, (json_int_t)t.done, "removed", (json_int_t)t.removed,
					   "waiting", (json_int_t)t.waiting, "dry_run", (int)dry);
		answer_print(NULL, object);
		json_decref(object);
	} else {
		printf("%llu dead letter%s %s\n", (unsigned long long)n, n == 1 ? "" : "s",
		       dry ? "fit; nothing was changed" : what);
	}
	if (status == CLI_OK && asked->id != NULL && t.found == 0)
		status = none_fits(asked);
	return status != CLI_OK ? status : complain(&t, what);
}

static int run_replay(struct dead_asked *asked)
{
	return run_change(asked, "dead-replay", "replayed");
}

static int run_purge(struct dead_asked *asked)
{
	return run_change(asked, "dead-purge", "purged");
}

static const struct { const char *name; bool changes; int (*run)(struct dead_asked *); } deeds[] = {
	{ "list", false, run_list }, { "show", false, run_show },
	{ "replay", true, run_replay }, { "purge", true, run_purge },
};

/* It is no reason: which there are, and the nearest. */
static int wrong_reason(const struct dead_asked *a)
{
	struct suggest near;
	char hint[SUGGEST_TEXT_SIZE], all[160] = "";
	suggest_begin(&near, a->reason);
	for (enum dead_reason reason = DEAD_REJECTED; reason <= DEAD_REMOVED; reason++) {
		size_t len = strlen(all);
		suggest_offer(&near, dead_reason_name(reason));
		snprintf(all + len, sizeof all - len, "%s%s", len > 0 ? ", " : "", dead_reason_name(reason));
	}
	return cli_usage(a->cli, "there is no reason %s%s; there are %s", a->reason, suggest_text(&near, hint), all);
}

static int parse(struct dead_asked *a)
{
	const struct flag flags[] = {
		{ "--sink", FLAG_TEXT, &a->sink }, { "--route", FLAG_TEXT, &a->route },
		{ "--type", FLAG_TEXT, &a->type }, { "--reason", FLAG_TEXT, &a->reason },
		{ "--id", FLAG_TEXT, &a->id }, { "--since", FLAG_TIME, &a->since },
		{ "--until", FLAG_TIME, &a->until }, { "--limit", FLAG_COUNT, &a->limit },
		{ "--all", FLAG_YES, &a->all }, { "--dry-run", FLAG_YES, &a->dry_run }, { 0 },
	};
	int status = flags_take(a->cli, flags, clock_wall(&clock_system));
	if (status != CLI_OK)
		return status;
	if (a->reason != NULL && dead_reason_find(a->reason) == 0)
		return wrong_reason(a);
	if (a->cli->argc > 3 || (a->cli->argc == 3 && a->id != NULL))
		return cli_usage(a->cli, "takes one event's ID");
	if (a->until != 0 && a->until <= a->since)
		return cli_usage(a->cli, "--until is not after --since");
	if (a->cli->argc == 3)
		a->id = a->cli->argv[2];
	return CLI_OK;
}

/* Everything that is dead is not meant by leaving something out. */
static bool is_narrow(const struct dead_asked *a)
{
	return a->sink != NULL || a->route != NULL || a->type != NULL || a->reason != NULL || a->id != NULL ||
	       a->since != 0 || a->until != 0 || a->limit != UINT64_MAX;
}

int cli_dead(struct cli *cli)
{
	struct dead_asked asked = { .cli = cli, .limit = UINT64_MAX };
	int status = parse(&asked);
	if (status != CLI_OK)
		return status;
	for (size_t i = 0; cli->argc > 1 && i < sizeof deeds / sizeof *deeds; i++) {
		if (strcmp(deeds[i].name, cli->argv[1]) != 0)
			continue;
		if (deeds[i].run != run_list && !asked.all && !is_narrow(&asked))
			return cli_usage(cli, "%s needs an event's ID, a filter, or --all", deeds[i].name);
		if (asked.dry_run && !deeds[i].changes)
			return cli_usage(cli, "%s changes nothing anyway: --dry-run is for replay and purge",
					 deeds[i].name);
		status = cli_daemon_find(&asked.daemon, cli);
		if (status == CLI_OK)
			status = deeds[i].run(&asked);
		cli_daemon_free(&asked.daemon);
		return status;
	}
	return cli_usage(cli, cli->argc > 1 ? "there is no `dead %s`: list, show, replay, purge" :
			 "needs list, show, replay or purge", cli->argc > 1 ? cli->argv[1] : "");
}
