/*
 * space.c - segments go when nobody needs them; what stragglers and dead letters still need is kept.
 *
 * A segment may go when every lane is past it. The events that rows need are first copied to `kept`,
 * each with the number of its rows; the segment goes when that is on disk. A row that goes later
 * takes its share along.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "dispatch/router.h"
#include "event/codec.h"
#include "event/event.h"

static struct kept_count *count_of(struct router *r, uint64_t seq)
{
	struct kept_count *k;
	HASH_FIND(hh, r->kept, &seq, sizeof seq, k);
	if (k == NULL) {
		k = xcalloc(1, sizeof *k);
		k->seq = seq;
		HASH_ADD(hh, r->kept, seq, sizeof k->seq, k);
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

/* Where nobody needs what is before: the smallest watermark of all lanes. */
static uint64_t needed_from(const struct router *r)
{
	uint64_t least = r->next;
	for (size_t i = 0; i < r->n_lanes; i++) {
		uint64_t mark = lane_watermark(r->lanes[i]);
		if (mark < least)
			least = mark;
	}
	return least;
}

struct count_pass {
	struct router *r;
	struct lane *lane;	/* NULL: of an earlier configuration */
	uint64_t end;
};

static bool count_row(struct count_pass *p, uint64_t seq)
{
	if (seq >= p->end)
		return false;
	struct slot *slot = p->lane != NULL ? lane_find_loose(p->lane, seq) : NULL;
	if (slot == NULL || !slot->forgotten)
		count_of(p->r, seq)->rows++;
	return true;
}

static bool count_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	(void)row;
	return count_row(arg, key.seq);
}

static bool count_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct count_pass *p = arg;
	(void)row;
	return dead_is_purged(p->r, key.lane, key.seq) ? key.seq < p->end : count_row(p, key.seq);
}

static int keep(struct router *r, struct kept_count *k)
{
	int failed = 0;
	struct buf bytes = BUF_INIT(BUF_MAX);
	k->save = r->saves + 1;
	if (k->rows == 0)
		rows_del_kept(&r->open.batch, k->seq);
	else if ((failed = event_bytes(r, k->seq, &bytes)) == 0)
		rows_put_kept(&r->open.batch, k->seq, k->rows, buf_span(&bytes));
	else if (failed == -ENOENT || failed == -EBADMSG)
		log_error("event %llu is lost: a delivery that waits for it can no longer be made",
			  (unsigned long long)k->seq);
	buf_free(&bytes);
	return failed == -ENOENT || failed == -EBADMSG ? 0 : failed;
}

/* How many rows need each event before `end`. */
static void count_rows(struct router *r, uint64_t end)
{
	struct count_pass p = { .r = r, .end = end };
	for (size_t i = 0; i < r->n_lanes; i++) {
		p.lane = r->lanes[i];
		/* A loose one may have a row that is on its way out, or about to be a dead letter's. */
		if (p.lane->stragglers > 0 || p.lane->n_loose > 0)
			rows_each_straggler(r->state, p.lane->number, r->kept_below, count_straggler, &p);
		if (p.lane->dead > 0 || r->gone != NULL)
			rows_each_dead(r->state, p.lane->number, r->kept_below, count_dead, &p);
	}
	p.lane = NULL;
	for (size_t i = 0; i < r->n_removed; i++)
		rows_each_dead(r->state, r->removed[i], r->kept_below, count_dead, &p);
}

/* Forget what was counted from `kept_below` on. */
static void forget_counts(struct router *r)
{
	struct kept_count *k, *next;
	HASH_ITER(hh, r->kept, k, next) {
		if (k->seq < r->kept_below)
			continue;
		HASH_DEL(r->kept, k);
		free(k);
	}
}

void space_turn(struct router *r)
{
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	if (r->start_unsaved || stat.oldest_end_seq == 0 || r->open.trim_seq != 0 || r->saving.trim_seq != 0 ||
	    needed_from(r) < stat.oldest_end_seq)
		return;
	count_rows(r, stat.oldest_end_seq);
	struct kept_count *k, *next;
	HASH_ITER(hh, r->kept, k, next)
		if (k->seq >= r->kept_below && k->seq < stat.oldest_end_seq && keep(r, k) < 0) {
			forget_counts(r);	/* another time */
			return;
		}
	r->open.trim_seq = r->kept_below = stat.oldest_end_seq;
	if (r->urgent_since == 0)
		r->urgent_since = router_now(r);
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
		k = count_of(r, seq);
		k->rows = rows;
	}
	if (k->rows > 0)
		k->rows--;
	keep(r, k);
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
