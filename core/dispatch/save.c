/*
 * save.c - when the state is written, and with what.
 *
 * A new row is wanted soon, since its lane's watermark waits for it; progress alone is saved
 * once a second, or 50 ms after the last answer when nothing more comes. One save is under way at
 * a time; the next is gathered meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/step.h"
#include "dispatch/router.h"
#include "state/history.h"
#include "state/records.h"

#define SAVE_EVERY 1000		/* ms */
#define SAVE_IDLE 50
#define SAVE_URGENT 5
#define CALLER_WAITS 1000	/* at most */
#define FOLLOW_MAX 65536	/* events that a lane's saved watermark may lag while it only follows */

void save_init(struct save *s)
{
	*s = (struct save){ 0 };
	batch_init(&s->batch);
}

void save_free(struct save *s)
{
	batch_free(&s->batch);
	free(s->waiters);
}

void save_wait(struct router *r, struct slot *slot, bool settles, int64_t due_ms)
{
	struct save *s = &r->open;
	if (s->n_waiters == s->room) {
		s->room = s->room * 2 + 64;
		s->waiters = xrealloc(s->waiters, s->room, sizeof *s->waiters);
	}
	s->waiters[s->n_waiters++] = (struct save_waiter){ slot, settles, due_ms };
}

void save_soon(struct router *r)
{
	if (r->urgent_since == 0)
		r->urgent_since = router_now(r);
}

void save_call(struct router *r, struct inbox_call *call)
{
	call->later = true;
	call->save = r->saves + 1;
	call->since = router_now(r);
	call->next = r->callers;
	r->callers = call;
}

/* Those that wait for a save up to `save`, or since `since` or before, go on. */
static void let_go_on(struct router *r, uint64_t save, int64_t since)
{
	struct inbox_call **at = &r->callers;
	while (*at != NULL) {
		struct inbox_call *call = *at;
		if (call->save > save && call->since > since) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		inbox_called(&r->inbox, call);	/* it is its caller's from here on */
	}
}

bool save_is_done(const struct router *r, uint64_t save)
{
	return save < r->saves || (save == r->saves && !r->save_busy);
}

void save_calls_late(struct router *r)
{
	let_go_on(r, 0, router_now(r) - CALLER_WAITS);
}

static struct moved_mark *mark_find(struct router *r, const struct mark *m)
{
	char key[4 + MARK_KEY_MAX];
	struct moved_mark *found;
	memcpy(key, &m->source, 4);
	memcpy(key + 4, m->key.data, m->key.len);
	HASH_FIND(hh, r->marks, key, 4 + m->key.len, found);
	if (found != NULL)
		return found;
	found = xcalloc(1, sizeof *found + 4 + m->key.len);
	found->key_len = 4 + m->key.len;
	memcpy(found->key, key, found->key_len);
	HASH_ADD_KEYPTR(hh, r->marks, found->key, found->key_len, found);
	return found;
}

void save_mark(struct router *r, struct journal_pos read_at, struct pb_span marks)
{
	struct mark m;
	for (size_t at = 0; marks.len > 0 && marks_next(marks, &at, &m); ) {
		struct moved_mark *moved = mark_find(r, &m);
		free(moved->value);
		moved->value = NULL;
		moved->value_len = m.value.len;
		moved->read_at = read_at;
		if (m.value.data == NULL)
			continue;
		moved->value = xcalloc(m.value.len + 1, 1);
		memcpy(moved->value, m.value.data, m.value.len);
	}
}

void marks_free(struct router *r)
{
	struct moved_mark *m, *next;
	HASH_ITER(hh, r->marks, m, next) {
		HASH_DEL(r->marks, m);
		free(m->value);
		free(m);
	}
}

static void put_marks(struct router *r, struct state_batch *to)
{
	struct moved_mark *m, *next;
	HASH_ITER(hh, r->marks, m, next) {
		uint32_t source;
		memcpy(&source, m->key, 4);
		struct pb_span key = { m->key + 4, m->key_len - 4 };
		if (m->value == NULL)
			rows_del_mark(to, source, key);
		else
			rows_put_mark(to, source, key, m->read_at,
				      (struct pb_span){ m->value, m->value_len });
	}
	marks_free(r);
}

static void put_lane(struct lane *lane, struct state_batch *to, bool all)
{
	uint64_t mark = lane->yield_next != 0 ? lane->yield_next : lane_watermark_saved(lane);
	bool wanted = all || lane->unsaved || mark - lane->saved > FOLLOW_MAX ||
		      (lane->old != NULL && mark >= lane->old->until);
	if (!wanted)
		return;
	if (mark != lane->saved)
		rows_put_lane(to, lane->number, mark);
	rules_passed(lane, mark);
	lane->saved = mark;
	lane->unsaved = false;
}

static void put_lanes(struct router *r, struct state_batch *to, bool all)
{
	for (size_t i = 0; i < r->n_lanes; i++)
		put_lane(r->lanes[i], to, all);
	for (size_t i = 0; i < r->n_leaving; i++)
		put_lane(r->leaving[i], to, all);
}

/* Complete what is to be saved with all that moved. */
static void gather(struct router *r, bool clean)
{
	struct state_batch *to = &r->open.batch;
	put_marks(r, to);
	put_lanes(r, to, clean);
	seen_gather(&r->seen, to, r->next);
	r->open.seen_until = r->next;
	struct meta_row meta = r->meta;
	meta.applied_seq = r->next;
	meta.applied = r->routed;
	meta.clean = clean;
	meta.kept_below = r->kept_below;
	rows_put_meta(to, &meta);
	if (clean)
		uptime_put(&r->uptime, to, r->next, router_now(r));
	r->open.applied = r->routed;
}

static bool something_to_save(const struct router *r)
{
	if (r->open.batch.n > 0 || r->open.trim_seq != 0 || r->marks != NULL || r->callers != NULL ||
	    seen_wants(&r->seen))
		return true;
	for (size_t i = 0; i < r->n_lanes; i++)
		if (r->lanes[i]->unsaved)
			return true;
	for (size_t i = 0; i < r->n_leaving; i++)
		if (r->leaving[i]->unsaved)
			return true;
	return false;
}

static int64_t due_at(const struct router *r)
{
	if (r->urgent_since > 0)
		return r->urgent_since + SAVE_URGENT;
	int64_t idle = r->last_event + SAVE_IDLE, regular = r->last_save + SAVE_EVERY;
	return idle < regular ? idle : regular;
}

int64_t save_turn(struct router *r)
{
	int64_t now = router_now(r), due = due_at(r);
	if (r->save_busy)
		return TIMER_NEVER;
	if (r->yield.due)
		yield_turn(r);
	if (r->space_due) {
		space_look(r);
		if (r->yield.due)
			yield_turn(r);
	}
	due = due_at(r);
	if (now < due)
		return r->save_pending || r->urgent_since > 0 ? due : TIMER_NEVER;
	if (!something_to_save(r)) {
		r->save_pending = false;
		return TIMER_NEVER;
	}
	gather(r, false);
	struct save idle = r->saving;
	r->saving = r->open;
	r->open = idle;
	r->save_busy = true;
	r->save_pending = false;
	r->urgent_since = 0;
	r->last_save = now;
	r->saves++;
	history_flush(r->history);
	saver_apply(&r->saver, &r->saving.batch);
	return TIMER_NEVER;
}

static void die(const struct router *r, int failed)
{
	log_error("cannot write the state: %s; ending, since what is on disk is no longer known",
		  strerror(-failed));
	ending_end(&r->commit->ending);
}

static void release(struct router *r, struct save *s)
{
	for (size_t i = 0; i < s->n_waiters; i++) {
		struct slot *slot = s->waiters[i].slot;
		struct lane *lane = slot->lane;
		if (s->waiters[i].due_ms != TIMER_NEVER)
			stragglers_expect(lane, s->waiters[i].due_ms);
		if (s->waiters[i].settles)
			lane_settled(slot);
		else
			lane_loosen(slot);
	}
	s->n_waiters = 0;
	if (s->yields)
		yield_saved(r);
	s->yields = s->replays = false;
	seen_saved(&r->seen, s->seen_until);
	r->space_due = r->space_due || s->sheds;
	s->sheds = false;
	shed_saved(r);
	space_saved(r, s->trim_seq, s->applied);
	dead_saved(r);
	let_go_on(r, r->saves, INT64_MIN);
	r->space_due = r->space_due || s->piece;
	s->piece = false;
	s->trim_seq = 0;
	batch_reset(&s->batch);
}

void save_finished(struct router *r, int result)
{
	assert(r->save_busy);
	r->save_busy = false;
	if (result < 0) {
		die(r, result);
		return;
	}
	r->start_unsaved = false;
	step_at("save: finished, nothing released");
	release(r, &r->saving);
	step_at("save: released");
	r->save_pending = true;
}

static int apply(struct router *r, bool clean)
{
	gather(r, clean);
	int failed = state_apply(r->state, &r->open.batch);
	if (failed == 0)
		batch_reset(&r->open.batch);
	return failed;
}

int save_now(struct router *r, bool clean)
{
	int failed = apply(r, clean);
	r->start_unsaved = r->save_pending = failed == -ENOSPC;
	return failed;
}

void save_last(struct router *r)
{
	struct intake got;
	inbox_take(&r->inbox, &got);
	if (got.saved && got.saved_result == 0)
		save_finished(r, 0);
	intake_free(&got);
	if (r->save_busy)
		return;		/* the saver has said why */
	r->draining = true;	/* what is settled from here on begins nothing */
	/* Rows first, for all that others have passed; then the watermarks, which may pass them now. */
	settle_passed_all(r);
	int failed = apply(r, false);
	if (failed == 0) {
		r->saves++;
		release(r, &r->open);
		step_at("stop: saved, not clean");
		failed = apply(r, true);
		step_at("stop: saved");
	}
	if (failed < 0)
		log_error("cannot save the state: %s; what was answered last may be repeated",
			  strerror(-failed));
}
