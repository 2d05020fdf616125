/* status-ages.c - `patchbay status --ages`: a row for each lane, a column for each age, as Postfix's qshape has it. */
#include "cli/status.h"

#include <stdio.h>

#include "cli/ask.h"
#include "cli/table.h"
#include "dispatch/status.h"

struct ages_view {
	bool colour, estimated, own_time;
	struct table table;
	uint64_t counts[AGE_BUCKETS], total;	/* of all lanes */
	size_t lanes;
};

static const struct column columns[] = {
	{ "LANE", false }, { "TOTAL", true }, { "5m", true }, { "10m", true }, { "20m", true },
	{ "40m", true }, { "80m", true }, { "160m", true }, { "320m", true }, { "640m", true },
	{ "OLDER", true }, { "OLDEST", true }, { NULL, false },
};
_Static_assert(sizeof columns / sizeof *columns == AGE_BUCKETS + 4, "a column for each age");

/* A number; the more that is older than three hours, the worse. */
static void add_count(struct table *t, unsigned bucket, uint64_t n)
{
	table_add_count(t, n > 0 && bucket >= 6 ? TONE_WARN : TONE_PLAIN, n);
}

static void add_marked(struct table *t, const char *before, const char *text, const char *after)
{
	char marked[HUMAN_SIZE + 4];
	snprintf(marked, sizeof marked, "%s%s%s", before, text, after);
	table_add(t, TONE_PLAIN, marked);
}

static void add_lane(void *arg, const json_t *lane)
{
	struct ages_view *v = arg;
	const json_t *counts = json_object_get(lane, "counts"), *oldest = json_object_get(lane, "oldest_ms");
	bool estimated = json_is_true(json_object_get(lane, "estimated"));
	bool own_time = json_is_true(json_object_get(lane, "own_time"));
	uint64_t total = answer_count(lane, "total");
	char name[160], text[HUMAN_SIZE] = "";
	snprintf(name, sizeof name, "%s -> %s", answer_text(lane, "route"), answer_text(lane, "sink"));
	table_add(&v->table, TONE_PLAIN, name);
	count_format(total, text);
	add_marked(&v->table, estimated ? "~" : "", text, "");
	for (unsigned i = 0; i < AGE_BUCKETS; i++) {
		json_int_t n = json_integer_value(json_array_get(counts, i));
		add_count(&v->table, i, n > 0 ? (uint64_t)n : 0);
		v->counts[i] += n > 0 ? (uint64_t)n : 0;
	}
	if (json_is_integer(oldest))
		span_format(json_integer_value(oldest), text);
	add_marked(&v->table, "", json_is_integer(oldest) ? text : "", own_time ? "*" : "");
	v->total += total;
	v->lanes++;
	v->estimated = v->estimated || estimated;
	v->own_time = v->own_time || own_time;
}

static void add_all(struct ages_view *v)
{
	char text[HUMAN_SIZE];
	count_format(v->total, text);
	table_add(&v->table, TONE_PLAIN, "all lanes");
	add_marked(&v->table, v->estimated ? "~" : "", text, "");
	for (unsigned i = 0; i < AGE_BUCKETS; i++)
		add_count(&v->table, i, v->counts[i]);
	table_add(&v->table, TONE_PLAIN, "");
}

int status_ages(struct cli *cli)
{
	if (cli->json)
		return cli_ask(cli, "ages", NULL, answer_print, NULL);
	struct ages_view v = { .colour = tone_welcome(stdout) };
	table_init(&v.table, columns);
	int status = cli_ask(cli, "ages", NULL, add_lane, &v);
	if (v.lanes > 1)
		add_all(&v);
	table_print(&v.table, stdout, v.colour);
	if (v.estimated)
		puts("~ estimated: a sample of the journal or of the stragglers was counted");
	if (v.own_time)
		puts("* accepted before the daemon's start: the age is by the event's own time, or by its "
		     "first failure");
	table_free(&v.table);
	return status;
}
