/*
 * trace-search.c - the events with an id that the history has not, or has no more: among what is kept, and in the journal.
 *
 * The state is read by whoever asks, a page at a time; the journal by calls on the router's thread, a few ms each. It is
 * given up after a while, since a journal may be large.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "dispatch/router.h"
#include "dispatch/trace.h"
#include "event/codec.h"
#include "event/event.h"

#define PAGE 256	/* rows read at once */
#define PIECE 1024	/* events of the journal for one call, … */
#define PIECE_MS 2	/* … and time of the router's */
#define SEARCH_MS 5000	/* for all of it */

struct search {
	struct inbox_call call;
	struct router *r;
	const char *id;
	struct trace_found *found;
	uint64_t at;		/* where it goes on */
	size_t room;		/* of this page or piece */
	bool more;
	int failed;
};

static void look_at(struct search *s, uint64_t seq, struct pb_span packed)
{
	struct pb_event *ev = codec_unpack(packed);
	if (ev != NULL && strcmp(event_id(ev), s->id) == 0 && s->found->n < TRACE_EVENTS_MAX)
		s->found->seqs[s->found->n++] = seq;
	event_unref(ev);
}

static bool look_at_kept(void *arg, uint64_t seq, uint32_t rows, struct pb_span event)
{
	struct search *s = arg;
	(void)rows;
	look_at(s, seq, event);
	s->at = seq + 1;
	s->more = --s->room == 0;
	return !s->more;
}

static bool is_late(const struct search *s, int64_t since)
{
	s->found->cut = s->found->cut || clock_mono(s->r->clock) - since > SEARCH_MS;
	return s->found->cut;
}

static int search_kept(struct search *s, int64_t since)
{
	int failed = 0;
	s->at = 0;
	do {
		s->room = PAGE;
		s->more = false;
		failed = rows_each_kept(s->r->state, s->at, look_at_kept, s);
	} while (failed == 0 && s->more && !is_late(s, since));
	return failed;
}

static void search_piece(struct inbox_call *call)
{
	struct search *s = (struct search *)call;
	struct router *r = s->r;
	struct record rec;
	int64_t until = clock_mono(r->clock) + PIECE_MS;
	struct journal_cursor *cursor = journal_cursor(r->journal, s->at);
	s->more = false;
	s->failed = cursor == NULL ? -ENOMEM : 0;
	for (s->room = PIECE; cursor != NULL && !s->more && s->failed == 0; ) {
		int got = journal_next(r->journal, cursor, &rec);
		s->failed = got < 0 ? got : 0;
		if (got <= 0)
			break;
		if (rec.kind != RECORD_EVENT || rec.seq < s->at)
			continue;
		look_at(s, rec.seq, rec.data);
		s->at = rec.seq + 1;
		s->more = --s->room == 0 || clock_mono(r->clock) > until;
	}
	journal_cursor_close(r->journal, cursor);
}

static int search_journal(struct search *s, trace_caller *on_router, int64_t since)
{
	struct journal_stat stat;
	int failed;
	journal_stat(s->r->journal, &stat);
	s->at = stat.first_seq;
	do {
		s->call = (struct inbox_call){ .run = search_piece };
		failed = on_router(&s->r->inbox, &s->call);
		if (failed == 0)
			failed = s->failed;
	} while (failed == 0 && s->more && !is_late(s, since));
	return failed;
}

int trace_search(struct router *r, trace_caller *on_router, const char *id, struct trace_found *found)
{
	struct search s = { .r = r, .id = id, .found = found };
	int64_t since = clock_mono(r->clock);
	found->n = 0;
	found->cut = false;
	int failed = search_kept(&s, since);
	return failed == 0 && !found->cut ? search_journal(&s, on_router, since) : failed;
}
