/*
 * space.c - segments go when nobody needs them; what stragglers and dead letters still need is kept.
 *
 * A segment may go when every lane is past it. The events that rows need are first copied to `kept`, a piece
 * with each save, each with the number of its rows; the segment goes when all that is on disk. A row that goes
 * later takes its share along.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "dispatch/router.h"
#include "event/codec.h"
#include "event/event.h"

/* A piece: so many events or bytes, or rows that are looked at. */
#define PIECE_EVENTS 512
#define PIECE_BYTES (1u << 20)
#define PIECE_ROWS 16384

static struct kept_count *count_of(struct kept_count **counts, uint64_t seq)
{
	struct kept_count *k;
	HASH_FIND(hh, *counts, &seq, sizeof seq, k);
	if (k == NULL) {
		k = xcalloc(1, sizeof *k);
		k->seq = seq;
		HASH_ADD(hh, *counts, seq, sizeof k->seq, k);
	}
	return k;
}

static int event_bytes(struct router *r, uint64_t seq, struct buf *to)
{
	int failed = journal_get(r->journal, seq, to);
	return failed == -ENOENT ? rows_get_kept(r->state, seq, NULL, to) : failed;
}

struct pb_event *space_event(struct router *r, uint64_t seq)
{
	struct buf bytes = BUF_INIT(BUF_MAX);
	struct pb_event *ev = NULL;
	int failed = event_bytes(r, seq, &bytes);
	if (failed == 0)
		ev = codec_unpack(buf_span(&bytes));
	int why = failed == 0 ? errno : -failed;
	buf_free(&bytes);
	if (ev != NULL)
		event_set_seq(ev, seq);
	errno = why;
	return ev;
}

struct pb_event *space_unpack(struct router *r, const struct record *rec)
{
	struct pb_event *ev = codec_unpack(rec->data);
	if (ev != NULL) {
		event_set_seq(ev, rec->seq);
		return ev;
	}
	int why = errno;
	log_error("event %llu in the journal cannot be read: %s", (unsigned long long)rec->seq, strerror(why));
	r->lost += why != ENOMEM;
	errno = why;
	return NULL;
}

/* Where nobody needs what is before: the smallest watermark of all lanes. */
static uint64_t needed_from(const struct router *r)
{
	uint64_t least = r->next;
	for (size_t i = 0; i < r->n_lanes; i++) {
		uint64_t mark = lane_watermark(r->lanes[i]);
		if (mark < least)
			least = mark;
	}
	for (size_t i = 0; i < r->n_leaving; i++) {
		uint64_t mark = lane_watermark(r->leaving[i]);
		if (mark < least)
			least = mark;
	}
	return least;
}

/* Counts the rows that need events of a piece. */
struct count_pass {
	struct router *r;
	struct lane *lane;		/* NULL: of an earlier configuration */
	uint64_t end;			/* the piece's; lowered when a lane has too many rows for one */
	size_t room, seen;		/* rows of this lane: that may be looked at, that were */
	const struct slot *window;	/* what of the lane's window is not below the last row looked at */
	struct kept_count *counts;
};

/* A row that is on its way out; rows come in order. */
static bool is_going(struct count_pass *p, uint64_t seq)
{
	if (p->lane == NULL)
		return false;
	while (p->window != NULL && p->window->seq < seq)
		p->window = p->window->next;
	const struct slot *slot = p->window != NULL && p->window->seq == seq ? p->window :
		lane_find_loose(p->lane, seq);
	return slot != NULL && slot->forgotten;
}

static bool count_row(struct count_pass *p, uint64_t seq, bool counts)
{
	if (seq >= p->end)
		return false;
	if (counts)
		count_of(&p->counts, seq)->rows++;
	if (++p->seen < p->room)
		return true;
	p->end = seq + 1;
	return false;
}

static bool count_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct count_pass *p = arg;
	(void)row;
	return count_row(p, key.seq, !is_going(p, key.seq));
}

static bool count_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct count_pass *p = arg;
	(void)row;
	return count_row(p, key.seq, !dead_is_purged(p->r, key.lane, key.seq));
}

/* The event with its count goes to `kept`; `bytes` is added to. */
static int keep(struct router *r, struct kept_count *k, size_t *bytes)
{
	int failed = 0;
	struct buf event = BUF_INIT(BUF_MAX);
	k->save = r->saves + 1;
	if (k->rows == 0)
		rows_del_kept(&r->open.batch, k->seq);
	else if ((failed = event_bytes(r, k->seq, &event)) == 0)
		rows_put_kept(&r->open.batch, k->seq, k->rows, buf_span(&event));
	else if (failed == -ENOENT || failed == -EBADMSG)
		log_error("event %llu is lost: a delivery that waits for it can no longer be made",
			  (unsigned long long)k->seq);
	*bytes += event.len;
	buf_free(&event);
	return failed == -ENOENT || failed == -EBADMSG ? 0 : failed;
}

static void count_lane(struct count_pass *p, struct lane *lane)
{
	struct router *r = p->r;
	p->lane = lane;
	p->seen = 0;
	p->window = lane->head;
	/* One in memory may have a row that is on its way out, or about to be a dead letter's; so has what leaves, or is shed. */
	if (lane->stragglers > 0 || lane->n_loose > 0 || lane->count > 0 || lane->leaving.is || r->shed != NULL)
		rows_each_straggler(r->state, lane->number, r->kept_below, count_straggler, p);
	p->seen = 0;
	if (lane->dead > 0 || r->gone != NULL)
		rows_each_dead(r->state, lane->number, r->kept_below, count_dead, p);
}

/* How many rows need each event of the piece that begins at `kept_below`. */
static void count_rows(struct count_pass *p)
{
	struct router *r = p->r;
	for (size_t i = 0; i < r->n_lanes; i++)
		count_lane(p, r->lanes[i]);
	for (size_t i = 0; i < r->n_leaving; i++)
		count_lane(p, r->leaving[i]);
	p->lane = NULL;
	for (size_t i = 0; i < r->n_removed; i++) {
		p->seen = 0;
		rows_each_dead(r->state, r->removed[i].number, r->kept_below, count_dead, p);
	}
}

static int by_seq(const struct kept_count *a, const struct kept_count *b)
{
	return (a->seq > b->seq) - (a->seq < b->seq);
}

/* Copy what was counted, in order, as far as a piece goes: `end` is where that was. */
static void keep_piece(struct count_pass *p)
{
	struct router *r = p->r;
	struct kept_count *k, *next;
	size_t bytes = 0;
	HASH_SORT(p->counts, by_seq);
	HASH_ITER(hh, p->counts, k, next) {
		HASH_DEL(p->counts, k);
		if (k->seq < p->end && (bytes >= PIECE_BYTES || keep(r, k, &bytes) < 0))
			p->end = k->seq;	/* from here on another time */
		if (k->seq < p->end)
			HASH_ADD(hh, r->kept, seq, sizeof k->seq, k);
		else
			free(k);
	}
}

void space_turn(struct router *r)
{
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	if (r->start_unsaved || stat.oldest_end_seq == 0 || r->open.piece || r->open.trim_seq != 0 ||
	    needed_from(r) < stat.oldest_end_seq || retain_holds(r, &stat))
		return;
	size_t lanes = r->n_lanes + r->n_removed + 1;
	struct count_pass p = { .r = r, .end = stat.oldest_end_seq };
	p.room = PIECE_ROWS / lanes > PIECE_EVENTS ? PIECE_EVENTS : PIECE_ROWS / lanes + 1;
	count_rows(&p);
	keep_piece(&p);
	if (p.end <= r->kept_below && p.end < stat.oldest_end_seq)
		return;		/* it cannot be read: another time */
	r->kept_below = p.end;
	r->open.piece = p.end < stat.oldest_end_seq;
	r->open.trim_seq = r->open.piece ? 0 : p.end;
	step_at("space: kept is gathered");
	save_soon(r);
}

static bool lower_lane(void *arg, uint32_t lane, uint64_t watermark)
{
	uint64_t *least = arg;
	(void)lane;
	if (watermark < *least)
		*least = watermark;
	return true;
}

/* A lane's rows come in order: the first is the least. */
static bool lower_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	(void)row;
	lower_lane(arg, key.lane, key.seq);
	return false;
}

static bool lower_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	(void)row;
	lower_lane(arg, key.lane, key.seq);
	return false;
}

int space_start(struct router *r, const uint32_t lanes[], size_t n)
{
	uint64_t least = r->meta.applied_seq;
	int failed = rows_each_lane(r->state, lower_lane, &least);
	for (size_t i = 0; i < n && failed == 0; i++) {
		failed = rows_each_straggler(r->state, lanes[i], r->kept_below, lower_straggler, &least);
		if (failed == 0)
			failed = rows_each_dead(r->state, lanes[i], r->kept_below, lower_dead, &least);
	}
	if (failed < 0)
		return failed;
	struct journal_stat stat;
	journal_trim(r->journal, least, r->meta.applied);
	journal_stat(r->journal, &stat);
	if (stat.first_seq > r->kept_below)
		r->kept_below = stat.first_seq;
	return 0;
}

void space_release(struct router *r, uint64_t seq)
{
	if (seq >= r->kept_below)
		return;
	struct kept_count *k;
	HASH_FIND(hh, r->kept, &seq, sizeof seq, k);
	if (k == NULL) {
		uint32_t rows;
		if (rows_get_kept(r->state, seq, &rows, NULL) < 0)
			return;
		k = count_of(&r->kept, seq);
		k->rows = rows;
	}
	size_t bytes = 0;
	if (k->rows > 0)
		k->rows--;
	keep(r, k, &bytes);
}

void space_saved(struct router *r, uint64_t trim_seq, struct journal_pos applied)
{
	struct kept_count *k, *next;
	HASH_ITER(hh, r->kept, k, next) {
		if (k->save > r->saves)
			continue;
		HASH_DEL(r->kept, k);
		free(k);
	}
	if (trim_seq == 0)
		return;
	step_at("space: kept is saved");
	int gone = journal_trim(r->journal, trim_seq, applied);
	if (gone > 0) {
		commit_freed(r->commit);
		r->space_due = true;	/* the next may go too */
	}
}

void space_free(struct router *r)
{
	struct kept_count *k, *next;
	HASH_ITER(hh, r->kept, k, next) {
		HASH_DEL(r->kept, k);
		free(k);
	}
}
