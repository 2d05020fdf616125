/* verify-journal.c - all of the journal, block by block: what is damaged or missing, and which events that costs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "event/codec.h"
#include "state/verify-part.h"

#define NAMES_MAX 300
#define GAP_MAX 1000	/* missing segments told one by one */

struct reading {
	struct pass *p;
	uint64_t expected;		/* the next event has this number, if none is lost */
	size_t segment;			/* the segment being read: which of them */
	struct journal_segment at;
	uint64_t before;		/* bytes of those before it */
	size_t flaws;			/* of the inspection's flaws: told or pending */
	struct finding *pending;	/* which events they cost shows at the next event */
	size_t n_pending;
};

static void pend(struct reading *rd, struct finding f)
{
	rd->pending = xrealloc(rd->pending, rd->n_pending + 1, sizeof *rd->pending);
	rd->pending[rd->n_pending++] = f;
}

/* Who had not passed event `seq`. */
static void add_lanes(const struct inspect *in, uint64_t seq, struct buf *text)
{
	unsigned n = 0;
	for (size_t i = 0; i < in->n_lanes; i++) {
		const struct inspect_lane *lane = &in->lanes[i];
		if (!lane->saved || lane->title == NULL || lane->watermark > seq)
			continue;
		if (text->len < NAMES_MAX)
			buf_printf(text, "%s'%s'", n == 0 ? "; not yet past them: " : ", ", lane->title);
		else if (n > 0)
			buf_add_str(text, ", …");
		n++;
		if (text->len >= NAMES_MAX)
			break;
	}
}

/* "events 5 to 9 are lost; not yet past them: 'all out'" */
static char *what_is_lost(const struct inspect *in, uint64_t from, uint64_t to)
{
	struct buf text = BUF_INIT(4096);
	if (to <= from)
		buf_add_str(&text, "no event is lost");
	else if (to - from == 1)
		buf_printf(&text, "event %llu is lost", (unsigned long long)from);
	else
		buf_printf(&text, "events %llu to %llu are lost", (unsigned long long)from,
			   (unsigned long long)to - 1);
	if (to > from)
		add_lanes(in, to - 1, &text);
	return buf_take(&text);
}

static void tell_block(struct reading *rd, struct finding f, const char *lost)
{
	char name[FLAW_NAME_SIZE];
	bool kept = journal_flaw_kept(rd->p->in->journal, &f.flaw, name);
	unsigned long long segment = f.flaw.segment, from = f.flaw.from, len = f.flaw.to - f.flaw.from;
	if (kept)
		verify_note(rd->p, "segment %016llx: %llu bytes at %llu are no valid block, and were set aside as "
			    "%s: %s", segment, len, from, name, lost);
	else
		verify_wrong(rd->p, f, lost, "segment %016llx: %llu bytes at %llu are no valid block", segment,
			     len, from);
}

/* Events from `expected` up to `seq` are lost to what is pending. */
static void tell_pending(struct reading *rd, uint64_t seq)
{
	if (rd->n_pending == 0)
		return;
	char *lost = what_is_lost(rd->p->in, rd->expected, seq);
	for (size_t i = 0; i < rd->n_pending; i++) {
		struct finding f = rd->pending[i];
		f.seq = f.wrong == WRONG_GAP ? f.seq : seq;
		if (f.wrong == WRONG_FLAW)
			tell_block(rd, f, lost);
		else
			verify_wrong(rd->p, f, lost, "(a) segment %016llx is missing",
				     (unsigned long long)f.flaw.segment);
	}
	free(lost);
	rd->n_pending = 0;
}

static bool is_left_out(const struct inspect *in, uint64_t segment)
{
	for (size_t i = 0; i < in->n_flaws; i++)
		if (in->flaws[i].kind == FLAW_SEGMENT && in->flaws[i].segment == segment)
			return true;
	return false;
}

/* What opening and reading found since the last call. */
static void take_flaws(struct reading *rd)
{
	struct inspect *in = rd->p->in;
	for (; rd->flaws < in->n_flaws; rd->flaws++) {
		struct finding f = { .wrong = WRONG_FLAW, .flaw = in->flaws[rd->flaws] };
		unsigned long long segment = f.flaw.segment, len = f.flaw.to - f.flaw.from;
		if (f.flaw.kind == FLAW_BLOCK)
			pend(rd, f);
		else if (f.flaw.kind == FLAW_HEADER)
			verify_wrong(rd->p, f, "it is known by its first block; repair writes it anew",
				     "segment %016llx: its header is damaged", segment);
		else if (f.flaw.kind == FLAW_SEGMENT)
			verify_wrong(rd->p, f, "a daemon does not start before it is moved away; repair sets it "
				     "aside; events in it are lost",
				     "segment %016llx: not a journal segment, or damaged at its beginning", segment);
		else if (in->running)
			verify_note(rd->p, "segment %016llx: %llu bytes at its end are being written", segment, len);
		else
			verify_note(rd->p, "segment %016llx: a start cuts off %llu bytes at its end: nobody was "
				    "told that they are stored", segment, len);
	}
}

/* Go on to the segment of that number; those that are missing on the way are pending. */
static void enter_segment(struct reading *rd, uint64_t number)
{
	struct journal_segment next;
	while (rd->at.number < number && journal_segment_at(rd->p->in->journal, rd->segment + 1, &next)) {
		for (uint64_t n = rd->at.number + 1; n < next.number && n - rd->at.number <= GAP_MAX; n++)
			if (!is_left_out(rd->p->in, n))
				pend(rd, (struct finding){
					.wrong = WRONG_GAP, .flaw.segment = n, .seq = next.first_seq,
				});
		rd->before += rd->at.bytes;
		rd->at = next;
		rd->segment++;
	}
}

static void take_event(struct reading *rd, const struct record *rec)
{
	struct pass *p = rd->p;
	for (size_t i = inspect_rows_from(p->in, rec->seq); i < p->in->n_rows && p->in->rows[i].seq == rec->seq; i++)
		p->there[i] = true;
	struct pb_event *ev = codec_unpack(rec->data);
	if (ev == NULL)
		verify_wrong(p, (struct finding){ .wrong = WRONG_EVENT, .seq = rec->seq },
			     "it cannot be delivered", "event %llu is none: %s", (unsigned long long)rec->seq,
			     strerror(errno));
	event_unref(ev);
}

int verify_journal(struct pass *p)
{
	struct inspect *in = p->in;
	struct reading rd = { .p = p, .expected = in->stat.first_seq };
	struct record rec;
	int r;
	journal_segment_at(in->journal, 0, &rd.at);
	take_flaws(&rd);
	struct journal_cursor *c = journal_cursor(in->journal, 0);
	while ((r = journal_next(in->journal, c, &rec)) > 0) {
		take_flaws(&rd);
		enter_segment(&rd, rec.block_end.segment);
		if (p->to->progress != NULL)
			p->to->progress(p->to->arg, rd.before + rec.block_end.offset, in->stat.bytes);
		if (rec.kind != RECORD_EVENT)
			continue;
		tell_pending(&rd, rec.seq);
		rd.expected = rec.seq + 1;
		take_event(&rd, &rec);
	}
	journal_cursor_close(in->journal, c);
	take_flaws(&rd);
	enter_segment(&rd, UINT64_MAX);
	tell_pending(&rd, in->stat.next_seq);
	free(rd.pending);
	return r;
}
