/* quota.c - what gives way when the store grows. */
#include "dispatch/quota.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parse.h"
#include "dispatch/alarms.h"
#include "dispatch/router.h"

#define LOOKS 256		/* so often while the journal grows by all that the store may have */
#define LOOK_LEAST 65536	/* bytes */
#define SAID_EVERY 60000	/* ms between two lines about a sink that overflows */

void quota_init(struct outlet *o)
{
	const struct options *options = o->config->options;
	uint64_t backlog = (uint64_t)options_int(options, "max_backlog");
	uint64_t dead = (uint64_t)options_int(options, "dead_max_size");
	o->quota.own = backlog > 0;
	o->quota.dead_own = dead > 0 || o->quota.own;
	o->quota.max_backlog = o->quota.own ? backlog : o->router->share.whole;
	o->quota.dead_max = dead > 0 ? dead : o->quota.max_backlog;
	o->quota.blocks = strcmp(options_str(options, "overflow"), "block") == 0;
}

static uint64_t rows_max(const struct outlet *o)
{
	return o->quota.own ? UINT64_MAX : o->router->share.now;
}

uint64_t quota_dead_max(const struct outlet *o)
{
	return o->quota.dead_own ? o->quota.dead_max : o->router->share.now;
}

void space_grew(struct router *r)
{
	struct journal_stat stat;
	uint64_t step = r->max_size / LOOKS > LOOK_LEAST ? r->max_size / LOOKS : LOOK_LEAST;
	journal_stat(r->journal, &stat);
	if (stat.grown - r->grown < step)
		return;
	r->grown = stat.grown;
	r->space_due = true;
}

void space_charge(struct router *r)
{
	uint64_t bytes = state_bytes(r->state);
	journal_charge(r->journal, bytes);
	if (bytes < r->charged)
		commit_room(r->commit);
	r->charged = bytes;
}

/* The journal has more than half of the store: its oldest segment goes, and what lanes still want of it is parked. */
static void compact_oldest(struct router *r)
{
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	if (r->max_size == 0 || stat.bytes <= r->max_size / 2 || stat.oldest_end_seq == 0)
		return;
	for (size_t i = 0; i < r->n_lanes; i++)
		if (lane_watermark(r->lanes[i]) < stat.oldest_end_seq && r->lanes[i]->yield_until == 0)
			yield_lane(r->lanes[i], stat.oldest_end_seq, 0);
}

/* The first event from which on the journal has at most `bytes`. */
static uint64_t seq_before_end(struct router *r, uint64_t low, uint64_t bytes)
{
	uint64_t high = r->next;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (journal_bytes_from(r->journal, middle) > bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void measure(struct outlet *o, uint64_t *pinned)
{
	struct router *r = o->router;
	uint64_t first = r->next, rows = 0, dead = 0;
	for (size_t i = 0; i < o->n_lanes; i++) {
		uint64_t mark = lane_watermark(o->lanes[i]);
		first = mark < first ? mark : first;
		rows += o->lanes[i]->row_bytes;
		dead += o->lanes[i]->dead_bytes;
	}
	*pinned = journal_bytes_from(r->journal, first);
	o->quota.backlog = *pinned + rows;
	o->quota.rows = rows;
	o->quota.dead = dead;
}

static void leave_journal(struct outlet *o, uint64_t bytes)
{
	struct router *r = o->router;
	uint64_t until = 0;
	for (size_t i = 0; i < o->n_lanes; i++) {
		struct lane *lane = o->lanes[i];
		uint64_t mark = lane_watermark(lane);
		if (lane->yield_until != 0 || journal_bytes_from(r->journal, mark) <= bytes)
			continue;
		if (until == 0)
			until = seq_before_end(r, mark, bytes);
		yield_lane(lane, until, 0);
	}
}

/* While it lasts, now and then. */
static void say_overflow(struct outlet *o)
{
	struct quota *q = &o->quota;
	int64_t now = router_now(o->router);
	char count[24], most[PARSE_TEXT_SIZE];
	if (q->unsaid == 0 || (q->said_ms != 0 && now - q->said_ms < SAID_EVERY))
		return;
	bool shrunk = rows_max(o) < q->max_backlog;
	format_size((int64_t)(shrunk ? rows_max(o) : q->max_backlog), most);
	snprintf(count, sizeof count, "%llu", (unsigned long long)q->unsaid);
	log_write(PB_WARN, o->self.title, "%s deliveries are dead (overflow), the oldest: more waits than %s, %s",
		  count, shrunk ? "its share while the store is filled" : "max_backlog", most);
	alarms_tell(o->router->alarms, "patchbay.sink.overflow", router_wall(o->router), "sink", o->config->name,
		    "dead", count, NULL);
	q->said_ms = now;
	q->unsaid = 0;
}

static void block(struct outlet *o, bool blocked)
{
	if (o->quota.blocked == blocked)
		return;
	o->quota.blocked = blocked;
	o->router->holds_due = true;
	log_write(PB_WARN, o->self.title, blocked ? "has reached max_backlog: its sources are held until it is below "
		  "it again" : "is below max_backlog again: its sources go on");
	alarms_tell(o->router->alarms, blocked ? "patchbay.sink.blocking" : "patchbay.sink.room",
		    router_wall(o->router), "sink", o->config->name, NULL);
}

/* From four fifths on, once, and again only after it was below seven tenths. */
static bool begins_to_fill(bool *filling, uint64_t bytes, uint64_t most)
{
	bool before = *filling;
	*filling = bytes >= (before ? most - most / 10 * 3 : most - most / 5);
	return *filling && !before;
}

static void say_filling(struct outlet *o, const char *what, const char *limit, uint64_t bytes, uint64_t most)
{
	char is[PARSE_TEXT_SIZE], may[PARSE_TEXT_SIZE];
	format_size((int64_t)bytes, is);
	format_size((int64_t)most, may);
	log_write(PB_WARN, o->self.title, "%s: %s, over four fifths of %s, %s", what, is, limit, may);
	alarms_tell(o->router->alarms, "patchbay.sink.filling", router_wall(o->router), "sink", o->config->name,
		    "limit", limit, "bytes", is, "most", may, NULL);
}

static void watch(struct outlet *o)
{
	struct quota *q = &o->quota;
	if (begins_to_fill(&q->filling, q->backlog, q->max_backlog))
		say_filling(o, "what waits for it", "max_backlog", q->backlog, q->max_backlog);
	if (begins_to_fill(&q->dead_filling, q->dead, q->dead_max))
		say_filling(o, "its dead letters", "dead_max_size", q->dead, q->dead_max);
}

static void watch_store(struct router *r)
{
	struct journal_stat stat;
	char is[PARSE_TEXT_SIZE], may[PARSE_TEXT_SIZE];
	journal_stat(r->journal, &stat);
	uint64_t bytes = stat.bytes + r->charged;
	if (r->max_size == 0 || !begins_to_fill(&r->filling, bytes, r->max_size))
		return;
	format_size((int64_t)bytes, is);
	format_size((int64_t)r->max_size, may);
	log_warn("the store takes %s, over four fifths of max_size, %s", is, may);
	alarms_tell(r->alarms, "patchbay.store.filling", router_wall(r), "bytes", is, "most", may, NULL);
}

/* How much is to go: of all, a tenth of the limit too; of its rows likewise. 0: nothing. */
static uint64_t too_much(const struct outlet *o, bool low)
{
	const struct quota *q = &o->quota;
	uint64_t most = q->max_backlog, rows = rows_max(o), least = most - most / 10, rows_least = rows - rows / 10;
	uint64_t of_all = q->backlog > (low ? least : most) ? q->backlog - least : 0;
	uint64_t of_rows = q->rows > (low ? rows_least : rows) ? q->rows - rows_least : 0;
	return of_all > of_rows ? of_all : of_rows;
}

/* The journal's part may be half of it; all of it together no more than that. */
static void keep_within(struct outlet *o)
{
	uint64_t most = o->quota.max_backlog, pinned;
	measure(o, &pinned);
	watch(o);
	if (pinned > most / 2)
		leave_journal(o, most / 2 - most / 8);
	uint64_t over = too_much(o, o->quota.blocked);
	if (o->quota.blocks)
		block(o, over > 0);
	else if (over > 0)
		o->quota.unsaid += shed_oldest(o, over);
	say_overflow(o);
}

/* The sources of sinks that are full. */
static void hold_sources(struct router *r)
{
	struct commit_held *held = NULL;
	size_t n = 0;
	for (size_t i = 0; i < r->n_outlets; i++) {
		struct outlet *o = r->outlets[i];
		for (size_t k = 0; o->quota.blocked && k < o->n_lanes; k++) {
			uint32_t source;
			for (size_t j = 0; rule_source(o->lanes[k]->route->rule, j, &source); j++) {
				held = xrealloc(held, n + 1, sizeof *held);
				held[n++] = (struct commit_held){ source, o->config->name };
			}
		}
	}
	commit_hold(r->commit, held, n);
	free(held);
	r->holds = n;
	r->holds_due = false;
}

/* What gives way, in this order. What is kept for a replay goes before all of it, since space_turn() asks for it (retain.c), and
 * dead letters over their quota by themselves (dead.c); what is still too much is for the journal: an append finds no room, and
 * nothing more is accepted until there is. */
void space_look(struct router *r)
{
	r->space_due = false;
	space_charge(r);
	watch_store(r);
	compact_oldest(r);
	for (size_t i = 0; i < r->n_outlets; i++)
		keep_within(r->outlets[i]);
	share_look(r);
	if (r->holds_due || r->holds > 0)	/* routes may have changed */
		hold_sources(r);
	space_turn(r);
}
