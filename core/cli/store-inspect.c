/* store-inspect.c - `patchbay store inspect`: what there is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/span.h"
#include "cli/store.h"
#include "cli/table.h"
#include "event/base64.h"
#include "state/history.h"
#include "journal/block.h"
#include "state/inspect.h"

#define VALUE_SHOWN 48	/* bytes of a mark's value */

static const char *how_it_is(const struct inspect *in)
{
	return in->running ? "running" : in->no_state ? "no state" : in->state_error != NULL ? "state damaged" :
	       in->meta.clean ? "clean" : "not stopped cleanly";
}

/* {NULL, INT64_MAX}: nothing is due. */
static const char *due_text(const struct inspect_lane *lane, char text[static TIME_TEXT_SIZE])
{
	if (lane->next_due_ms == INT64_MAX)
		return "";
	time_format(lane->next_due_ms, text);
	return text;
}

static bool is_shown(const struct inspect_lane *lane)
{
	return lane->saved || lane->stragglers > 0 || lane->dead > 0;
}

static uint64_t behind(const struct inspect *in, const struct inspect_lane *lane)
{
	return lane->saved && in->stat.next_seq > lane->watermark ? in->stat.next_seq - lane->watermark : 0;
}

/* The segment after the i-th begins with it; of the newest, what the next event gets. */
static uint64_t segment_end(const struct inspect *in, size_t i)
{
	struct journal_segment next;
	return journal_segment_at(in->journal, i + 1, &next) ? next.first_seq : in->stat.next_seq;
}

/* JSON text if it is UTF-8, else base64 under another name. */
static void set_bytes(json_t *object, const char *name, const char *base64_name, const struct buf *bytes)
{
	json_t *text = json_stringn(bytes->len > 0 ? bytes->data : "", bytes->len);
	if (text != NULL) {
		json_object_set_new(object, name, text);
		return;
	}
	struct buf coded = BUF_INIT(BUF_MAX);
	base64_encode(&coded, buf_span(bytes));
	json_object_set_new(object, base64_name, json_stringn(coded.data, coded.len));
	buf_free(&coded);
}

static void json_store(const struct inspect *in)
{
	store_print(json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			      "type", "store", "folder", in->folder, "node", in->meta.node,
			      "state", how_it_is(in), "journal_format", SEGMENT_VERSION,
			      "state_format", STATE_FORMAT, "first", (json_int_t)in->stat.first_seq,
			      "next", (json_int_t)in->stat.next_seq, "segments", (json_int_t)in->stat.segments,
			      "bytes", (json_int_t)in->stat.bytes, "applied", (json_int_t)in->meta.applied_seq,
			      "kept_below", (json_int_t)in->meta.kept_below, "kept", (json_int_t)in->kept,
			      "kept_bytes", (json_int_t)in->kept_bytes));
}

static void json_lane(const struct inspect *in, const struct inspect_lane *lane)
{
	json_t *object = json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:I}", "type", "lane",
				   "number", (int)lane->number,
				   "lane", lane->title != NULL ? lane->title : "",
				   "behind", (json_int_t)behind(in, lane), "stragglers",
				   (json_int_t)lane->stragglers, "parked", (json_int_t)lane->parked,
				   "dead", (json_int_t)lane->dead);
	if (lane->saved)
		json_object_set_new(object, "watermark", json_integer((json_int_t)lane->watermark));
	if (lane->next_due_ms != INT64_MAX)
		json_object_set_new(object, "next_due_ms", json_integer(lane->next_due_ms));
	store_print(object);
}

static void json_mark(const struct inspect_mark *m)
{
	json_t *object = json_pack("{s:s, s:i, s:s}", "type", "mark", "number", (int)m->source,
				   "source", m->source_name != NULL ? m->source_name : "");
	set_bytes(object, "key", "key_base64", &m->key);
	set_bytes(object, "value", "value_base64", &m->value);
	store_print(object);
}

static void json_sink(const struct inspect *in, const struct name_row *name)
{
	struct sink_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	if (rows_get_sink(in->state, name->number, &row, &hold) == 0) {
		json_t *object = json_pack("{s:s, s:s, s:s}", "type", "sink", "sink", name->name, "mode",
					   sink_mode_name(row.mode));
		json_object_set_new(object, "why", json_stringn(row.why.len > 0 ? row.why.data : "", row.why.len));
		store_print(object);
	}
	buf_free(&hold);
}

static bool pass_over(void *arg, const struct history_entry *e)
{
	(void)arg;
	(void)e;
	return true;
}

/* What there is of it; false: nothing. */
static bool find_history(const struct inspect *in, struct history_found *found)
{
	char *folder = xasprintf("%s/history", in->folder);
	int failed = history_read(folder, pass_over, NULL, found);
	free(folder);
	return failed == 0 && found->files > 0;
}

static void json_history(const struct inspect *in)
{
	struct history_found found;
	if (!find_history(in, &found))
		return;
	json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "type", "history", "files",
				   (json_int_t)found.files, "bytes", (json_int_t)found.bytes, "entries",
				   (json_int_t)found.entries, "missing", (json_int_t)found.lost, "damaged",
				   (json_int_t)found.damaged);
	if (found.begins_ms > 0)
		json_object_set_new(object, "begins_ms", json_integer(found.begins_ms));
	store_print(object);
}

static void print_json(const struct inspect *in)
{
	struct journal_segment s;
	json_store(in);
	for (size_t i = 0; in->journal != NULL && journal_segment_at(in->journal, i, &s); i++)
		store_print(json_pack("{s:s, s:I, s:I, s:I, s:I}", "type", "segment", "number",
				      (json_int_t)s.number, "first", (json_int_t)s.first_seq, "next",
				      (json_int_t)segment_end(in, i), "bytes", (json_int_t)s.bytes));
	for (size_t i = 0; i < in->n_lanes; i++)
		if (is_shown(&in->lanes[i]))
			json_lane(in, &in->lanes[i]);
	for (size_t i = 0; in->state != NULL && i < in->n_names; i++)
		if (in->names[i].kind == NAME_SINK)
			json_sink(in, &in->names[i]);
	for (size_t i = 0; i < in->n_marks; i++)
		if (!in->marks[i].removed)
			json_mark(&in->marks[i]);
	json_history(in);
}

static void print_history(const struct inspect *in)
{
	struct history_found found;
	char bytes[HUMAN_SIZE], begins[TIME_TEXT_SIZE];
	if (!find_history(in, &found))
		return;
	bytes_format(found.bytes, bytes);
	time_format(found.begins_ms, begins);
	printf("history   %s in %llu files, from %s on: for `patchbay trace` only\n", bytes,
	       (unsigned long long)found.files, found.begins_ms > 0 ? begins : "now");
}

static void print_head(const struct inspect *in)
{
	char bytes[HUMAN_SIZE], state[HUMAN_SIZE], kept[HUMAN_SIZE];
	bytes_format(in->stat.bytes, bytes);
	bytes_format(in->state != NULL ? state_bytes(in->state) : 0, state);
	bytes_format(in->kept_bytes, kept);
	printf("%s: %s\n", in->folder, how_it_is(in));
	if (in->meta.node[0] != '\0')
		printf("node      %s\n", in->meta.node);
	printf("format    journal %d, state %d\n", SEGMENT_VERSION, STATE_FORMAT);
	if (in->journal != NULL)
		printf("journal   %s in %zu segments; oldest event %llu, next %llu\n", bytes, in->stat.segments,
		       (unsigned long long)in->stat.first_seq, (unsigned long long)in->stat.next_seq);
	else
		printf("journal   there is none\n");
	if (in->state != NULL)
		printf("state     %s; the journal is in it up to event %llu\n", state,
		       (unsigned long long)in->meta.applied_seq);
	else
		printf("state     %s\n", in->no_state ? "there is none" : in->state_error);
	if (in->kept > 0)
		printf("kept      %llu events, %s, for rows that need them\n", (unsigned long long)in->kept, kept);
	print_history(in);
	if (in->n_damage > 0 || in->n_flaws > 0)
		printf("Something is not as it was written: see `patchbay store verify`.\n");
}

static void print_segments(const struct inspect *in, bool colour)
{
	static const struct column columns[] = {
		{ "SEGMENT", false }, { "FIRST", true }, { "NEXT", true }, { "BYTES", true }, { NULL, false },
	};
	struct table t;
	struct journal_segment s;
	char text[HUMAN_SIZE];
	table_init(&t, columns);
	for (size_t i = 0; in->journal != NULL && journal_segment_at(in->journal, i, &s); i++) {
		snprintf(text, sizeof text, "%016llx", (unsigned long long)s.number);
		table_add(&t, TONE_PLAIN, text);
		table_add_number(&t, s.first_seq);
		table_add_number(&t, segment_end(in, i));
		bytes_format(s.bytes, text);
		table_add(&t, TONE_PLAIN, text);
	}
	putchar('\n');
	table_print(&t, stdout, colour);
	table_free(&t);
}

static void print_lanes(const struct inspect *in, bool colour)
{
	static const struct column columns[] = {
		{ "LANE", false }, { "WATERMARK", true }, { "BEHIND", true }, { "STRAGGLERS", true },
		{ "DEAD", true }, { "NEXT DUE", false }, { NULL, false },
	};
	struct table t;
	char text[LANE_TEXT_SIZE], due[TIME_TEXT_SIZE];
	table_init(&t, columns);
	for (size_t i = 0; i < in->n_lanes; i++) {
		const struct inspect_lane *lane = &in->lanes[i];
		if (!is_shown(lane))
			continue;
		table_add(&t, lane->title != NULL ? TONE_PLAIN : TONE_BAD,
			  inspect_lane_title(in, lane->number, text));
		if (lane->saved)
			table_add_number(&t, lane->watermark);
		else
			table_add(&t, TONE_PLAIN, "removed");
		table_add_count(&t, TONE_PLAIN, behind(in, lane));
		table_add_count(&t, lane->stragglers > 0 ? TONE_WARN : TONE_PLAIN, lane->stragglers);
		table_add_count(&t, lane->dead > 0 ? TONE_BAD : TONE_PLAIN, lane->dead);
		table_add(&t, TONE_PLAIN, due_text(lane, due));
	}
	if (t.n_cells > 0)
		putchar('\n');
	table_print(&t, stdout, colour);
	table_free(&t);
}

static void add_sink(struct table *t, const struct inspect *in, const struct name_row *name)
{
	struct sink_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	if (rows_get_sink(in->state, name->number, &row, &hold) == 0 && row.mode != SINK_ENABLED) {
		char *why = strndup(row.why.len > 0 ? row.why.data : "", row.why.len);
		table_add(t, TONE_PLAIN, name->name);
		table_add(t, TONE_WARN, sink_mode_name(row.mode));
		table_add(t, TONE_PLAIN, why != NULL ? why : "");
		free(why);
	}
	buf_free(&hold);
}

static void print_sinks(const struct inspect *in, bool colour)
{
	static const struct column columns[] = {
		{ "SINK", false }, { "MODE", false }, { "WHY", false }, { NULL, false },
	};
	struct table t;
	table_init(&t, columns);
	for (size_t i = 0; in->state != NULL && i < in->n_names; i++)
		if (in->names[i].kind == NAME_SINK)
			add_sink(&t, in, &in->names[i]);
	if (t.n_cells > 0)
		putchar('\n');
	table_print(&t, stdout, colour);
	table_free(&t);
}

/* As text for a table: cut, and up to a NUL. */
static const char *cut(const struct buf *bytes, char text[static VALUE_SHOWN + 4])
{
	size_t n = bytes->len < VALUE_SHOWN ? bytes->len : VALUE_SHOWN;
	memcpy(text, n > 0 ? bytes->data : "", n);
	memcpy(text + n, "...", 4);
	if (n == bytes->len)
		text[n] = '\0';
	return text;
}

static void print_marks(const struct inspect *in, bool colour)
{
	static const struct column columns[] = {
		{ "SOURCE", false }, { "MARK", false }, { "POSITION", false }, { NULL, false },
	};
	struct table t;
	char text[VALUE_SHOWN + 4];
	table_init(&t, columns);
	for (size_t i = 0; i < in->n_marks; i++) {
		const struct inspect_mark *m = &in->marks[i];
		if (m->removed)
			continue;
		table_add(&t, m->source_name != NULL ? TONE_PLAIN : TONE_BAD,
			  m->source_name != NULL ? m->source_name : "(no name)");
		table_add(&t, TONE_PLAIN, cut(&m->key, text));
		table_add(&t, TONE_PLAIN, cut(&m->value, text));
	}
	if (t.n_cells > 0)
		putchar('\n');
	table_print(&t, stdout, colour);
	table_free(&t);
}

int store_inspect(const struct cli *cli, const char *folder)
{
	struct pb_error error;
	error_init(&error);
	struct inspect *in = inspect_open(folder, &error);
	if (in == NULL)
		return store_failed(&error, errno);
	bool colour = tone_welcome(stdout);
	if (cli->json) {
		print_json(in);
	} else {
		print_head(in);
		print_segments(in, colour);
		print_lanes(in, colour);
		print_sinks(in, colour);
		print_marks(in, colour);
	}
	inspect_close(in);
	return CLI_OK;
}
