/* progress.c - when all sources have come to their end: is all that they brought delivered? */
#include "dispatch/engine.h"

struct progress_call {
	struct inbox_call call;
	struct dispatch *d;
	enum dispatch_progress found;
};

static bool lane_is_done(const struct lane *lane, uint64_t next)
{
	return lane_watermark(lane) >= next && lane->stragglers == 0 && lane->count == 0;
}

static bool lane_has_died(const struct lane *lane)
{
	for (size_t i = 0; i < sizeof lane->died / sizeof *lane->died; i++)
		if (lane->died[i] > 0)
			return true;
	return false;
}

/* What is emitted is in the journal before its source ends, so that a lane past its end has had all. */
static void look(struct inbox_call *call)
{
	struct progress_call *pc = (struct progress_call *)call;
	struct router *r = &pc->d->router;
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	pc->found = r->n_leaving == 0 && r->in_flight == 0 && r->next >= stat.next_seq ? DISPATCH_DELIVERED : DISPATCH_ENDS;
	for (size_t i = 0; i < r->n_lanes; i++)
		if (!lane_is_done(r->lanes[i], stat.next_seq))
			pc->found = DISPATCH_ENDS;
	for (size_t i = 0; i < r->n_lanes && pc->found == DISPATCH_DELIVERED; i++)
		if (lane_has_died(r->lanes[i]))
			pc->found = DISPATCH_DIED;
}

enum dispatch_progress dispatch_progress(struct dispatch *d)
{
	size_t n = 0;
	bool all_stored = true;
	for (size_t i = 0; i < d->n_feeds; i++) {
		const struct feed *f = d->feeds[i];
		if (f->config->builtin)
			continue;
		if (!atomic_load(&f->ended))
			return DISPATCH_RUNS;
		all_stored = all_stored && atomic_load(&f->refused) == 0;
		n++;
	}
	struct progress_call pc = { .call.run = look, .d = d, .found = DISPATCH_ENDS };
	if (n == 0 || dispatch_on_router(d, &pc.call) < 0)
		return DISPATCH_RUNS;
	return pc.found == DISPATCH_DELIVERED && !all_stored ? DISPATCH_DIED : pc.found;
}
