/* trace.c - `patchbay trace`: where an event is, and what became of it. */
#include "cli/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/dead.h"

/* What came of one event id. */
struct traced {
	json_t *events;		/* an array */
	json_t *history;
};

static void take(void *arg, const json_t *object)
{
	struct traced *t = arg;
	if (strcmp(answer_text(object, "type"), "event") == 0) {
		json_array_append(t->events, (json_t *)object);
	} else {
		json_decref(t->history);
		t->history = json_incref((json_t *)object);
	}
}

/* One event may have died on many lanes. */
struct numbers {
	uint64_t list[64];
	size_t n;
};

static void take_number(void *arg, const json_t *letter)
{
	struct numbers *numbers = arg;
	uint64_t seq = answer_count(letter, "seq");
	for (size_t i = 0; i < numbers->n; i++)
		if (numbers->list[i] == seq)
			return;
	if (numbers->n < sizeof numbers->list / sizeof *numbers->list)
		numbers->list[numbers->n++] = seq;
}

/* What the history no longer has may still be a dead letter, which takes longer to find. */
static int look_among_the_dead(const struct cli_daemon *daemon, struct cli *cli, const char *id, struct traced *t)
{
	struct dead_asked asked = { .cli = cli, .daemon = *daemon, .id = id, .limit = UINT64_MAX };
	struct dead_totals totals = { 0 };
	struct numbers numbers = { .n = 0 };
	int status = dead_pages(&asked, "dead", false, NULL, &totals, take_number, &numbers);
	for (size_t i = 0; i < numbers.n && status == CLI_OK; i++) {
		json_t *args = json_pack("{s:I}", "seq", (json_int_t)numbers.list[i]);
		status = cli_daemon_ask(daemon, "trace", args, take, t);
		json_decref(args);
	}
	return status;
}

/* Where it was looked for. */
static void say_history(const json_t *history)
{
	const char *begins = answer_text(history, "begins"), *error = answer_text(history, "error");
	if (*error != '\0')
		fprintf(stderr, "the history cannot be read (%s)", error);
	else if (!json_is_true(json_object_get(history, "there")))
		fprintf(stderr, "no history is kept (`history` in [patchbay])");
	else if (*begins == '\0')
		fprintf(stderr, "the history is empty");
	else
		fprintf(stderr, "it is not in the history, which begins at %s", begins);
}

static int not_found(const char *id, const json_t *history)
{
	fprintf(stderr, "patchbay trace: no event %.256s is known: ", id);
	say_history(history);
	fprintf(stderr, ", and nothing that is stored has this id\n");
	if (answer_count(history, "missing") + answer_count(history, "unwritten") > 0)
		fprintf(stderr, "The history has gaps: the disk did not take all of it.\n");
	if (json_is_true(json_object_get(history, "cut")))
		fprintf(stderr, "Not all of the journal was looked through, since it is large: look for the id in what "
			"`patchbay store export` prints.\n");
	return CLI_FAILED;
}

static void print(const struct cli *cli, const char *id, const struct traced *t)
{
	size_t i;
	json_t *event;
	int64_t now_ms = clock_wall(&clock_system);
	if (cli->json) {
		json_t *all = json_pack("{s:s, s:O, s:O}", "id", id, "events", t->events, "history", t->history);
		answer_print(NULL, all);
		json_decref(all);
		return;
	}
	json_array_foreach(t->events, i, event) {
		if (i > 0)
			putchar('\n');
		/* What has only the history left does not know its id, but we do. */
		json_object_set_new(event, "id", json_string(id));
		trace_show(event, now_ms);
	}
	if (json_is_true(json_object_get(t->history, "cut")))
		puts("\nThere is more than is shown.");
}

static int trace(struct cli *cli, const char *id)
{
	struct cli_daemon daemon;
	struct traced t = { .events = json_array() };
	json_t *args = json_pack("{s:s}", "id", id);
	int status = cli_daemon_find(&daemon, cli);
	if (status == CLI_OK)
		status = cli_daemon_ask(&daemon, "trace", args, take, &t);
	if (status == CLI_OK && json_array_size(t.events) == 0)
		status = look_among_the_dead(&daemon, cli, id, &t);
	if (status == CLI_OK && json_array_size(t.events) == 0)
		status = not_found(id, t.history);
	else if (status == CLI_OK)
		print(cli, id, &t);
	json_decref(args);
	json_decref(t.events);
	json_decref(t.history);
	cli_daemon_free(&daemon);
	return status;
}

int cli_trace(struct cli *cli)
{
	if (cli->argc != 2)
		return cli_usage(cli, "needs one event's ID");
	json_t *utf8 = json_string(cli->argv[1]);
	bool valid = utf8 != NULL && *cli->argv[1] != '\0';
	json_decref(utf8);
	return valid ? trace(cli, cli->argv[1]) : cli_usage(cli, "an ID is UTF-8 text");
}
