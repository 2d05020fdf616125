/* status.c - `patchbay status`: how the daemon, its instances and its lanes are. */
#include "cli/cli.h"

#include <string.h>

#include "cli/ask.h"
#include "cli/status.h"
#include "cli/table.h"

/* What is printed once all of the answer has come. */
struct view {
	bool colour;
	struct table instances, lanes;
};

static const struct column instance_columns[] = {
	{ "KIND", false }, { "NAME", false }, { "PLUGIN", false }, { "STATE", false },
	{ "EVENTS", true }, { "FAILURES", true }, { "IN FLIGHT", true }, { "BACKLOG", true }, { "LAST FAILURE", false },
	{ NULL, false },
};
static const struct column lane_columns[] = {
	{ "LANE", false }, { "BEHIND", true }, { "WAITING", true }, { "STRAGGLERS", true },
	{ "DEAD", true }, { "OLDEST", true }, { "DELIVERED", true }, { "RETRIED", true },
	{ NULL, false },
};

/* "; 3 lost", when there are any. */
static void print_count(const struct view *v, const json_t *object, const char *name,
			enum tone tone, const char *what)
{
	char number[HUMAN_SIZE], text[HUMAN_SIZE * 2];
	uint64_t n = answer_count(object, name);
	if (n == 0)
		return;
	count_format(n, number);
	snprintf(text, sizeof text, "%s %s", number, what);
	fputs("; ", stdout);
	tone_print(stdout, tone, text, v->colour);
}

static void print_daemon(const struct view *v, const json_t *daemon)
{
	const json_t *journal = json_object_get(daemon, "journal");
	char up[HUMAN_SIZE], bytes[HUMAN_SIZE], events[HUMAN_SIZE], state[HUMAN_SIZE];
	span_format((int64_t)answer_count(daemon, "uptime_ms"), up);
	bytes_format(answer_count(journal, "bytes"), bytes);
	count_format(answer_count(journal, "events"), events);
	bytes_format(answer_count(daemon, "state_bytes"), state);
	printf("patchbay %s, up %s; journal %s, %s event%s; state %s", answer_text(daemon, "version"),
	       up, bytes, events, answer_count(journal, "events") == 1 ? "" : "s", state);
	print_count(v, daemon, "unrouted", TONE_PLAIN, "unrouted");
	print_count(v, journal, "damaged_blocks", TONE_BAD,
		    answer_count(journal, "damaged_blocks") == 1 ? "block damaged" : "blocks damaged");
	print_count(v, daemon, "lost", TONE_BAD, "lost");
	const char *refused = answer_text(daemon, "refused");
	if (*refused != '\0') {
		char text[160];
		snprintf(text, sizeof text, "configuration of %s, a reload was REFUSED at %s",
			 answer_text(daemon, "loaded"), refused);
		fputs("; ", stdout);
		tone_print(stdout, TONE_BAD, text, v->colour);
	} else if (strcmp(answer_text(daemon, "loaded"), answer_text(daemon, "started")) != 0) {
		printf("; configuration of %s", answer_text(daemon, "loaded"));
	}
	if (json_is_true(json_object_get(daemon, "full"))) {
		fputs("; ", stdout);
		tone_print(stdout, TONE_BAD, "FULL: nothing is accepted until space returns", v->colour);
	}
	putchar('\n');
}

static enum tone if_any(uint64_t n, enum tone tone)
{
	return n > 0 ? tone : TONE_PLAIN;
}

/* A sink's, in sight of its limit. */
static void add_backlog(struct table *t, const json_t *in)
{
	char text[HUMAN_SIZE] = "";
	uint64_t bytes = answer_count(in, "backlog_bytes"), most = answer_count(in, "max_backlog");
	if (bytes > 0)
		bytes_format(bytes, text);
	table_add(t, bytes > most - most / 5 ? TONE_BAD : TONE_PLAIN, text);
}

/* Of an isolated section with its process: "http (4711)". */
static void add_plugin(struct table *t, const json_t *in)
{
	char text[160];
	const json_t *pids = json_object_get(in, "pids");
	json_int_t pid = json_integer_value(json_array_get(pids, 0));
	if (json_array_size(pids) > 1)
		snprintf(text, sizeof text, "%s (%zu processes)", answer_text(in, "plugin"), json_array_size(pids));
	else if (pids != NULL && pid > 0)
		snprintf(text, sizeof text, "%s (process %lld)", answer_text(in, "plugin"), (long long)pid);
	else
		snprintf(text, sizeof text, "%s%s", answer_text(in, "plugin"), pids != NULL ? " (no process)" : "");
	table_add(t, TONE_PLAIN, text);
}

static void add_instance(struct table *t, const json_t *in)
{
	const char *state = answer_text(in, "state");
	enum tone tone = strcmp(state, "running") == 0 ? TONE_PLAIN :
			 strcmp(state, "down") == 0 || strcmp(state, "disabled") == 0 ||
			 strcmp(state, "stopped") == 0 ? TONE_BAD : TONE_WARN;
	uint64_t failures = answer_count(in, "failures");
	table_add(t, TONE_PLAIN, answer_text(in, "kind"));
	table_add(t, TONE_PLAIN, answer_text(in, "name"));
	add_plugin(t, in);
	table_add(t, tone, state);
	table_add_count(t, TONE_PLAIN, answer_count(in, "events"));
	table_add_count(t, if_any(failures, TONE_WARN), failures);
	table_add_count(t, TONE_PLAIN, answer_count(in, "in_flight"));
	add_backlog(t, in);
	table_add(t, TONE_PLAIN, answer_text(in, "last_failure"));
}

static void add_lane(struct table *t, const json_t *lane)
{
	char name[160], oldest[HUMAN_SIZE] = "";
	const json_t *age = json_object_get(lane, "oldest_ms");
	uint64_t stragglers = answer_count(lane, "stragglers"), dead = answer_count(lane, "dead");
	bool catching_up = json_is_true(json_object_get(lane, "catching_up"));
	snprintf(name, sizeof name, "%s -> %s", answer_text(lane, "route"), answer_text(lane, "sink"));
	table_add(t, TONE_PLAIN, name);
	table_add_count(t, catching_up ? TONE_WARN : TONE_PLAIN, answer_count(lane, "behind"));
	table_add_count(t, TONE_PLAIN, answer_count(lane, "waiting"));
	table_add_count(t, if_any(stragglers, TONE_WARN), stragglers);
	table_add_count(t, if_any(dead, TONE_BAD), dead);
	if (json_is_integer(age))
		span_format(json_integer_value(age), oldest);
	table_add(t, TONE_PLAIN, oldest);
	table_add_count(t, TONE_PLAIN, answer_count(lane, "delivered"));
	table_add_count(t, TONE_PLAIN, answer_count(lane, "retried"));
}

static void show(void *arg, const json_t *object)
{
	struct view *v = arg;
	const char *type = answer_text(object, "type");
	if (strcmp(type, "daemon") == 0)
		print_daemon(v, object);
	else if (strcmp(type, "instance") == 0)
		add_instance(&v->instances, object);
	else if (strcmp(type, "lane") == 0)
		add_lane(&v->lanes, object);
}

static void print_table(const struct view *v, const struct table *t)
{
	if (t->n_cells > 0)
		putchar('\n');
	table_print(t, stdout, v->colour);
}

static int status_now(struct cli *cli)
{
	if (cli->json)
		return cli_ask(cli, "status", NULL, answer_print, NULL);
	struct view v = { .colour = tone_welcome(stdout) };
	table_init(&v.instances, instance_columns);
	table_init(&v.lanes, lane_columns);
	int status = cli_ask(cli, "status", NULL, show, &v);
	print_table(&v, &v.instances);
	print_table(&v, &v.lanes);
	table_free(&v.instances);
	table_free(&v.lanes);
	return status;
}

int cli_status(struct cli *cli)
{
	int (*face)(struct cli *) = status_now;
	for (int i = 1; i < cli->argc; i++) {
		int (*asked)(struct cli *) = strcmp(cli->argv[i], "--ages") == 0 ? status_ages :
			strcmp(cli->argv[i], "--prometheus") == 0 ? status_prometheus : NULL;
		if (asked == NULL)
			return cli_usage(cli, "takes --ages or --prometheus, not %s; the file comes after -c",
					 cli->argv[i]);
		if (face != status_now && face != asked)
			return cli_usage(cli, "takes one of --ages and --prometheus");
		face = asked;
	}
	return face(cli);
}
