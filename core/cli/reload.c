/* reload.c - `patchbay reload`: the running daemon takes the configuration anew. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/ask.h"

#define LOOK_MS 50

/* What came of it. */
struct outcome {
	const struct cli *cli;
	uint64_t number;
	bool done, right;
};

static void note_number(void *arg, const json_t *answer)
{
	((struct outcome *)arg)->number = answer_count(answer, "number");
}

/* As `check` says it. */
static void print_entry(const json_t *entry)
{
	const char *section = answer_text(entry, "section"), *key = answer_text(entry, "key");
	if (*answer_text(entry, "file") != '\0')
		fprintf(stderr, "%s:", answer_text(entry, "file"));
	if (answer_count(entry, "line") > 0)
		fprintf(stderr, "%llu:", (unsigned long long)answer_count(entry, "line"));
	if (*answer_text(entry, "file") != '\0')
		fputc(' ', stderr);
	if (strcmp(answer_text(entry, "level"), "warning") == 0)
		fputs("warning: ", stderr);
	if (*section != '\0')
		fprintf(stderr, "[%s]%s", section, *key == '\0' ? ": " : " ");
	if (*key != '\0')
		fprintf(stderr, "%s: ", key);
	fprintf(stderr, "%s\n", answer_text(entry, "message"));
}

static void show(void *arg, const json_t *answer)
{
	struct outcome *o = arg;
	const char *type = answer_text(answer, "type");
	if (strcmp(type, "reload") == 0) {
		o->done = json_is_true(json_object_get(answer, "done"));
		o->right = json_is_true(json_object_get(answer, "right"));
	}
	if (o->cli->json && (strcmp(type, "reload") != 0 || o->done))
		answer_print(NULL, answer);
	else if (!o->cli->json && strcmp(type, "section") == 0)
		printf("%-8s [%s]\n", answer_text(answer, "change"), answer_text(answer, "section"));
	else if (!o->cli->json && strcmp(type, "reload") != 0)
		print_entry(answer);
}

static int wait_for(const struct cli_daemon *daemon, struct outcome *o)
{
	json_t *args = json_pack("{s:I}", "number", (json_int_t)o->number);
	int status = CLI_OK;
	while (status == CLI_OK && !o->done) {
		status = cli_daemon_ask(daemon, "reload-result", args, show, o);
		if (status == CLI_OK && !o->done)
			nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
	}
	json_decref(args);
	return status;
}

int cli_reload(struct cli *cli)
{
	struct outcome o = { .cli = cli };
	struct cli_daemon daemon;
	if (cli->argc > 1)
		return cli_usage(cli, "takes no argument; the file comes after -c");
	int status = cli_daemon_find(&daemon, cli);
	if (status == CLI_OK)
		status = cli_daemon_ask(&daemon, "reload", NULL, note_number, &o);
	if (status == CLI_OK)
		status = wait_for(&daemon, &o);
	if (status == CLI_OK && !o.right) {
		if (!cli->json)
			fprintf(stderr, "patchbay reload: not taken; the old configuration stays\n");
		status = CLI_FAILED;
	}
	cli_daemon_free(&daemon);
	return status;
}
