/* recover.c - the state brought up to the journal, before any thread runs. */
#include "dispatch/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "dispatch/alarms.h"
#include "dispatch/damaged.h"
#include "dispatch/keys.h"
#include "dispatch/trail.h"
#include "event/codec.h"
#include "event/event.h"
#include "state/history.h"
#include "state/records.h"
#include "state/rows.h"

/* What the start finds. */
struct start {
	struct recover *rec;
	struct router *r;
	struct names names;
	uint64_t lost_from;	/* the state is lost: the journal's first event; 0: it is not */
};

/* A lane that is new begins with what comes next; if nobody knows what is new, with all there is. */
static int place_lane(struct start *st, struct lane *lane, bool is_new)
{
	struct router *r = st->r;
	uint64_t at = r->next;
	int failed = is_new ? -ENOENT : rows_get_lane(r->state, lane->number, &at);
	if (failed == -ENOENT)
		at = st->lost_from != 0 ? st->lost_from : r->next;
	else if (failed < 0)
		return failed;
	st->names.given = st->names.given || failed == -ENOENT;
	lane->next = at;
	lane->saved = failed == -ENOENT ? UINT64_MAX : at;
	lane->unsaved = failed == -ENOENT;	/* from here on it counts, whatever happens */
	return 0;
}

/* A lane of an earlier configuration that has not left yet. */
static int add_leaving(struct start *st, const struct known *k)
{
	struct router *r = st->r;
	uint64_t at;
	int failed = rows_get_lane(r->state, k->number, &at);
	if (failed < 0)
		return failed == -ENOENT ? 0 : failed;
	struct lane *lane = lane_new_leaving(r, k->key + 1);
	lane->number = k->number;
	lane->next = lane->saved = at;
	r->leaving = xrealloc(r->leaving, r->n_leaving + 1, sizeof(struct lane *));
	r->leaving[r->n_leaving++] = lane;
	return 0;
}

static int number_lanes(struct start *st)
{
	struct router *r = st->r;
	struct known *k, *next;
	int failed = 0;
	for (size_t i = 0; i < r->n_lanes && failed == 0; i++) {
		bool is_new;
		r->lanes[i]->number = names_number(&st->names, NAME_LANE, r->lanes[i]->title, &is_new);
		failed = place_lane(st, r->lanes[i], is_new);
	}
	HASH_ITER(hh, st->names.all, k, next)
		if (k->key[0] == NAME_LANE && !k->used && failed == 0)
			failed = add_leaving(st, k);
	r->n_numbers = st->names.last + 1;
	r->by_number = xcalloc(r->n_numbers, sizeof(struct lane *));
	for (size_t i = 0; i < r->n_lanes; i++)
		r->by_number[r->lanes[i]->number] = r->lanes[i];
	for (size_t i = 0; i < r->n_leaving; i++)
		r->by_number[r->leaving[i]->number] = r->leaving[i];
	return failed;
}

struct rule *recover_rule(struct names *names, const struct config_route *config)
{
	uint32_t *from = xcalloc(config->n_from, sizeof *from);
	for (size_t k = 0; k < config->n_from; k++)
		from[k] = names_number(names, NAME_SOURCE, config->from[k]->name, NULL);
	struct rule *rule = rule_new(config, from);
	free(from);
	return rule;
}

static void number_sources(struct start *st)
{
	struct recover *rec = st->rec;
	for (size_t i = 0; i < rec->n_feeds; i++) {
		struct feed *f = rec->feeds[i];
		f->number = names_number(&st->names, NAME_SOURCE, f->self.name, NULL);
		feed_watch(f, &st->r->seen);
		if (rec->feeds[i]->self.plugin == &alarms_plugin)
			st->r->alarms_origin = rec->feeds[i]->number;
	}
	for (size_t i = 0; i < st->r->n_outlets; i++) {
		struct outlet *o = st->r->outlets[i];
		o->number = names_number(&st->names, NAME_SINK, o->config->name, NULL);
	}
	for (size_t i = 0; i < st->r->n_routes; i++)
		st->r->routes[i]->rule = recover_rule(&st->names, st->r->routes[i]->config);
}

/* What lanes took when they last ran, and before. */
static bool take_rule(void *arg, uint32_t number, const struct route_row *row)
{
	struct router *r = arg;
	struct lane *lane = number < r->n_numbers ? r->by_number[number] : NULL;
	if (lane == NULL)
		return true;
	struct rule **at = row->until == ROUTE_PRESENT ? &lane->stored : &lane->old;
	while (*at != NULL)
		at = &(*at)->next;
	*at = rule_load(row);
	if (row->until == ROUTE_PRESENT)
		return true;
	r->n_old += lane->old_until == 0;
	lane->old_until = row->until;
	return true;
}

/* From here on they take what the configuration says. */
static void change_rules(struct router *r)
{
	for (size_t i = 0; i < r->n_lanes; i++) {
		struct lane *lane = r->lanes[i];
		rules_change(lane, lane->stored, lane->route->rule, r->next);
		rules_free(lane->stored);
		lane->stored = NULL;
	}
}

static void take_watermarks(struct router *r, struct pb_span data)
{
	struct watermark w;
	for (size_t at = 0; watermarks_next(data, &at, &w); ) {
		struct lane *lane = w.lane < r->n_numbers ? r->by_number[w.lane] : NULL;
		if (lane == NULL || w.seq <= lane->next)
			continue;
		lane->next = w.seq;
		lane->unsaved = true;
	}
}

/* The sources know them too: at a start without room the state does not have them yet. */
static void take_marks(struct recover *rec, const struct record *found)
{
	struct mark m;
	save_mark(rec->router, found->block_end, found->data);
	for (size_t at = 0; marks_next(found->data, &at, &m); )
		for (size_t i = 0; i < rec->n_feeds; i++)
			if (rec->feeds[i]->number == m.source)
				feed_recall(rec->feeds[i], m.key, m.value);
}

/* The key that stands before an event, and the time of its block. */
struct keyed {
	unsigned char hash[SEEN_HASH];
	uint64_t seq;		/* the event's, 0: no key */
	int64_t at_ms;
};

static void recall(struct router *r, const struct keyed *k, const struct record *found)
{
	struct pb_event *ev = codec_unpack(found->data);
	if (ev == NULL)
		return;
	event_set_seq(ev, found->seq);
	seen_recall(&r->seen, k->hash, ev, k->at_ms);
	event_unref(ev);
}

static void take_key(struct router *r, struct keyed *k, const struct record *found)
{
	if (found->kind == RECORD_TIME) {
		k->at_ms = time_of(found->data);
	} else if (found->kind == RECORD_KEY && found->data.len == SEEN_HASH) {
		memcpy(k->hash, found->data.data, SEEN_HASH);
		k->seq = found->seq;
	} else if (found->kind == RECORD_EVENT && k->seq == found->seq) {
		recall(r, k, found);
		k->seq = 0;
	}
}

/* Keys, watermarks and marks of the blocks that the state does not have yet. The watermarks of a state that is lost may be of
 * other lanes than those that have their numbers now; likewise sources and keys. */
static int read_tail(struct recover *rec, bool lost)
{
	struct router *r = rec->router;
	struct record found;
	struct keyed key = { .seq = 0 };
	int got;
	struct journal_cursor *c = journal_cursor_at(r->journal, r->meta.applied);
	if (c == NULL)
		return -ENOMEM;
	while ((got = journal_next(r->journal, c, &found)) > 0) {
		if (!lost)
			take_key(r, &key, &found);
		if (found.kind == RECORD_MARK)
			take_marks(rec, &found);
		else if (found.kind == RECORD_WATERMARK && !lost)
			take_watermarks(r, found.data);
		else if (found.kind == RECORD_EVENT && !lost)
			trail_found(r, found.seq, found.data);
	}
	journal_cursor_close(r->journal, c);
	return got;
}

static bool count_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct lane *lane = arg;
	struct straggler_row fixed = *row;
	int64_t latest = router_wall(lane->router) + row->wait_ms;
	lane_row_added(lane, straggler_cost(row));
	if (row->due_ms == due_parked(0)) {
		yield_found(lane, key.seq);
		return true;
	}
	if (row->due_ms > latest && !due_is_parked(row->due_ms)) {	/* the clock was set back: it waits no longer than it had left */
		fixed.due_ms = latest;
		rows_put_straggler(&lane->router->open.batch, key, &fixed, row->due_ms);
	}
	if (fixed.due_ms < lane->next_due_ms && !due_is_parked(fixed.due_ms))
		lane->next_due_ms = fixed.due_ms;
	/* It waits in place, or the watermark behind it was not saved; or the lane has parked rows before it. */
	bool waits_for_rows = lane->untaken > 0 && (fixed.key != 0 || due_is_parked(fixed.due_ms));
	if (key.seq >= lane->next || waits_for_rows) {
		fixed.first_ms = stragglers_first(lane->router, &fixed);
		lane_cover(lane, key.seq, &fixed);
	} else if (!lane->leaving.is) {
		keys_note_row(lane, key.seq, fixed.key, fixed.due_ms);
	}
	return true;
}

static bool count_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct lane *lane = arg;
	lane->dead++;
	lane->dead_bytes += dead_cost(row);
	if (key.seq >= lane->next)
		lane_cover(lane, key.seq, NULL);
	return true;
}

static int restore_sinks(struct router *r)
{
	int failed = 0;
	for (size_t i = 0; i < r->n_outlets && failed == 0; i++)
		failed = sink_restore(r->outlets[i]);
	return failed;
}

/* Its place is within the journal, and what rows it has is known. */
static int ready_lane(struct lane *lane, uint64_t first)
{
	struct router *r = lane->router;
	if (lane->next > r->next) {
		log_error("%s was at event %llu, but the journal ends at %llu: "
			  "state and journal are not of one time", lane->title,
			  (unsigned long long)lane->next, (unsigned long long)r->next);
		lane->next = r->next;
	}
	if (lane->next < first)
		lane->next = first;
	uint64_t damaged = state_damaged(r->state);
	int failed = rows_each_straggler(r->state, lane->number, 0, count_straggler, lane);
	if (failed == 0 && state_damaged(r->state) > damaged)
		failed = damaged_mend(lane, count_straggler, lane);
	return failed == 0 ? rows_each_dead(r->state, lane->number, 0, count_dead, lane) : failed;
}

static int ready_lanes(struct router *r)
{
	struct journal_stat stat;
	int failed = 0;
	journal_stat(r->journal, &stat);
	for (size_t i = 0; i < r->n_lanes && failed == 0; i++) {
		struct lane *lane = r->lanes[i];
		failed = ready_lane(lane, stat.first_seq);
		lane->live = lane->next == r->next && !lane->from_rows && sink_takes(lane->outlet, lane->next);
		r->n_behind += !lane->live;
		if (lane->next_due_ms != TIMER_NEVER)
			stragglers_expect(lane, lane->next_due_ms);
	}
	for (size_t i = 0; i < r->n_leaving && failed == 0; i++)
		failed = ready_lane(r->leaving[i], stat.first_seq);
	r->catchup_due = r->n_behind > 0;
	return failed;
}

/* A new store, or one whose state is gone. */
static void begin_meta(struct start *st)
{
	struct router *r = st->r;
	struct journal_stat stat;
	struct id_gen gen;
	id_gen_init(&gen);
	id_new(&gen, router_wall(r), r->meta.node);
	r->meta.applied = (struct journal_pos){ 0 };
	journal_stat(r->journal, &stat);
	if (stat.first_seq == stat.next_seq)
		return;
	st->lost_from = stat.first_seq;
	log_error("THE STATE IS LOST, but the journal holds events %llu to %llu: every sink gets all of them "
		  "that its routes want, most of them again; dead letters and what waited for another attempt "
		  "are known no more", (unsigned long long)stat.first_seq,
		  (unsigned long long)stat.next_seq - 1);
}

/* A journal of another time, or without its end: its numbers go on after those that the state knows. */
static void tell_times(const struct router *r)
{
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	if (journal_pos_cmp(stat.end, r->meta.applied) < 0)
		log_error("THE JOURNAL ENDS BEFORE WHAT THE STATE KNOWS: it is older, or another, or its end is damaged. "
			  "What it lacks of the events before %llu is lost, unless it was delivered",
			  (unsigned long long)r->meta.applied_seq);
}

static int read_meta(struct start *st)
{
	struct router *r = st->r;
	int failed = rows_get_meta(r->state, &r->meta);
	if (failed == -ENOENT)
		begin_meta(st);
	if (failed < 0)
		return failed == -ENOENT ? 0 : failed;
	if (r->meta.kept_below > r->kept_below)
		r->kept_below = r->meta.kept_below;
	tell_times(r);
	if (!r->meta.clean)
		log_info("the last run did not end cleanly: what was in flight is delivered again");
	return 0;
}

static bool keeps(const struct router *r)
{
	return r->retain.keep.ms > 0 || r->retain.keep.bytes > 0;
}

static int free_space(struct start *st)
{
	struct known *k, *next;
	size_t n = 0;
	uint32_t *lanes = xcalloc(HASH_COUNT(st->names.all) + 1, sizeof *lanes);
	HASH_ITER(hh, st->names.all, k, next)
		if (k->key[0] == NAME_LANE)
			lanes[n++] = k->number;
	int failed = space_start(st->r, lanes, n);
	free(lanes);
	return failed;
}

/* A block that was cut off had numbers that are not given again. An empty block says so before the state does, which would
 * otherwise seem to be ahead of the journal. Without room for it that is how it looks. */
static int state_numbers(struct router *r)
{
	struct journal_stat stat;
	uint64_t seq;
	step_at("recover: journal's tail read");
	journal_stat(r->journal, &stat);
	int failed = stat.skips ? journal_append(r->journal, NULL, 0, 0, &seq) : 0;
	if (failed != 0 && failed != -ENOSPC)
		return failed;
	journal_stat(r->journal, &stat);
	r->routed = stat.end;
	return 0;
}

static bool count_removed(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct removed *removed = arg;
	(void)key;
	removed->dead++;
	removed->dead_bytes += dead_cost(row);
	return true;
}

/* Lanes that have left, and have dead letters. */
static int note_removed(struct start *st)
{
	struct router *r = st->r;
	struct known *k, *next;
	int failed = 0;
	HASH_ITER(hh, st->names.all, k, next) {
		struct removed removed = { .number = k->number };
		if (k->key[0] != NAME_LANE || r->by_number[k->number] != NULL || failed < 0)
			continue;
		failed = rows_each_dead(r->state, k->number, 0, count_removed, &removed);
		if (removed.dead == 0)
			continue;
		r->removed = xrealloc(r->removed, r->n_removed + 1, sizeof *r->removed);
		r->removed[r->n_removed++] = removed;
	}
	return failed;
}

static int read_state(struct start *st)
{
	struct router *r = st->r;
	int failed = read_meta(st);
	if (failed == 0)
		failed = names_read(&st->names, r->state, 0, &r->open.batch);
	if (failed == 0)
		failed = uptime_restore(&r->uptime, r->state, r->next, router_now(r));
	if (failed == 0 && !keeps(r))
		failed = free_space(st);
	if (failed < 0)
		return failed;
	bool made = false;
	if (r->history != NULL && history_last(r->history) >= r->next)
		history_forget(r->history);
	number_sources(st);
	failed = number_lanes(st);
	if (failed == 0)
		failed = seen_start(&r->seen, st->names.to, &made);
	st->names.given = st->names.given || made;
	if (failed == 0)
		failed = note_removed(st);
	return failed == 0 ? rows_each_route(r->state, take_rule, r) : failed;
}

static int run(struct start *st)
{
	struct router *r = st->r;
	int failed = read_state(st);
	if (failed == 0)
		failed = read_tail(st->rec, st->lost_from != 0);
	if (failed == 0)
		failed = restore_sinks(r);
	if (failed == 0)
		failed = state_numbers(r);
	if (failed == 0)
		failed = ready_lanes(r);
	if (failed < 0)
		return failed;
	change_rules(r);
	watermarks_init(&r->watermarks, r->n_numbers);
	step_at("recover: state not brought up");
	failed = save_now(r, false);
	if (failed == -ENOSPC && keeps(r) && (failed = free_space(st)) == 0)
		failed = save_now(r, false);
	step_at("recover: state brought up");
	space_charge(r);
	/* The saver tries again, and says so; but the journal must not speak of numbers that nobody knows. */
	return failed == -ENOSPC && !st->names.given ? 0 : failed;
}

bool recover_run(struct recover *rec, struct pb_error *err)
{
	struct start st = { .rec = rec, .r = rec->router };
	int failed = run(&st);
	if (failed == -ENOSPC)
		error_add(err, NULL, "no space to save the state, which must be told of new sources, sinks or "
			  "routes before they begin: free some, or start once without them");
	else if (failed == -EBADMSG)
		error_add(err, NULL, "a row of the state that a start needs is damaged: `patchbay store repair` mends it");
	else if (failed < 0)
		error_add(err, NULL, "cannot read or bring up the state: %s", strerror(-failed));
	names_free(&st.names);
	return failed == 0;
}

int recover_close_removed(struct router *r)
{
	for (size_t i = 0; i < r->n_leaving; i++)
		leave_go_on(r->leaving[i]);
	int failed = save_now(r, false);
	step_at("recover: removed lanes closed");
	return failed == -ENOSPC ? 0 : failed;	/* with the first save that finds space */
}
