/* backlog.c - since when a lane's deliveries wait. */
#include "dispatch/backlog.h"

#include "dispatch/router.h"

int64_t backlog_since(const struct lane *lane)
{
	const struct router *r = lane->router;
	if (lane->head != NULL)		/* a lane's window is in order */
		return router_accepted(r, lane->head->event, NULL);
	if (!lane->live && lane->next < r->next)
		return timeline_at(&r->timeline, lane->next);
	return BACKLOG_NONE;
}

int64_t backlog_age(int64_t since, int64_t now)
{
	if (since == BACKLOG_NONE)
		return -1;
	return now > since ? now - since : 0;
}

int64_t backlog_row_since(const struct timeline *t, const struct backlog_row *row, bool *own)
{
	int64_t latest = timeline_at(t, row->seq);
	if (timeline_knows(t, row->seq))
		return latest;
	if (own != NULL)
		*own = true;
	return row->first_ms > 0 && row->first_ms < latest ? row->first_ms : latest;
}
