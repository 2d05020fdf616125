/* recover.c - the state brought up to the journal, before any thread runs. */
#include "dispatch/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "dispatch/alarms.h"
#include "state/records.h"
#include "state/rows.h"

/* One name as the state has it, or as it is new. */
struct known {
	UT_hash_handle hh;
	uint32_t number;
	char key[];		/* kind, name */
};

struct names {
	struct known *all;
	uint32_t last;		/* the highest number given */
	struct state_batch *to;
	bool given;		/* something is new that must be on disk before an event is */
	uint64_t lost_from;	/* the state is lost: the journal's first event; 0: it is not */
};

static struct known *names_add(struct names *n, char kind, const char *name, uint32_t number)
{
	size_t len = strlen(name);
	struct known *k = xcalloc(1, sizeof *k + len + 2);
	k->key[0] = kind;
	memcpy(k->key + 1, name, len);
	k->number = number;
	if (number > n->last)
		n->last = number;
	HASH_ADD_KEYPTR(hh, n->all, k->key, len + 1, k);
	return k;
}

static bool each_name(void *arg, const struct name_row *row)
{
	names_add(arg, (char)row->kind, row->name, row->number);
	return true;
}

/* The name's number; a new name gets the next one. */
static uint32_t number_of(struct names *n, enum name_kind kind, const char *name, bool *is_new)
{
	char *key = xasprintf("%c%s", kind, name);
	struct known *k;
	HASH_FIND_STR(n->all, key, k);
	free(key);
	*is_new = k == NULL;
	n->given = n->given || *is_new;
	if (k == NULL) {
		k = names_add(n, (char)kind, name, n->last + 1);
		rows_put_name(n->to, &(struct name_row){ kind, k->number, name });
	}
	return k->number;
}

static void names_free(struct names *n)
{
	struct known *k, *next;
	HASH_ITER(hh, n->all, k, next) {
		HASH_DEL(n->all, k);
		free(k);
	}
}

/* A lane that is new begins with what comes next; if nobody knows what is new, with all there is. */
static int place_lane(struct router *r, struct names *names, struct lane *lane, bool is_new)
{
	uint64_t at = r->next;
	int failed = is_new ? -ENOENT : rows_get_lane(r->state, lane->number, &at);
	if (failed == -ENOENT)
		at = names->lost_from != 0 ? names->lost_from : r->next;
	else if (failed < 0)
		return failed;
	names->given = names->given || failed == -ENOENT;
	lane->next = at;
	lane->saved = failed == -ENOENT ? UINT64_MAX : at;
	lane->unsaved = failed == -ENOENT;	/* from here on it counts, whatever happens */
	return 0;
}

static int number_lanes(struct router *r, struct names *names)
{
	for (size_t i = 0; i < r->n_lanes; i++) {
		bool is_new;
		r->lanes[i]->number = number_of(names, NAME_LANE, r->lanes[i]->title, &is_new);
		int failed = place_lane(r, names, r->lanes[i], is_new);
		if (failed < 0)
			return failed;
	}
	r->n_numbers = names->last + 1;
	r->by_number = xcalloc(r->n_numbers, sizeof(struct lane *));
	for (size_t i = 0; i < r->n_lanes; i++)
		r->by_number[r->lanes[i]->number] = r->lanes[i];
	return 0;
}

static void number_sources(struct recover *rec, struct names *names)
{
	bool is_new;
	for (size_t i = 0; i < rec->n_feeds; i++) {
		rec->feeds[i]->number = number_of(names, NAME_SOURCE, rec->feeds[i]->self.name, &is_new);
		if (rec->feeds[i]->self.plugin == &alarms_plugin)
			rec->router->alarms_origin = rec->feeds[i]->number;
	}
	for (size_t i = 0; i < rec->router->n_outlets; i++) {
		struct outlet *o = rec->router->outlets[i];
		o->number = number_of(names, NAME_SINK, o->config->name, &is_new);
	}
	for (size_t i = 0; i < rec->router->n_routes; i++) {
		struct route *route = &rec->router->routes[i];
		route->n_from = route->config->n_from;
		route->from = xcalloc(route->n_from, sizeof *route->from);
		for (size_t k = 0; k < route->n_from; k++)
			route->from[k] = number_of(names, NAME_SOURCE, route->config->from[k]->name,
						   &is_new);
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

/* Watermarks and marks of the blocks that the state does not have yet. The watermarks of a state that is lost may be of
 * other lanes than those that have their numbers now. */
static int read_tail(struct router *r, bool lost)
{
	struct record rec;
	int got;
	struct journal_cursor *c = journal_cursor_at(r->journal, r->meta.applied);
	if (c == NULL)
		return -ENOMEM;
	while ((got = journal_next(r->journal, c, &rec)) > 0) {
		if (rec.kind == RECORD_MARK)
			save_mark(r, rec.block_end, rec.data);
		else if (rec.kind == RECORD_WATERMARK && !lost)
			take_watermarks(r, rec.data);
	}
	journal_cursor_close(r->journal, c);
	return got;
}

struct removal {
	struct router *r;
	struct state_batch *to;
	uint64_t moved;
};

static bool remove_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct removal *rm = arg;
	rows_del_straggler(rm->to, key, row->due_ms);
	rows_put_dead(rm->to, key, &(struct dead_row){
		.reason = DEAD_REMOVED, .attempts = row->attempts, .first_ms = row->first_ms,
		.dead_ms = router_wall(rm->r), .bytes = row->bytes, .parts = row->parts, .error = row->error,
		.response = row->response,
	});
	rm->moved++;
	return true;
}

static bool any_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	(void)key;
	(void)row;
	*(bool *)arg = true;
	return false;
}

/* A lane that the configuration no longer has: what waited is dead, and no longer holds the journal. */
static int close_lane(struct router *r, struct removal *rm, const char *title, uint32_t number)
{
	uint64_t at;
	bool dead = false;
	int failed = rows_get_lane(r->state, number, &at);
	if (failed == 0) {
		failed = rows_each_straggler(r->state, number, 0, remove_straggler, rm);
		rows_del_lane(rm->to, number);
		log_warn("the configuration no longer has '%s' (route and sink): %llu deliveries that waited "
			 "there are dead letters now (removed); %llu later events were not looked at for it",
			 title, (unsigned long long)rm->moved,
			 (unsigned long long)(at < r->next ? r->next - at : 0));
	}
	r->removed_dead += rm->moved;
	if (failed == 0 || failed == -ENOENT)
		failed = rows_each_dead(r->state, number, 0, any_dead, &dead);
	if (dead || rm->moved > 0) {
		r->removed = xrealloc(r->removed, r->n_removed + 1, sizeof *r->removed);
		r->removed[r->n_removed++] = number;
	}
	return failed;
}

static bool count_straggler(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct lane *lane = arg;
	struct straggler_row fixed = *row;
	int64_t latest = router_wall(lane->router) + row->wait_ms;
	lane->stragglers++;
	if (row->due_ms > latest && !due_is_parked(row->due_ms)) {	/* the clock was set back: it waits no longer than it had left */
		fixed.due_ms = latest;
		rows_put_straggler(&lane->router->open.batch, key, &fixed, row->due_ms);
	}
	if (fixed.due_ms < lane->next_due_ms && !due_is_parked(fixed.due_ms))
		lane->next_due_ms = fixed.due_ms;
	if (key.seq >= lane->next) {	/* it waits in place, or the watermark behind it was not saved */
		fixed.first_ms = stragglers_first(lane->router, &fixed);
		lane_cover(lane, key.seq, &fixed);
	}
	return true;
}

static bool count_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct lane *lane = arg;
	(void)row;
	lane->dead++;
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

static int ready_lanes(struct router *r)
{
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	for (size_t i = 0; i < r->n_lanes; i++) {
		struct lane *lane = r->lanes[i];
		if (lane->next > r->next) {
			log_error("%s was at event %llu, but the journal ends at %llu: "
				  "state and journal are not of one time", lane->title,
				  (unsigned long long)lane->next, (unsigned long long)r->next);
			lane->next = r->next;
		}
		if (lane->next < stat.first_seq)
			lane->next = stat.first_seq;
		lane->live = lane->next == r->next && sink_takes(lane->outlet, lane->next);
		r->n_behind += !lane->live;
		int failed = rows_each_straggler(r->state, lane->number, 0, count_straggler, lane);
		if (failed == 0)
			failed = rows_each_dead(r->state, lane->number, 0, count_dead, lane);
		if (failed < 0)
			return failed;
		if (lane->next_due_ms != TIMER_NEVER)
			stragglers_expect(lane, lane->next_due_ms);
	}
	r->catchup_due = r->n_behind > 0;
	return 0;
}

/* A new store, or one whose state is gone. */
static void begin_meta(struct router *r, struct names *names)
{
	struct journal_stat stat;
	struct id_gen gen;
	id_gen_init(&gen);
	id_new(&gen, router_wall(r), r->meta.node);
	r->meta.applied = (struct journal_pos){ 0 };
	journal_stat(r->journal, &stat);
	if (stat.first_seq == stat.next_seq)
		return;
	names->lost_from = stat.first_seq;
	log_error("THE STATE IS LOST, but the journal holds events %llu to %llu: every sink gets all of them "
		  "that its routes want, most of them again; dead letters and what waited for another attempt "
		  "are known no more", (unsigned long long)stat.first_seq,
		  (unsigned long long)stat.next_seq - 1);
}

static int read_meta(struct router *r, struct names *names)
{
	int failed = rows_get_meta(r->state, &r->meta);
	if (failed == -ENOENT)
		begin_meta(r, names);
	if (failed < 0)
		return failed == -ENOENT ? 0 : failed;
	if (r->meta.kept_below > r->kept_below)
		r->kept_below = r->meta.kept_below;
	if (!r->meta.clean)
		log_info("the last run did not end cleanly: what was in flight is delivered again");
	return 0;
}

static int free_space(struct router *r, struct names *names)
{
	struct known *k, *next;
	size_t n = 0;
	uint32_t *lanes = xcalloc(HASH_COUNT(names->all) + 1, sizeof *lanes);
	HASH_ITER(hh, names->all, k, next)
		if (k->key[0] == NAME_LANE)
			lanes[n++] = k->number;
	int failed = space_start(r, lanes, n);
	free(lanes);
	return failed;
}

/* A block that was cut off had numbers that are not given again. An empty block says so before the state does, which would
 * otherwise seem to be ahead of the journal. Without room for it that is how it looks. */
static int state_numbers(struct router *r)
{
	struct journal_stat stat;
	uint64_t seq;
	journal_stat(r->journal, &stat);
	int failed = stat.skips ? journal_append(r->journal, NULL, 0, 0, &seq) : 0;
	if (failed != 0 && failed != -ENOSPC)
		return failed;
	journal_stat(r->journal, &stat);
	r->routed = stat.end;
	return 0;
}

static int run(struct recover *rec, struct names *names)
{
	struct router *r = rec->router;
	int failed = read_meta(r, names);
	if (failed == 0)
		failed = rows_each_name(r->state, each_name, names);
	if (failed == 0)
		failed = free_space(r, names);
	if (failed < 0)
		return failed;
	number_sources(rec, names);
	failed = number_lanes(r, names);
	if (failed == 0)
		failed = read_tail(r, names->lost_from != 0);
	if (failed == 0)
		failed = restore_sinks(r);
	if (failed == 0)
		failed = state_numbers(r);
	if (failed == 0)
		failed = ready_lanes(r);
	if (failed < 0)
		return failed;
	watermarks_init(&r->watermarks, r->n_numbers);
	failed = save_now(r, false);
	/* The saver tries again, and says so; but the journal must not speak of numbers that nobody knows. */
	return failed == -ENOSPC && !names->given ? 0 : failed;
}

bool recover_run(struct recover *rec, struct pb_error *err)
{
	struct names names = { .to = &rec->router->open.batch };
	int failed = run(rec, &names);
	if (failed == -ENOSPC)
		error_add(err, NULL, "no space to save the state, which must be told of new sources, sinks or "
			  "routes before they begin: free some, or start once without them");
	else if (failed < 0)
		error_add(err, NULL, "cannot read or bring up the state: %s", strerror(-failed));
	names_free(&names);
	return failed == 0;
}

int recover_close_removed(struct router *r)
{
	struct names names = { .to = &r->open.batch };
	struct known *k, *next;
	int failed = rows_each_name(r->state, each_name, &names);
	HASH_ITER(hh, names.all, k, next) {
		struct removal rm = { .r = r, .to = names.to };
		bool used = k->number < r->n_numbers && r->by_number[k->number] != NULL;
		if (k->key[0] == NAME_LANE && !used && failed == 0)
			failed = close_lane(r, &rm, k->key + 1, k->number);
	}
	names_free(&names);
	if (failed == 0)
		failed = save_now(r, false);
	return failed == -ENOSPC ? 0 : failed;	/* with the first save that finds space */
}
