/* uptime.c - how long daemons have run on the store. */
#include "dispatch/uptime.h"

#include <errno.h>

#define SAVE_EVERY 60000	/* ms */

int uptime_restore(struct uptime *u, struct state *state, uint64_t next, int64_t now)
{
	struct timeline *t = &u->accepted;
	struct uptime_row row;
	int failed = rows_get_uptime(state, &row, t->points, TIMELINE_POINTS);
	if (failed < 0 && failed != -ENOENT && failed != -EBADMSG)
		return failed;
	if (failed < 0)
		row = (struct uptime_row){ .next_seq = next, .begin_seq = next };
	u->offset = row.ms - now;
	u->saved = row.ms;
	timeline_init(t, row.begin_seq, row.begin_ms);
	t->n = row.n;
	/* What came after that was accepted no earlier. */
	timeline_note(t, row.next_seq, row.ms);
	return 0;
}

void uptime_note(struct uptime *u, uint64_t seq, int64_t now)
{
	timeline_note(&u->accepted, seq, now + u->offset);
}

int64_t uptime_age(const struct uptime *u, uint64_t seq, int64_t now)
{
	return now + u->offset - timeline_latest(&u->accepted, seq, now + u->offset);
}

bool uptime_is_due(const struct uptime *u, int64_t now)
{
	return now + u->offset - u->saved >= SAVE_EVERY;
}

void uptime_put(struct uptime *u, struct state_batch *to, uint64_t next, int64_t now)
{
	u->saved = now + u->offset;
	rows_put_uptime(to, &(struct uptime_row){
		.ms = u->saved, .next_seq = next, .begin_seq = u->accepted.begin_seq,
		.begin_ms = u->accepted.begin_ms, .points = u->accepted.points, .n = u->accepted.n,
	});
}
