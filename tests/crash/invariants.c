/*
 * invariants.c - shows a store's rows as JSON lines, and what of it does not hold (state/verify.h).
 *
 *	invariants STORE [all]
 *
 * With `all` every lane takes every event, so none may be behind the oldest. Exit status 1 if something does not hold.
 */
#include <config.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/span.h"
#include "state/verify.h"

static void print(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void wrong(void *arg, const struct finding *f)
{
	(void)arg;
	print(json_pack("{s:s, s:s}", "type", "broken", "what", f->text));
}

static void note(void *arg, const char *text)
{
	(void)arg;
	print(json_pack("{s:s, s:s}", "type", "note", "what", text));
}

static void set_text(json_t *object, const char *name, struct pb_span text)
{
	json_object_set_new(object, name, json_stringn(text.len > 0 ? text.data : "", text.len));
}

static void add_straggler(struct inspect *in, struct delivery_key key, json_t *object)
{
	struct straggler_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	if (rows_get_straggler(in->state, key, &row, &hold) == 0) {
		json_object_set_new(object, "attempts", json_integer(row.attempts));
		json_object_set_new(object, "due", json_integer(row.due_ms));
		set_text(object, "error", row.error);
	}
	buf_free(&hold);
}

static void add_dead(struct inspect *in, struct delivery_key key, json_t *object)
{
	struct dead_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	if (rows_get_dead(in->state, key, &row, &hold) == 0) {
		json_object_set_new(object, "attempts", json_integer(row.attempts));
		json_object_set_new(object, "reason", json_string(dead_reason_name(row.reason)));
		set_text(object, "error", row.error);
	}
	buf_free(&hold);
}

static void show_row(struct inspect *in, const struct inspect_row *row)
{
	char title[LANE_TEXT_SIZE];
	struct delivery_key key = { row->lane, row->seq };
	const struct inspect_lane *lane = inspect_lane(in, row->lane);
	struct pb_event *ev = inspect_event(in, row->seq);
	json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:b}", "type",
				   row->table == STATE_DEAD ? "dead" : "straggler", "lane",
				   inspect_lane_title(in, row->lane, title), "seq", (json_int_t)row->seq,
				   "id", ev != NULL ? event_id(ev) : "", "ahead", row->seq >= lane->watermark);
	if (row->table == STATE_DEAD)
		add_dead(in, key, object);
	else
		add_straggler(in, key, object);
	event_unref(ev);
	print(object);
}

static bool show_kept(void *arg, uint64_t seq, uint32_t rows, struct pb_span event)
{
	(void)arg;
	(void)event;
	print(json_pack("{s:s, s:I, s:i}", "type", "kept", "seq", (json_int_t)seq, "rows", (int)rows));
	return true;
}

static void show(struct inspect *in)
{
	print(json_pack("{s:s, s:I, s:I, s:i, s:I, s:b}", "type", "store", "first", (json_int_t)in->stat.first_seq,
			"next", (json_int_t)in->stat.next_seq, "segments", (int)in->stat.segments,
			"kept_below", (json_int_t)in->meta.kept_below, "clean", in->meta.clean));
	char title[LANE_TEXT_SIZE];
	for (size_t i = 0; i < in->n_lanes; i++)
		if (in->lanes[i].saved)
			print(json_pack("{s:s, s:s, s:I}", "type", "lane", "lane",
					inspect_lane_title(in, in->lanes[i].number, title),
					"watermark", (json_int_t)in->lanes[i].watermark));
	for (size_t i = 0; i < in->n_rows; i++)
		show_row(in, &in->rows[i]);
	if (in->state != NULL)
		rows_each_kept(in->state, 0, show_kept, NULL);
}

int main(int argc, char *argv[])
{
	if (argc < 2) {
		fprintf(stderr, "usage: invariants STORE [all]\n");
		return 2;
	}
	struct pb_error err;
	error_init(&err);
	log_open(PB_ERROR);
	struct inspect *in = inspect_open(argv[1], &err);
	int64_t found = 1;
	if (in == NULL) {
		print(json_pack("{s:s, s:s}", "type", "broken", "what", error_text(&err)));
	} else {
		show(in);
		found = verify_run(in, &(struct verify){ .all = argc > 2, .wrong = wrong, .note = note });
	}
	inspect_close(in);
	error_free(&err);
	return found != 0;
}
