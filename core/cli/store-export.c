/* store-export.c - `patchbay store export`: events as CloudEvents, one a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/span.h"
#include "cli/flags.h"
#include "cli/progress.h"
#include "cli/store.h"
#include "config/suggest.h"
#include "event/codec.h"
#include "event/json.h"
#include "state/inspect.h"

struct export {
	struct inspect *in;
	const struct store_args *args;
	const struct inspect_lane *lane;	/* NULL: all */
	uint64_t since_seq;
	int64_t since_ms;
	struct progress progress;
	struct buf line;
	int status;
};

static void complain(struct export *x, uint64_t seq, const char *why)
{
	progress_clear(&x->progress);
	fprintf(stderr, "patchbay store: event %llu: %s\n", (unsigned long long)seq, why);
	x->status = CLI_FAILED;
}

static void print_event(struct export *x, const struct pb_event *ev)
{
	buf_reset(&x->line);
	int r = json_event(&x->line, ev);
	if (r == 0)
		r = buf_add_char(&x->line, '\n');
	if (r == 0)
		fwrite(x->line.data, 1, x->line.len, stdout);
	else
		complain(x, event_seq(ev), strerror(-r));
}

static bool is_asked_for(const struct export *x, const struct pb_event *ev)
{
	return event_seq(ev) >= x->since_seq && event_time(ev) >= x->since_ms;
}

/* What cannot be an attribute's value is left out. */
static void annotate_number(struct pb_event *ev, const char *name, uint64_t n)
{
	char text[24];
	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	event_set(ev, name, text);
}

static void print_bytes(struct export *x, uint64_t seq, struct pb_span bytes)
{
	struct pb_event *ev = codec_unpack(bytes);
	if (ev == NULL) {
		complain(x, seq, strerror(errno));
		return;
	}
	event_set_seq(ev, seq);
	if (is_asked_for(x, ev)) {
		if (x->args->annotate)
			annotate_number(ev, "patchbayseq", seq);
		print_event(x, ev);
	}
	event_unref(ev);
}

/* Of a straggler or dead letter. */
struct story {
	const char *reason;	/* NULL: a straggler */
	uint32_t attempts;
	struct pb_span error;
};

static void annotate_row(struct export *x, struct pb_event *ev, const struct inspect_row *row)
{
	struct buf hold = BUF_INIT(BUF_MAX);
	struct delivery_key key = { row->lane, row->seq };
	struct straggler_row straggler = { .attempts = 0 };
	struct dead_row dead = { .attempts = 0 };
	char title[LANE_TEXT_SIZE];
	bool is_dead = row->table == STATE_DEAD;
	int r = is_dead ? rows_get_dead(x->in->state, key, &dead, &hold) :
		rows_get_straggler(x->in->state, key, &straggler, &hold);
	annotate_number(ev, "patchbayseq", row->seq);
	event_set(ev, "patchbaylane", inspect_lane_title(x->in, row->lane, title));
	event_set(ev, "patchbayrow", is_dead ? "dead" : "straggler");
	if (r == 0 && is_dead)
		event_set(ev, "patchbayreason", dead_reason_name(dead.reason));
	if (r == 0) {
		struct pb_span error = is_dead ? dead.error : straggler.error;
		annotate_number(ev, "patchbayattempts", is_dead ? dead.attempts : straggler.attempts);
		if (error.len > 0)
			event_set_span(ev, span_str("patchbayerror"), error);
	}
	buf_free(&hold);
}

static void print_row(struct export *x, const struct inspect_row *row)
{
	struct pb_event *ev = inspect_event(x->in, row->seq);
	if (ev == NULL) {
		complain(x, row->seq, errno == ENOENT ? "it is neither in the journal nor kept" : strerror(errno));
		return;
	}
	if (is_asked_for(x, ev)) {
		if (x->args->annotate)
			annotate_row(x, ev, row);
		print_event(x, ev);
	}
	event_unref(ev);
}

static void export_rows(struct export *x, bool stragglers, bool dead)
{
	for (size_t i = 0; i < x->in->n_rows; i++) {
		const struct inspect_row *row = &x->in->rows[i];
		bool wanted = row->table == STATE_DEAD ? dead : stragglers;
		if (wanted && (x->lane == NULL || x->lane->number == row->lane))
			print_row(x, row);
	}
}

/* What is also in the journal comes from there. */
static bool export_kept(void *arg, uint64_t seq, uint32_t rows, struct pb_span event)
{
	struct export *x = arg;
	(void)rows;
	if (x->in->journal != NULL && seq >= x->in->stat.first_seq)
		return false;
	if (seq >= x->since_seq)
		print_bytes(x, seq, event);
	return true;
}

/* The lane has a row for it, which was looked at. */
static bool has_row(const struct export *x, uint64_t seq)
{
	if (x->lane == NULL)
		return false;
	for (size_t i = inspect_rows_from(x->in, seq); i < x->in->n_rows && x->in->rows[i].seq == seq; i++)
		if (x->in->rows[i].lane == x->lane->number)
			return true;
	return false;
}

static int export_journal(struct export *x, uint64_t from)
{
	struct inspect *in = x->in;
	struct record rec;
	struct journal_segment s = { .number = 0 };
	uint64_t before = 0;
	size_t i = 0;
	int r;
	struct journal_cursor *c = journal_cursor(in->journal, from);
	while ((r = journal_next(in->journal, c, &rec)) > 0) {
		for (; s.number < rec.block_end.segment && journal_segment_at(in->journal, i, &s); i++)
			before += s.bytes;
		progress_tell(&x->progress, before - s.bytes + rec.block_end.offset, in->stat.bytes);
		if (rec.kind == RECORD_EVENT && !has_row(x, rec.seq))
			print_bytes(x, rec.seq, rec.data);
	}
	journal_cursor_close(in->journal, c);
	return r;
}

static int export_events(struct export *x)
{
	struct inspect *in = x->in;
	uint64_t from = x->since_seq;
	int r = 0;
	if (x->lane != NULL)
		export_rows(x, true, false);
	else if (in->state != NULL)
		r = rows_each_kept(in->state, 0, export_kept, x);
	inspect_forget_state(in);
	if (x->lane != NULL && x->lane->watermark > from)
		from = x->lane->watermark;
	if (r == 0 && in->journal != NULL && (x->lane == NULL || x->lane->saved))
		r = export_journal(x, from);
	return r;
}

/* A sequence number, a time, or how long ago. */
static bool parse_since(struct export *x, const char *word)
{
	int64_t n;
	x->since_ms = INT64_MIN;
	if (word == NULL)
		return true;
	if (parse_int(word, &n) == 0 && n >= 0) {
		x->since_seq = (uint64_t)n;
		return true;
	}
	return flags_time(word, clock_wall(&clock_system), &x->since_ms);
}

/* "ROUTE -> SINK", as `status` writes it, is "ROUTE SINK". */
static bool is_title(const char *title, const char *name)
{
	const char *arrow = strstr(name, " -> ");
	if (arrow == NULL)
		return strcmp(title, name) == 0;
	size_t len = (size_t)(arrow - name);
	return strncmp(title, name, len) == 0 && title[len] == ' ' && strcmp(title + len + 1, arrow + 4) == 0;
}

static const struct inspect_lane *find_lane(const struct inspect *in, const char *name, struct suggest *near)
{
	suggest_begin(near, name);
	for (size_t i = 0; i < in->n_lanes; i++) {
		if (in->lanes[i].title == NULL)
			continue;
		if (is_title(in->lanes[i].title, name))
			return &in->lanes[i];
		suggest_offer(near, in->lanes[i].title);
	}
	return NULL;
}

static int run(struct export *x)
{
	const struct store_args *args = x->args;
	struct suggest near;
	char hint[SUGGEST_TEXT_SIZE];
	if (args->lane != NULL)
		x->lane = find_lane(x->in, args->lane, &near);
	if (args->lane != NULL && x->lane == NULL) {
		fprintf(stderr, "patchbay store: there is no lane '%s'%s\n", args->lane,
			suggest_text(&near, hint));
		return CLI_FAILED;
	}
	if (args->stragglers || args->dead) {
		export_rows(x, args->stragglers, args->dead);
		return x->status;
	}
	int r = export_events(x);
	if (r == 0)
		return x->status;
	fprintf(stderr, "patchbay store: %s: %s\n", x->in->folder, strerror(-r));
	return CLI_FAILED;
}

int store_export(const struct cli *cli, const char *folder, const struct store_args *args)
{
	struct export x = { .args = args, .line = BUF_INIT(BUF_MAX) };
	struct pb_error error;
	if (!parse_since(&x, args->since))
		return cli_usage(cli, "--since: '%s' is no sequence number, no time, as 2026-01-02T03:04:05Z, nor "
				 "how long ago, as 2h", args->since);
	error_init(&error);
	x.in = inspect_open(folder, &error);
	if (x.in == NULL)
		return store_failed(&error, errno);
	if (x.in->state_error != NULL)
		fprintf(stderr, "patchbay store: %s\n", x.in->state_error);
	progress_init(&x.progress, "export", true);
	int status = run(&x);
	progress_clear(&x.progress);
	if (x.in->n_flaws > 0)
		fprintf(stderr, "patchbay store: not all of the journal is as it was written; see "
			"`patchbay store verify`\n");
	inspect_close(x.in);
	buf_free(&x.line);
	return status;
}
