/* retain.c - may the oldest segment go? */
#include "dispatch/retain.h"

#include "base/step.h"
#include "dispatch/router.h"
#include "state/records.h"

int64_t retain_time(struct router *r, uint64_t seq)
{
	struct record rec;
	int64_t ms = 0;
	struct journal_cursor *c = journal_cursor(r->journal, seq);
	while (c != NULL && journal_next(r->journal, c, &rec) > 0 && rec.kind != RECORD_EVENT)
		if (rec.kind == RECORD_TIME)
			ms = time_of(rec.data);
	journal_cursor_close(r->journal, c);
	return ms;
}

static int64_t ended(struct router *r, uint64_t end_seq)
{
	struct retain *k = &r->retain;
	if (k->end_seq == end_seq)
		return k->ended_ms;
	int64_t ms = retain_time(r, end_seq - 1);
	if (ms == 0 || ms > router_wall(r))	/* the clock was set back since: it counts from here on */
		ms = r->started_wall;
	if (ms > k->ended_ms)
		k->ended_ms = ms;
	k->end_seq = end_seq;
	return k->ended_ms;
}

static bool space_is_short(struct router *r, const struct journal_stat *stat)
{
	if (r->max_size == 0)
		return commit_is_full(r->commit);
	return commit_is_full(r->commit) || stat->bytes > KEEP_SHARE_MAX(r->max_size) ||
	       stat->bytes + r->charged > r->max_size - r->max_size / 8;
}

bool retain_holds(struct router *r, const struct journal_stat *stat)
{
	const struct keep *keep = &r->retain.keep;
	if (r->open.replays)	/* rows that need its events, and cannot be counted yet */
		return true;
	if ((keep->ms == 0 && keep->bytes == 0) || space_is_short(r, stat))
		return false;
	bool holds = keep->bytes > 0 ? stat->bytes <= keep->bytes :
		router_wall(r) - ended(r, stat->oldest_end_seq) < keep->ms;
	if (!holds)
		step_at("retain: kept for long enough");
	return holds;
}
