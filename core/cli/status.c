/* status.c - `patchbay status`: how the daemon, its instances and its lanes are. */
#include "cli/cli.h"

#include <string.h>

#include "cli/ask.h"
#include "cli/table.h"

/* What is printed once all of the answer has come. */
struct view {
	bool colour;
	struct table instances, lanes;
};

static const struct column instance_columns[] = {
	{ "KIND", false }, { "NAME", false }, { "PLUGIN", false }, { "STATE", false },
	{ "EVENTS", true }, { "FAILURES", true }, { "IN FLIGHT", true }, { "LAST FAILURE", false },
	{ NULL, false },
};
static const struct column lane_columns[] = {
	{ "LANE", false }, { "BEHIND", true }, { "WAITING", true }, { "STRAGGLERS", true },
	{ "DEAD", true }, { "DELIVERED", true }, { "RETRIED", true }, { NULL, false },
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text == NULL ? "" : text;
}

static uint64_t count_of(const json_t *object, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(object, name));
	return n < 0 ? 0 : (uint64_t)n;
}

/* "; 3 lost", when there are any. */
static void print_count(const struct view *v, const json_t *object, const char *name,
			enum tone tone, const char *what)
{
	char number[HUMAN_SIZE], text[HUMAN_SIZE * 2];
	uint64_t n = count_of(object, name);
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
	span_format((int64_t)count_of(daemon, "uptime_ms"), up);
	bytes_format(count_of(journal, "bytes"), bytes);
	count_format(count_of(journal, "events"), events);
	bytes_format(count_of(daemon, "state_bytes"), state);
	printf("patchbay %s, up %s; journal %s, %s event%s; state %s", text_of(daemon, "version"),
	       up, bytes, events, count_of(journal, "events") == 1 ? "" : "s", state);
	print_count(v, daemon, "unrouted", TONE_PLAIN, "unrouted");
	print_count(v, journal, "damaged_blocks", TONE_BAD,
		    count_of(journal, "damaged_blocks") == 1 ? "block damaged" : "blocks damaged");
	print_count(v, daemon, "lost", TONE_BAD, "lost");
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

static void add_instance(struct table *t, const json_t *in)
{
	const char *state = text_of(in, "state");
	enum tone tone = strcmp(state, "running") == 0 ? TONE_PLAIN :
			 strcmp(state, "probing") == 0 ? TONE_WARN : TONE_BAD;
	uint64_t failures = count_of(in, "failures");
	table_add(t, TONE_PLAIN, text_of(in, "kind"));
	table_add(t, TONE_PLAIN, text_of(in, "name"));
	table_add(t, TONE_PLAIN, text_of(in, "plugin"));
	table_add(t, tone, state);
	table_add_count(t, TONE_PLAIN, count_of(in, "events"));
	table_add_count(t, if_any(failures, TONE_WARN), failures);
	table_add_count(t, TONE_PLAIN, count_of(in, "in_flight"));
	table_add(t, TONE_PLAIN, text_of(in, "last_failure"));
}

static void add_lane(struct table *t, const json_t *lane)
{
	char name[160];
	uint64_t stragglers = count_of(lane, "stragglers"), dead = count_of(lane, "dead");
	bool catching_up = json_is_true(json_object_get(lane, "catching_up"));
	snprintf(name, sizeof name, "%s -> %s", text_of(lane, "route"), text_of(lane, "sink"));
	table_add(t, TONE_PLAIN, name);
	table_add_count(t, catching_up ? TONE_WARN : TONE_PLAIN, count_of(lane, "behind"));
	table_add_count(t, TONE_PLAIN, count_of(lane, "waiting"));
	table_add_count(t, if_any(stragglers, TONE_WARN), stragglers);
	table_add_count(t, if_any(dead, TONE_BAD), dead);
	table_add_count(t, TONE_PLAIN, count_of(lane, "delivered"));
	table_add_count(t, TONE_PLAIN, count_of(lane, "retried"));
}

static void show(void *arg, const json_t *object)
{
	struct view *v = arg;
	const char *type = text_of(object, "type");
	if (strcmp(type, "daemon") == 0)
		print_daemon(v, object);
	else if (strcmp(type, "instance") == 0)
		add_instance(&v->instances, object);
	else if (strcmp(type, "lane") == 0)
		add_lane(&v->lanes, object);
}

static void print_json(void *arg, const json_t *object)
{
	(void)arg;
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
}

static void print_table(const struct view *v, const struct table *t)
{
	if (t->n_cells > 0)
		putchar('\n');
	table_print(t, stdout, v->colour);
}

int cli_status(struct cli *cli)
{
	if (cli->argc > 1)
		return cli_usage(cli, "takes no argument; the file comes after -c");
	if (cli->json)
		return cli_ask(cli, "status", NULL, print_json, NULL);
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
