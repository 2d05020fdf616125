/*
 * invariants.c - reads a store that no daemon has open, shows its rows as JSON lines, and checks
 * what must hold at any moment (doc/architecture.md, "What is on disk").
 *
 *	invariants STORE [all]
 *
 * (a) what a row needs is in the journal or kept; with `all` (every lane takes every event) no
 *     lane is behind the oldest event. (b) no delivery is both a straggler and dead, or not
 *     accepted yet. (c) the counts in `kept` equal the rows. (d) `due` has one row a straggler.
 * Exit status 1 if something does not. Give it a copy: opening cuts a torn tail.
 */
#include <config.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/span.h"
#include "dispatch/marks.h"
#include "dispatch/watermarks.h"
#include "event/codec.h"
#include "journal/journal.h"
#include "state/rows.h"

#define STATE_SIZE (UINT64_C(1) << 30)

struct lane {
	uint32_t number;
	char *title;
	bool known;		/* it has a watermark */
	uint64_t watermark;
};

/* How many rows need an event. */
struct need {
	UT_hash_handle hh;
	uint64_t seq;
	uint32_t rows;
};

struct store {
	struct journal *journal;
	struct state *state;
	struct journal_stat stat;
	struct meta_row meta;
	struct lane *lanes;
	size_t n_lanes;
	struct need *needs;
	uint64_t stragglers, due, dead, rows_seen;
	unsigned broken;
};

/* The lane whose rows are being read. */
struct walk {
	struct store *s;
	struct lane *lane;
};

static void print(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void __attribute__((format(printf, 2, 3))) broken(struct store *s, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	print(json_pack("{s:s, s:o}", "type", "broken", "what", json_vsprintf(fmt, args)));
	va_end(args);
	s->broken++;
}

static bool add_lane(void *arg, const struct name_row *row)
{
	struct store *s = arg;
	if (row->kind != NAME_LANE)
		return true;
	s->lanes = xrealloc(s->lanes, s->n_lanes + 1, sizeof *s->lanes);
	struct lane *lane = &s->lanes[s->n_lanes++];
	*lane = (struct lane){ .number = row->number, .title = xstrdup(row->name) };
	return true;
}

static void move_lanes(struct store *s, struct pb_span record)
{
	struct watermark w;
	for (size_t at = 0; watermarks_next(record, &at, &w); )
		for (size_t i = 0; i < s->n_lanes; i++)
			if (s->lanes[i].number == w.lane && s->lanes[i].watermark < w.seq)
				s->lanes[i].watermark = w.seq;
}

/* Watermarks as a daemon would find them: the state's, and what the journal's tail adds. */
static void read_lanes(struct store *s)
{
	rows_each_name(s->state, add_lane, s);
	for (size_t i = 0; i < s->n_lanes; i++)
		s->lanes[i].known = rows_get_lane(s->state, s->lanes[i].number,
						  &s->lanes[i].watermark) == 0;
	struct journal_cursor *c = journal_cursor_at(s->journal, s->meta.applied);
	struct record rec;
	while (c != NULL && journal_next(s->journal, c, &rec) > 0)
		if (rec.kind == RECORD_WATERMARK)
			move_lanes(s, rec.data);
	journal_cursor_close(s->journal, c);
}

/* The event that a row needs, as its id; NULL: it is gone. */
static char *event_id_of(struct store *s, uint64_t seq)
{
	struct buf bytes = BUF_INIT(BUF_MAX);
	int failed = journal_get(s->journal, seq, &bytes);
	if (failed == -ENOENT)
		failed = rows_get_kept(s->state, seq, NULL, &bytes);
	struct pb_event *ev = failed == 0 ? codec_unpack(buf_span(&bytes)) : NULL;
	char *id = ev != NULL ? xstrdup(event_id(ev)) : NULL;
	event_unref(ev);
	buf_free(&bytes);
	return id;
}

static void need(struct store *s, uint64_t seq)
{
	struct need *n;
	HASH_FIND(hh, s->needs, &seq, sizeof seq, n);
	if (n == NULL) {
		n = xcalloc(1, sizeof *n);
		n->seq = seq;
		HASH_ADD(hh, s->needs, seq, sizeof n->seq, n);
	}
	n->rows++;
}

/* A row of any kind: what it needs is there, and it is no future's. */
static json_t *row(struct walk *w, const char *type, struct delivery_key key, uint32_t attempts)
{
	struct store *s = w->s;
	char *id = event_id_of(s, key.seq);
	if (id == NULL)
		broken(s, "(a) the event %llu of a %s row of %s is gone",
		       (unsigned long long)key.seq, type, w->lane->title);
	if (key.seq >= s->stat.next_seq)
		broken(s, "(b) %s has a %s row of event %llu, which was never accepted",
		       w->lane->title, type, (unsigned long long)key.seq);
	need(s, key.seq);
	json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:i, s:b}", "type", type,
				   "lane", w->lane->title, "seq", (json_int_t)key.seq,
				   "id", id != NULL ? id : "", "attempts", (int)attempts,
				   "ahead", key.seq >= w->lane->watermark);
	free(id);
	return object;
}

static void set_text(json_t *object, const char *name, struct pb_span text)
{
	json_object_set_new(object, name, json_stringn(text.len > 0 ? text.data : "", text.len));
}

static bool straggler(void *arg, struct delivery_key key, const struct straggler_row *r)
{
	struct walk *w = arg;
	json_t *object = row(w, "straggler", key, r->attempts);
	json_object_set_new(object, "due", json_integer(r->due_ms));
	set_text(object, "error", r->error);
	print(object);
	w->s->stragglers++;
	return true;
}

static bool due(void *arg, int64_t due_ms, struct delivery_key key)
{
	struct walk *w = arg;
	struct straggler_row r;
	struct buf hold = BUF_INIT(BUF_MAX);
	w->s->due++;
	if (rows_get_straggler(w->s->state, key, &r, &hold) != 0)
		broken(w->s, "(d) %s has a due row of event %llu but no straggler", w->lane->title,
		       (unsigned long long)key.seq);
	else if (r.due_ms != due_ms)
		broken(w->s, "(d) %s: the straggler %llu is due at %lld, its due row says %lld",
		       w->lane->title, (unsigned long long)key.seq, (long long)r.due_ms,
		       (long long)due_ms);
	buf_free(&hold);
	return true;
}

static bool dead(void *arg, struct delivery_key key, const struct dead_row *r)
{
	struct walk *w = arg;
	struct straggler_row other;
	struct buf hold = BUF_INIT(BUF_MAX);
	json_t *object = row(w, "dead", key, r->attempts);
	json_object_set_new(object, "reason", json_string(dead_reason_name(r->reason)));
	set_text(object, "error", r->error);
	print(object);
	w->s->dead++;
	if (rows_get_straggler(w->s->state, key, &other, &hold) == 0)
		broken(w->s, "(b) event %llu is a straggler of %s and dead",
		       (unsigned long long)key.seq, w->lane->title);
	buf_free(&hold);
	return true;
}

static void check_lane(struct store *s, struct lane *lane, bool all)
{
	struct walk w = { s, lane };
	if (lane->known)
		print(json_pack("{s:s, s:s, s:I}", "type", "lane", "lane", lane->title, "watermark",
				(json_int_t)lane->watermark));
	if (lane->known && lane->watermark > s->stat.next_seq)
		broken(s, "(b) %s is at event %llu, the journal at %llu", lane->title,
		       (unsigned long long)lane->watermark, (unsigned long long)s->stat.next_seq);
	if (all && lane->known && lane->watermark < s->stat.first_seq)
		broken(s, "(a) %s is at event %llu, but the oldest is %llu", lane->title,
		       (unsigned long long)lane->watermark, (unsigned long long)s->stat.first_seq);
	rows_each_straggler(s->state, lane->number, 0, straggler, &w);
	rows_each_due(s->state, lane->number, due, &w);
	rows_each_dead(s->state, lane->number, 0, dead, &w);
}

static bool kept(void *arg, struct pb_span key, struct pb_span value)
{
	struct store *s = arg;
	uint64_t seq = get_be64(key.data);
	uint32_t rows = get_le32(value.data);
	struct need *n;
	HASH_FIND(hh, s->needs, &seq, sizeof seq, n);
	if (n == NULL || n->rows != rows)
		broken(s, "(c) event %llu is kept for %u rows, but %u need it",
		       (unsigned long long)seq, rows, n == NULL ? 0 : n->rows);
	print(json_pack("{s:s, s:I, s:i}", "type", "kept", "seq", (json_int_t)seq, "rows", (int)rows));
	return true;
}

static bool count_row(void *arg, struct pb_span key, struct pb_span value)
{
	struct store *s = arg;
	(void)key;
	(void)value;
	s->rows_seen++;
	return true;
}

/* Rows that belong to no lane we know of. */
static void check_count(struct store *s, enum state_table table, const char *name, uint64_t expected)
{
	s->rows_seen = 0;
	state_scan(s->state, table, SPAN_NONE, count_row, s);
	if (s->rows_seen != expected)
		broken(s, "%s has %llu rows, %llu of them of lanes that have a name", name,
		       (unsigned long long)s->rows_seen, (unsigned long long)expected);
}

static void check_store(struct store *s, bool all)
{
	journal_stat(s->journal, &s->stat);
	rows_get_meta(s->state, &s->meta);
	read_lanes(s);
	print(json_pack("{s:s, s:I, s:I, s:i, s:I, s:I, s:b}", "type", "store",
			"first", (json_int_t)s->stat.first_seq, "next", (json_int_t)s->stat.next_seq,
			"segments", (int)s->stat.segments, "kept_below", (json_int_t)s->meta.kept_below,
			"damaged", (json_int_t)s->stat.damaged_blocks, "clean", s->meta.clean));
	if (s->meta.applied_seq > s->stat.next_seq)
		broken(s, "the state has applied events up to %llu, the journal ends at %llu",
		       (unsigned long long)s->meta.applied_seq, (unsigned long long)s->stat.next_seq);
	for (size_t i = 0; i < s->n_lanes; i++)
		check_lane(s, &s->lanes[i], all);
	if (s->due != s->stragglers)
		broken(s, "(d) %llu stragglers have %llu due rows", (unsigned long long)s->stragglers,
		       (unsigned long long)s->due);
	check_count(s, STATE_STRAGGLERS, "stragglers", s->stragglers);
	check_count(s, STATE_DUE, "due", s->due);
	check_count(s, STATE_DEAD, "dead", s->dead);
	state_scan(s->state, STATE_KEPT, SPAN_NONE, kept, s);
	if (state_damaged(s->state) != 0)
		broken(s, "%llu rows are damaged", (unsigned long long)state_damaged(s->state));
}

static void close_store(struct store *s)
{
	struct need *n, *next;
	HASH_ITER(hh, s->needs, n, next) {
		HASH_DEL(s->needs, n);
		free(n);
	}
	for (size_t i = 0; i < s->n_lanes; i++)
		free(s->lanes[i].title);
	free(s->lanes);
	state_close(s->state);
	journal_close(s->journal);
}

int main(int argc, char *argv[])
{
	if (argc < 2) {
		fprintf(stderr, "usage: invariants STORE [all]\n");
		return 2;
	}
	struct store s = { 0 };
	struct pb_error err;
	error_init(&err);
	log_open(PB_ERROR);
	char *journal = xasprintf("%s/journal", argv[1]), *state = xasprintf("%s/state", argv[1]);
	s.journal = journal_open(journal, &(struct journal_options){ .segment_size = 1 << 20 }, &err);
	if (s.journal != NULL)
		s.state = state_open(state, STATE_SIZE, &err);
	if (s.state != NULL)
		check_store(&s, argc > 2);
	else
		broken(&s, "cannot open %s: %s", argv[1], error_text(&err));
	close_store(&s);
	error_free(&err);
	free(journal);
	free(state);
	return s.broken > 0;
}
