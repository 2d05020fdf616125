/* verify.c - the state against itself and the journal. */
#include "state/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "event/codec.h"
#include "state/verify-part.h"

#define TEXT_MAX 4096

void verify_wrong(struct pass *p, struct finding f, const char *means, const char *fmt, ...)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	va_list args;
	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	f.text = text.data != NULL ? text.data : fmt;
	f.means = means;
	p->to->wrong(p->to->arg, &f);
	p->found++;
	buf_free(&text);
}

void verify_note(struct pass *p, const char *fmt, ...)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	va_list args;
	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	p->to->note(p->to->arg, text.data != NULL ? text.data : fmt);
	buf_free(&text);
}

static void verify_parts(struct pass *p)
{
	const struct inspect *in = p->in;
	if (in->no_journal)
		verify_wrong(p, (struct finding){ .wrong = WRONG_NO_JOURNAL },
			     "a start makes a new one, whose events get numbers that were never given; "
			     "what was not yet delivered and is not kept is lost",
			     "the journal has no segment");
	if (in->no_state)
		verify_wrong(p, (struct finding){ .wrong = WRONG_NO_STATE },
			     "a start makes a new one and delivers all that is in the journal again; stragglers, "
			     "dead letters, kept events and old marks of sources are lost",
			     "there is no state (events %llu to %llu are in the journal)",
			     (unsigned long long)in->stat.first_seq, (unsigned long long)in->stat.next_seq - 1);
	if (in->state_error != NULL)
		verify_wrong(p, (struct finding){ .wrong = WRONG_STATE },
			     "a daemon may not start, or end; repair sets the state aside, and then it is "
			     "as if there were none", "%s", in->state_error);
	if (in->has_meta && !in->meta.clean && !in->running)
		verify_note(p, "the daemon did not end cleanly: what was in flight is delivered again");
}

static const char *damage_means(enum state_table table, struct pb_span key)
{
	if (table == STATE_META && rows_is_uptime(key))
		return "what waits is taken to be as old as the next start";
	switch (table) {
	case STATE_STRAGGLERS:
		return "the delivery waits for nothing; repair makes it due at once";
	case STATE_DEAD:
		return "the dead letter is not shown; repair keeps it without its reason";
	case STATE_LANES:
		return "a daemon does not start; repair takes the lane's last progress in the journal";
	case STATE_NAMES:
		return "at a start the name gets a new number, and what has the old one is lost to it";
	case STATE_KEPT:
		return "the event is lost: deliveries that wait for it cannot be made";
	case STATE_MARKS:
		return "the source begins where it would without a mark";
	case STATE_META:
		return "a daemon does not start; repair makes it anew";
	default:
		return "it counts for nothing; repair removes it";
	}
}

static void verify_damage(struct pass *p)
{
	for (size_t i = 0; i < p->in->n_damage; i++) {
		const struct inspect_damage *d = &p->in->damage[i];
		char hex[2 * 24 + 1] = "";
		for (size_t k = 0; k < d->key.len && k < 24; k++)
			snprintf(hex + 2 * k, 3, "%02x", (unsigned char)d->key.data[k]);
		verify_wrong(p, (struct finding){
			.wrong = WRONG_DAMAGE, .table = d->table, .key = buf_span(&d->key),
		}, damage_means(d->table, buf_span(&d->key)), "a damaged row in %s, key %s", state_table_name(d->table), hex);
	}
}

static bool is_damaged(const struct inspect *in, enum state_table table)
{
	for (size_t i = 0; i < in->n_damage; i++)
		if (in->damage[i].table == table)
			return true;
	return false;
}

/* Had a lane not passed all before event `seq`? */
static bool anyone_behind(const struct inspect *in, uint64_t seq)
{
	for (size_t i = 0; i < in->n_lanes; i++)
		if (in->lanes[i].saved && in->lanes[i].watermark < seq)
			return true;
	return false;
}

static void verify_time(struct pass *p)
{
	const struct inspect *in = p->in;
	const struct meta_row *meta = &in->meta;
	if (!in->has_meta && in->n_lanes == 0)
		verify_note(p, "the state is new: a start begins with the oldest event of the journal");
	else if (!in->has_meta && !is_damaged(in, STATE_META))
		verify_wrong(p, (struct finding){ .wrong = WRONG_META },
			     "a start takes the store for a new one", "the state does not say what it is of");
	if (in->journal == NULL || !in->has_meta)
		return;
	if (meta->applied_seq > in->stat.next_seq)
		verify_wrong(p, (struct finding){ .wrong = WRONG_TIME, .seq = meta->applied_seq },
			     "state and journal are not of one time; what the journal lacks is lost, and its "
			     "numbers are not given again",
			     "the state knows of events up to %llu, the journal ends at %llu",
			     (unsigned long long)meta->applied_seq - 1,
			     (unsigned long long)in->stat.next_seq - 1);
	/* A start gives up what nobody needs before it has room to say so: rows are looked at one by one. */
	struct journal_segment oldest;
	if (journal_segment_at(in->journal, 0, &oldest) && oldest.number > 1 &&
	    oldest.first_seq > meta->kept_below && anyone_behind(in, oldest.first_seq))
		verify_wrong(p, (struct finding){ .wrong = WRONG_OLDEST, .seq = oldest.first_seq },
			     "what was not yet delivered of them is lost",
			     "(a) the journal begins with event %llu, but those from %llu on were not given up",
			     (unsigned long long)oldest.first_seq, (unsigned long long)meta->kept_below);
}

static void verify_lane(struct pass *p, const struct inspect_lane *lane)
{
	const struct inspect *in = p->in;
	char text[LANE_TEXT_SIZE];
	const char *title = inspect_lane_title(in, lane->number, text);
	uint64_t end = in->stat.next_seq > in->meta.applied_seq ? in->stat.next_seq : in->meta.applied_seq;
	struct finding f = { .delivery = { .lane = lane->number }, .table = STATE_LANES, .seq = end };
	if (lane->saved && lane->title == NULL) {
		f.wrong = WRONG_NAMELESS;
		verify_wrong(p, f, "no route and sink can go on with it",
			     "%s is at event %llu, but has no name", title, (unsigned long long)lane->watermark);
	}
	if (in->journal == NULL || !lane->saved)
		return;
	f.wrong = WRONG_LANE;
	if (lane->watermark > end)
		verify_wrong(p, f, "at a start it goes on with the journal's end",
			     "(b) '%s' is at event %llu, but the next one gets %llu", title,
			     (unsigned long long)lane->watermark, (unsigned long long)end);
	f.wrong = WRONG_BEHIND;
	if (p->to->all && lane->watermark < in->stat.first_seq)
		verify_wrong(p, f, "what is between them was not delivered",
			     "(a) '%s' is at event %llu, but the oldest is %llu", title,
			     (unsigned long long)lane->watermark, (unsigned long long)in->stat.first_seq);
}

static const char *row_kind(enum state_table table)
{
	return table == STATE_DEAD ? "dead letter" : "straggler";
}

static void verify_row(struct pass *p, size_t i)
{
	const struct inspect *in = p->in;
	const struct inspect_row *row = &in->rows[i];
	char text[LANE_TEXT_SIZE];
	const char *title = inspect_lane_title(in, row->lane, text);
	unsigned long long seq = row->seq;
	uint64_t end = in->stat.next_seq > in->meta.applied_seq ? in->stat.next_seq : in->meta.applied_seq;
	struct finding f = {
		.table = row->table, .delivery = { row->lane, row->seq }, .due_ms = row->due_ms, .seq = row->seq,
	};
	const struct inspect_lane *lane = inspect_lane(in, row->lane);
	f.wrong = WRONG_NAMELESS;
	if (lane == NULL || lane->title == NULL)
		verify_wrong(p, f, "no route and sink can go on with it",
			     "event %llu is a %s of %s, which has no name", seq, row_kind(row->table), title);
	f.wrong = WRONG_TWICE;
	if (i > 0 && row[-1].seq == row->seq && row[-1].lane == row->lane)
		verify_wrong(p, f, "it counts twice; repair keeps the straggler",
			     "(b) event %llu is a straggler of '%s' and dead", seq, title);
	f.wrong = WRONG_FUTURE;
	if (row->seq >= end)
		verify_wrong(p, f, "there is no such delivery",
			     "(b) '%s' has a %s of event %llu, which was never accepted", title,
			     row_kind(row->table), seq);
	f.wrong = WRONG_GONE;
	if (row->seq < end && !p->there[i])
		verify_wrong(p, f, row->table == STATE_DEAD ? "it cannot be replayed" : "it can no longer be made",
			     "(a) event %llu is a %s of '%s', but is neither in the journal nor kept", seq,
			     row_kind(row->table), title);
}

static bool verify_kept(void *arg, uint64_t seq, uint32_t rows, struct pb_span event)
{
	struct pass *p = arg;
	uint32_t needed = 0;
	for (size_t i = inspect_rows_from(p->in, seq); i < p->in->n_rows && p->in->rows[i].seq == seq; i++) {
		p->there[i] = true;
		needed++;
	}
	struct finding f = { .wrong = WRONG_KEPT, .seq = seq, .rows = needed, .table = STATE_KEPT };
	if (needed != rows)
		verify_wrong(p, f, needed == 0 ? "it only takes space" : "it would go too early or never",
			     "(c) event %llu is kept for %u rows, but %u need it", (unsigned long long)seq, rows,
			     needed);
	struct pb_event *ev = codec_unpack(event);
	f.wrong = WRONG_EVENT;
	if (ev == NULL)
		verify_wrong(p, f, "it cannot be delivered", "the kept event %llu is none: %s",
			     (unsigned long long)seq, strerror(errno));
	event_unref(ev);
	return true;
}

/* The straggler with this key, or none: n_rows. */
static size_t find_straggler(const struct inspect *in, struct delivery_key key)
{
	size_t i = inspect_rows_from(in, key.seq);
	for (; i < in->n_rows && in->rows[i].seq == key.seq; i++)
		if (in->rows[i].lane == key.lane && in->rows[i].table == STATE_STRAGGLERS)
			return i;
	return in->n_rows;
}

static void verify_due(struct pass *p)
{
	const struct inspect *in = p->in;
	bool *due = xcalloc(in->n_rows, sizeof *due);
	char text[LANE_TEXT_SIZE];
	for (size_t i = 0; i < in->n_dues; i++) {
		const struct inspect_due *d = &in->dues[i];
		size_t at = find_straggler(in, d->key);
		bool right = at < in->n_rows && !in->rows[at].damaged && in->rows[at].due_ms == d->due_ms;
		if (right)
			due[at] = true;
		else
			verify_wrong(p, (struct finding){
				.wrong = WRONG_DUE, .delivery = d->key, .due_ms = d->due_ms,
			}, "it is looked at for nothing", "(d) event %llu is due on '%s', but is no straggler%s",
			(unsigned long long)d->key.seq, inspect_lane_title(in, d->key.lane, text),
			at < in->n_rows ? " of that time" : "");
	}
	for (size_t i = 0; i < in->n_rows; i++) {
		const struct inspect_row *row = &in->rows[i];
		if (row->table != STATE_STRAGGLERS || row->damaged || due[i])
			continue;
		verify_wrong(p, (struct finding){
			.wrong = WRONG_NO_DUE, .delivery = { row->lane, row->seq }, .due_ms = row->due_ms,
		}, "it is never tried again", "(d) event %llu is a straggler of '%s', but is not due",
		(unsigned long long)row->seq, inspect_lane_title(in, row->lane, text));
	}
	free(due);
}

int64_t verify_run(struct inspect *in, const struct verify *to)
{
	struct pass p = { .in = in, .to = to, .there = xcalloc(in->n_rows, sizeof *p.there) };
	verify_parts(&p);
	verify_damage(&p);
	int r = 0;
	if (in->state != NULL) {
		verify_time(&p);
		for (size_t i = 0; i < in->n_lanes; i++)
			verify_lane(&p, &in->lanes[i]);
		r = rows_each_kept(in->state, 0, verify_kept, &p);
		verify_due(&p);
		if (r == 0)
			r = verify_seen(&p);
	}
	if (in->running)
		inspect_forget_state(in);
	if (r == 0 && in->journal != NULL)
		r = verify_journal(&p);
	for (size_t i = 0; r == 0 && i < in->n_rows; i++)
		verify_row(&p, i);
	free(p.there);
	return r < 0 ? r : p.found;
}
