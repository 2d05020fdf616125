/* inspect.c - open both, and gather what is small: names, lanes, marks, the keys of rows. */
#include "state/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "event/codec.h"
#include "state/lock.h"
#include "state/records.h"

#define INSPECT_MAGIC 0x696e7370u
#define ATTEMPTS 10	/* to see journal and state of one time beside a daemon */

/* Room for one more in an array that doubles. */
static void *grow(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = *room == 0 ? 64 : *room * 2;
	return xrealloc(array, *room, size);
}

static void copy_span(struct buf *to, struct pb_span from)
{
	*to = BUF_INIT(BUF_MAX);
	buf_add(to, from.len > 0 ? from.data : "", from.len);
}

struct inspect_lane *inspect_lane(const struct inspect *in, uint32_t number)
{
	size_t low = 0, high = in->n_lanes;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (in->lanes[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < in->n_lanes && in->lanes[low].number == number ? &in->lanes[low] : NULL;
}

const char *inspect_lane_title(const struct inspect *in, uint32_t number, char text[static LANE_TEXT_SIZE])
{
	const struct inspect_lane *lane = inspect_lane(in, number);
	snprintf(text, LANE_TEXT_SIZE, "lane %u", number);
	return lane != NULL && lane->title != NULL ? lane->title : text;
}

size_t inspect_rows_from(const struct inspect *in, uint64_t seq)
{
	size_t low = 0, high = in->n_rows;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (in->rows[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The lane of that number, made in its place when it is new. */
static struct inspect_lane *lane_of(struct inspect *in, uint32_t number)
{
	struct inspect_lane *lane = inspect_lane(in, number);
	if (lane != NULL)
		return lane;
	in->lanes = xrealloc(in->lanes, in->n_lanes + 1, sizeof *in->lanes);
	size_t i = in->n_lanes++;
	for (; i > 0 && in->lanes[i - 1].number > number; i--)
		in->lanes[i] = in->lanes[i - 1];
	in->lanes[i] = (struct inspect_lane){ .number = number, .next_due_ms = INT64_MAX };
	return &in->lanes[i];
}

static bool add_name(void *arg, const struct name_row *row)
{
	struct inspect *in = arg;
	in->names = xrealloc(in->names, in->n_names + 1, sizeof *in->names);
	in->names[in->n_names++] = (struct name_row){ row->kind, row->number, xstrdup(row->name) };
	if (row->kind == NAME_LANE) {
		struct inspect_lane *lane = lane_of(in, row->number);
		free(lane->title);
		lane->title = xstrdup(row->name);
	}
	return true;
}

static bool add_lane(void *arg, uint32_t number, uint64_t watermark)
{
	struct inspect_lane *lane = lane_of(arg, number);
	lane->saved = true;
	lane->watermark = watermark;
	return true;
}

static const char *source_name(const struct inspect *in, uint32_t number)
{
	for (size_t i = 0; i < in->n_names; i++)
		if (in->names[i].kind == NAME_SOURCE && in->names[i].number == number)
			return in->names[i].name;
	return NULL;
}

static void set_mark(struct inspect *in, uint32_t source, struct pb_span key, struct pb_span value)
{
	struct inspect_mark *m = in->marks, *end = in->marks + in->n_marks;
	while (m < end && (m->source != source || m->key.len != key.len ||
			   (key.len > 0 && memcmp(m->key.data, key.data, key.len) != 0)))
		m++;
	if (m == end) {
		in->marks = xrealloc(in->marks, in->n_marks + 1, sizeof *in->marks);
		m = &in->marks[in->n_marks++];
		const char *name = source_name(in, source);
		*m = (struct inspect_mark){ .source = source };
		m->source_name = name == NULL ? NULL : xstrdup(name);
		copy_span(&m->key, key);
	} else {
		buf_free(&m->value);
	}
	m->removed = value.data == NULL;
	copy_span(&m->value, value);
}

static bool add_mark(void *arg, const struct mark_row *row)
{
	set_mark(arg, row->source, row->key, span_of(row->value.len > 0 ? row->value.data : "", row->value.len));
	return true;
}

static void add_row(struct inspect *in, struct inspect_row row)
{
	struct inspect_lane *lane = lane_of(in, row.lane);
	if (row.table == STATE_STRAGGLERS)
		lane->stragglers++;
	else
		lane->dead++;
	bool waits = row.table == STATE_STRAGGLERS && !row.damaged;
	if (waits && due_is_parked(row.due_ms))
		lane->parked++;
	else if (waits && row.due_ms < lane->next_due_ms)
		lane->next_due_ms = row.due_ms;
	in->rows = grow(in->rows, in->n_rows, &in->rows_room, sizeof *in->rows);
	in->rows[in->n_rows++] = row;
}

static bool add_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	add_row(arg, (struct inspect_row){
		.seq = key.seq, .lane = key.lane, .table = STATE_STRAGGLERS, .due_ms = row->due_ms,
	});
	return true;
}

static bool add_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	(void)row;
	add_row(arg, (struct inspect_row){ .seq = key.seq, .lane = key.lane, .table = STATE_DEAD });
	return true;
}

static bool add_due(void *arg, int64_t due_ms, struct delivery_key key)
{
	struct inspect *in = arg;
	in->dues = grow(in->dues, in->n_dues, &in->dues_room, sizeof *in->dues);
	in->dues[in->n_dues++] = (struct inspect_due){ key, due_ms };
	return true;
}

static bool count_kept(void *arg, uint64_t seq, uint32_t rows, struct pb_span event)
{
	struct inspect *in = arg;
	(void)seq;
	(void)rows;
	in->kept++;
	in->kept_bytes += event.len;
	return true;
}

static bool same_damage(const struct inspect_damage *d, enum state_table table, struct pb_span key)
{
	return d->table == table && d->key.len == key.len && memcmp(d->key.data, key.data, key.len) == 0;
}

/* A row may be met more than once. Its key says what it was about. */
static void add_damage(void *arg, enum state_table table, struct pb_span key)
{
	struct inspect *in = arg;
	struct delivery_key d;
	for (size_t i = 0; i < in->n_damage; i++)
		if (same_damage(&in->damage[i], table, key))
			return;
	in->damage = xrealloc(in->damage, in->n_damage + 1, sizeof *in->damage);
	struct inspect_damage *damage = &in->damage[in->n_damage++];
	damage->table = table;
	copy_span(&damage->key, key);
	if ((table == STATE_STRAGGLERS || table == STATE_DEAD) && rows_read_delivery_key(key, &d))
		add_row(in, (struct inspect_row){
			.seq = d.seq, .lane = d.lane, .table = table, .damaged = true,
		});
}

static void add_flaw(void *arg, const struct journal_flaw *flaw)
{
	struct inspect *in = arg;
	in->flaws = xrealloc(in->flaws, in->n_flaws + 1, sizeof *in->flaws);
	in->flaws[in->n_flaws++] = *flaw;
}

static bool pass_row(void *arg, struct pb_span key, struct pb_span value)
{
	(void)arg;
	(void)key;
	(void)value;
	return true;
}

static int compare_rows(const void *a, const void *b)
{
	const struct inspect_row *x = a, *y = b;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return (x->table > y->table) - (x->table < y->table);
}

static int compare_dues(const void *a, const void *b)
{
	const struct inspect_due *x = a, *y = b;
	if (x->key.lane != y->key.lane)
		return x->key.lane < y->key.lane ? -1 : 1;
	if (x->key.seq != y->key.seq)
		return x->key.seq < y->key.seq ? -1 : 1;
	return (x->due_ms > y->due_ms) - (x->due_ms < y->due_ms);
}

/* Everything small; each table is read whole, so that every checksum is looked at. */
static int read_state(struct inspect *in)
{
	int r = rows_get_meta(in->state, &in->meta);
	in->has_meta = r == 0;
	r = rows_each_name(in->state, add_name, in);
	if (r == 0)
		r = rows_each_lane(in->state, add_lane, in);
	if (r == 0)
		r = rows_each_mark(in->state, add_mark, in);
	if (r == 0)
		r = rows_each_straggler(in->state, LANE_ANY, 0, add_straggler, in);
	if (r == 0)
		r = rows_scan_dead(in->state, (struct delivery_key){ 0, 0 }, add_dead, in);
	if (r == 0)
		r = rows_each_due(in->state, LANE_ANY, DUE_FIRST, add_due, in);
	if (r == 0)
		r = rows_each_kept(in->state, 0, count_kept, in);
	if (r == 0)
		r = state_scan(in->state, STATE_SEEN, SPAN_NONE, pass_row, in);
	if (r == 0)
		r = state_scan(in->state, STATE_SINKS, SPAN_NONE, pass_row, in);
	if (r == 0)
		r = state_scan(in->state, STATE_ROUTES, SPAN_NONE, pass_row, in);
	if (in->n_rows > 0)
		qsort(in->rows, in->n_rows, sizeof *in->rows, compare_rows);
	if (in->n_dues > 0)
		qsort(in->dues, in->n_dues, sizeof *in->dues, compare_dues);
	return r;
}

/* What a start would take from blocks that the state does not have yet. */
static int read_tail(struct inspect *in)
{
	struct record rec;
	struct mark m;
	struct watermark w;
	int r;
	struct journal_cursor *c = journal_cursor_at(in->journal, in->meta.applied);
	while ((r = journal_next(in->journal, c, &rec)) > 0) {
		for (size_t at = 0; rec.kind == RECORD_MARK && marks_next(rec.data, &at, &m); )
			set_mark(in, m.source, m.key, m.value);
		for (size_t at = 0; rec.kind == RECORD_WATERMARK && watermarks_next(rec.data, &at, &w); ) {
			struct inspect_lane *lane = inspect_lane(in, w.lane);
			if (lane != NULL && lane->saved && w.seq > lane->watermark)
				lane->watermark = w.seq;
		}
	}
	journal_cursor_close(in->journal, c);
	return r;
}

static int open_state(struct inspect *in, struct pb_error *error)
{
	char *folder = xasprintf("%s/state", in->folder);
	struct pb_error why;
	error_init(&why);
	int r = in->running ? 0 : state_probe(folder, &why);
	if (r == 0)
		in->state = state_open_read(folder, &(struct state_reading){ add_damage, in }, &why);
	if (r == 0 && in->state == NULL)
		r = -errno;
	in->no_state = r == -ENOENT;
	if (r == -EBADMSG)
		in->state_error = xstrdup(error_text(&why));
	else if (r != 0 && r != -ENOENT)
		error_add(error, NULL, "%s", error_text(&why));
	error_free(&why);
	free(folder);
	return in->no_state || r == -EBADMSG ? 0 : r;
}

static int open_journal(struct inspect *in, struct pb_error *error)
{
	char *folder = xasprintf("%s/journal", in->folder);
	struct pb_error why;
	error_init(&why);
	in->journal = journal_open_read(folder, &(struct journal_reading){ add_flaw, in }, &why);
	int r = in->journal == NULL ? -errno : 0;
	in->no_journal = r == -ENOENT;
	if (r != 0 && r != -ENOENT)
		error_add(error, NULL, "%s", error_text(&why));
	error_free(&why);
	free(folder);
	return in->no_journal ? 0 : r;
}

static uint64_t oldest_segment(const struct inspect *in)
{
	struct journal_segment s;
	return in->journal != NULL && journal_segment_at(in->journal, 0, &s) ? s.number : 0;
}

static void let_go(struct inspect *in)
{
	state_close(in->state);
	journal_close(in->journal);
	free(in->state_error);
	in->state = NULL;
	in->journal = NULL;
	in->state_error = NULL;
	in->n_flaws = 0;
}

/* The state is looked at first, since the journal runs ahead of it; but a segment must not go in between, for what rows
 * need of it would be kept in a later state. */
static int open_both(struct inspect *in, struct pb_error *error)
{
	int r = open_journal(in, error);
	for (int i = 0; r == 0 && i < ATTEMPTS; i++) {
		uint64_t oldest = oldest_segment(in);
		let_go(in);
		r = open_state(in, error);
		if (r == 0)
			r = open_journal(in, error);
		if (r == 0 && oldest_segment(in) == oldest)
			break;
	}
	return r;
}

static int open_all(struct inspect *in, struct pb_error *error)
{
	int r = open_both(in, error);
	if (r == 0 && in->no_journal && in->no_state) {
		error_add(error, NULL, "%s: there is no store", in->folder);
		return -ENOENT;
	}
	if (r == 0 && in->journal != NULL)
		journal_stat(in->journal, &in->stat);
	int failed = r == 0 && in->state != NULL ? read_state(in) : 0;
	if (failed == 0 && r == 0 && in->journal != NULL && in->state != NULL)
		failed = read_tail(in);
	if (failed != 0)
		error_add(error, NULL, "%s: %s", in->folder, strerror(-failed));
	return r != 0 ? r : failed;
}

static struct inspect *open_as(const char *folder, bool running, struct pb_error *error)
{
	struct inspect *in = xcalloc(1, sizeof *in);
	*in = (struct inspect){ .magic = INSPECT_MAGIC, .folder = xstrdup(folder), .running = running };
	int r = open_all(in, error);
	if (r == 0)
		return in;
	inspect_close(in);
	errno = -r;
	return NULL;
}

struct inspect *inspect_open(const char *folder, struct pb_error *error)
{
	bool running;
	int r = store_is_locked(folder, &running);
	if (r == 0)
		return open_as(folder, running, error);
	error_add(error, NULL, "%s: %s", folder, strerror(-r));
	errno = -r;
	return NULL;
}

struct inspect *inspect_open_locked(const char *folder, struct pb_error *error)
{
	return open_as(folder, false, error);
}

void inspect_forget_state(struct inspect *in)
{
	state_close(in->state);
	in->state = NULL;
}

static void free_lists(struct inspect *in)
{
	for (size_t i = 0; i < in->n_lanes; i++)
		free(in->lanes[i].title);
	for (size_t i = 0; i < in->n_names; i++)
		free((char *)in->names[i].name);
	for (size_t i = 0; i < in->n_marks; i++) {
		free(in->marks[i].source_name);
		buf_free(&in->marks[i].key);
		buf_free(&in->marks[i].value);
	}
	for (size_t i = 0; i < in->n_damage; i++)
		buf_free(&in->damage[i].key);
	free(in->lanes);
	free(in->names);
	free(in->marks);
	free(in->damage);
	free(in->rows);
	free(in->dues);
	free(in->flaws);
}

void inspect_close(struct inspect *in)
{
	if (in == NULL)
		return;
	CHECK_OBJ(in, INSPECT_MAGIC);
	let_go(in);
	free_lists(in);
	free(in->folder);
	in->magic = 0;
	free(in);
}

int inspect_event_bytes(struct inspect *in, uint64_t seq, struct buf *to)
{
	int r = in->journal == NULL ? -ENOENT : journal_get(in->journal, seq, to);
	return r == -ENOENT && in->state != NULL ? rows_get_kept(in->state, seq, NULL, to) : r;
}

struct pb_event *inspect_event(struct inspect *in, uint64_t seq)
{
	struct buf bytes = BUF_INIT(BUF_MAX);
	int r = inspect_event_bytes(in, seq, &bytes);
	errno = -r;
	struct pb_event *ev = r == 0 ? codec_unpack(buf_span(&bytes)) : NULL;
	int why = errno;
	buf_free(&bytes);
	if (ev != NULL)
		event_set_seq(ev, seq);
	errno = why;
	return ev;
}
