/* damaged.c - stragglers whose rows are damaged: each has a due row, too, and that still says that it waits. */
#include "dispatch/damaged.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "dispatch/router.h"

struct due {
	int64_t due_ms;
	uint64_t seq;
};

struct dues {
	struct due *all;
	size_t n, room;
};

static bool note(void *arg, int64_t due_ms, struct delivery_key key)
{
	struct dues *dues = arg;
	if (dues->n == dues->room) {
		dues->room = dues->room * 2 + 64;
		dues->all = xrealloc(dues->all, dues->room, sizeof *dues->all);
	}
	dues->all[dues->n++] = (struct due){ due_ms, key.seq };
	return true;
}

static bool is_damaged(struct state *state, struct delivery_key key)
{
	struct straggler_row row;
	struct buf hold = BUF_INIT(BUF_MAX);
	int failed = rows_get_straggler(state, key, &row, &hold);
	buf_free(&hold);
	return failed == -EBADMSG;
}

int damaged_mend(struct lane *lane, bool (*each)(void *arg, struct delivery_key, const struct straggler_row *), void *arg)
{
	struct router *r = lane->router;
	struct dues dues = { 0 };
	int failed = rows_each_due(r->state, lane->number, DUE_FIRST, note, &dues);
	for (size_t i = 0; i < dues.n && failed == 0; i++) {
		struct delivery_key key = { lane->number, dues.all[i].seq };
		int64_t due = dues.all[i].due_ms;
		if (!is_damaged(r->state, key))
			continue;
		struct straggler_row row = { .due_ms = due_is_parked(due) ? due : router_wall(r) };
		rows_put_straggler(&r->open.batch, key, &row, due);
		log_warn("%s: what is known of the waiting event %llu is damaged: it is delivered as if for the "
			 "first time", lane->title, (unsigned long long)key.seq);
		each(arg, key, &row);
	}
	free(dues.all);
	return failed;
}
