/* model-rows.c - what is on disk of deliveries, against what the engine counts. */
#include "simulate/model.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "event/event.h"
#include "state/rows.h"

/* What a lane's rows are on disk. */
struct rows_of_lane {
	struct lane *lane;
	uint32_t *needed;	/* by number: rows of all lanes */
	uint64_t stragglers, parked, dead, row_bytes, dead_bytes;
};

static bool see_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct rows_of_lane *rows = arg;
	rows->needed[key.seq]++;
	rows->stragglers++;
	rows->row_bytes += straggler_cost(row);
	rows->parked += row->due_ms == due_parked(0);
	return true;
}

static bool see_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct rows_of_lane *rows = arg;
	rows->needed[key.seq]++;
	rows->dead++;
	rows->dead_bytes += dead_cost(row);
	return true;
}

/* What the lane counts is what there is. */
static void check_rows(struct router *r, uint32_t number, uint32_t *needed)
{
	struct lane *lane = r->by_number[number];
	struct rows_of_lane rows = { .lane = lane, .needed = needed };
	rows_each_straggler(r->state, number, 0, see_straggler, &rows);
	rows_each_dead(r->state, number, 0, see_dead, &rows);
	if (lane == NULL)
		return;
	for (const struct slot *s = lane->head; s != NULL; s = s->next)
		rows.parked -= s->row_due_ms == due_parked(0);
	expect(rows.stragglers == lane->stragglers && rows.dead == lane->dead && rows.parked == lane->untaken &&
	       rows.row_bytes == lane->row_bytes && rows.dead_bytes == lane->dead_bytes,
	       "lane %s counts %llu stragglers (%llu bytes, %llu parked) and %llu dead (%llu bytes), and has %llu (%llu, "
	       "%llu) and %llu (%llu)", lane->title, (unsigned long long)lane->stragglers,
	       (unsigned long long)lane->row_bytes, (unsigned long long)lane->untaken, (unsigned long long)lane->dead,
	       (unsigned long long)lane->dead_bytes, (unsigned long long)rows.stragglers,
	       (unsigned long long)rows.row_bytes, (unsigned long long)rows.parked, (unsigned long long)rows.dead,
	       (unsigned long long)rows.dead_bytes);
}

/* Each event that a row needs can be had; the counts in `kept` are those of the rows. */
void model_check_rows(struct model *m)
{
	struct router *r = &m->lab->d->router;
	uint32_t *needed = xcalloc(r->next + 1, sizeof *needed);
	for (uint32_t number = 1; number < r->n_numbers; number++)
		check_rows(r, number, needed);
	for (uint64_t seq = 1; seq < r->next; seq++) {
		uint32_t counted = 0;
		if (rows_get_kept(r->state, seq, &counted, NULL) == -ENOENT)
			counted = 0;
		if (seq < r->kept_below)
			expect(counted == needed[seq], "event %llu is kept for %u rows and needed by %u",
			       (unsigned long long)seq, counted, needed[seq]);
		struct pb_event *ev = needed[seq] > 0 ? space_event(r, seq) : NULL;
		expect(needed[seq] == 0 || ev != NULL, "event %llu is gone, and a row needs it",
		       (unsigned long long)seq);
		event_unref(ev);
	}
	free(needed);
}
