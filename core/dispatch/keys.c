/* keys.c - order_by: who is at work for a key, and who comes next. */
#include "dispatch/keys.h"

#include <stdlib.h>

#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "dispatch/outlet.h"
#include "dispatch/router.h"
#include "event/event.h"
#include "event/scan.h"

#define FETCH_MAX 8		/* rows of one key brought in at once */
#define SERVE_MAX 1024		/* keys served at once */
#define LOOK_AGAIN 1000		/* ms, when there is no room for more */
#define CROWD_ROWS 65536	/* of a lane: from here on its window may fill with held ones */

struct key {
	UT_hash_handle hh;		/* lane->keys */
	uint64_t hash;
	struct lane *lane;
	struct slot *first, *last;	/* in memory, in order of events; but for `busy` held, or on the way to being parked */
	struct slot *busy;		/* at work */
	uint64_t waiting;		/* rows without a slot that are due by the clock: one, if all is well */
	uint64_t leader;		/* the first event of those, 0: not known */
	uint64_t parked;		/* rows that are parked behind it, at most */
	bool queued;			/* for them to be fetched */
	struct key *queue_next;
};

static uint64_t hash_text(struct pb_span text)
{
	const unsigned char *bytes = text.data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);	/* FNV-1a */
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	hash = (hash >> 61 ^ hash) & KEY_HASH_MAX;
	return hash == 0 ? 1 : hash;
}

static uint64_t hash_json(struct pb_span json)
{
	char text[EVENT_VALUE_MAX];
	if (json.len == 0 || span_is(json, "null"))
		return 0;
	long len = scan_text(json, text, sizeof text);
	return hash_text(len < 0 ? json : span_of(text, (size_t)len));
}

/* Lanes are offered an event one after another: those that order by the same field scan its body once. */
static uint64_t hash_field(struct router *r, const struct pb_event *ev, const char *path)
{
	if (r->keyed_seq == event_seq(ev) && r->keyed_by != NULL && strcmp(r->keyed_by, path) == 0)
		return r->keyed_hash;
	free(r->keyed_by);
	r->keyed_by = xstrdup(path);
	r->keyed_seq = event_seq(ev);
	return r->keyed_hash = hash_json(scan_find(event_body(ev), path));
}

uint64_t keys_hash(const struct lane *lane, const struct pb_event *ev)
{
	if (lane->order_by == NULL)
		return 0;
	if (strncmp(lane->order_by, "data.", 5) == 0)
		return hash_field(lane->router, ev, lane->order_by + 5);
	const char *value = event_attr(ev, lane->order_by);
	return value == NULL || value[0] == '\0' ? 0 : hash_text(span_str(value));
}

static struct key *find(const struct lane *lane, uint64_t hash)
{
	struct key *key = NULL;
	if (lane->keys != NULL)
		HASH_FIND(hh, lane->keys, &hash, sizeof hash, key);
	return key;
}

static struct key *find_or_make(struct lane *lane, uint64_t hash)
{
	struct key *key = find(lane, hash);
	if (key != NULL)
		return key;
	key = xcalloc(1, sizeof *key);
	key->hash = hash;
	key->lane = lane;
	HASH_ADD(hh, lane->keys, hash, sizeof key->hash, key);
	return key;
}

bool keys_have_room(const struct lane *lane)
{
	return lane->order_by == NULL || HASH_COUNT(lane->keys) < lane->max_keys;
}

/* The slot's place is by its event; mostly that is the last. */
static void join(struct key *key, struct slot *slot)
{
	struct slot *before = key->last;
	while (before != NULL && before->seq > slot->seq)
		before = before->key_prev;
	struct slot *after = before != NULL ? before->key_next : key->first;
	slot->key = key;
	slot->key_prev = before;
	slot->key_next = after;
	*(before != NULL ? &before->key_next : &key->first) = slot;
	*(after != NULL ? &after->key_prev : &key->last) = slot;
}

static void part(struct slot *slot)
{
	struct key *key = slot->key;
	struct slot *before = slot->key_prev, *after = slot->key_next;
	*(before != NULL ? &before->key_next : &key->first) = after;
	*(after != NULL ? &after->key_prev : &key->last) = before;
	if (key->busy == slot)
		key->busy = NULL;
	slot->key = NULL;
	slot->key_prev = slot->key_next = NULL;
}

static void hold(struct slot *slot)
{
	slot->state = SLOT_HELD;
	slot->lane->n_held += !slot->loose;
}

void keys_unhold(struct slot *slot)
{
	slot->lane->n_held -= slot->state == SLOT_HELD && !slot->loose;
}

void keys_park(struct slot *slot)
{
	assert(slot->state == SLOT_HELD && slot->key != NULL);
	keys_unhold(slot);
	settle_park_key(slot->lane->router, slot);
}

/* A lane that is held writes nothing; nor does anybody at the end, when what is saved is not looked at again. */
static bool may_park(const struct lane *lane)
{
	return lane->outlet->breaker.state == BREAKER_CLOSED && !lane->router->draining;
}

void keys_make_room(struct lane *lane)
{
	const struct outlet *o = lane->outlet;
	if (lane->n_held * 2 < lane->count || lane->n_held == 0 || lane->stragglers >= CROWD_ROWS ||
	    !may_park(lane) || lane_next_ready(lane, NULL) != NULL ||
	    breaker_allows(&o->breaker, o->in_flight, o->max_in_flight) == 0)
		return;
	for (struct slot *s = lane->head; s != NULL; s = s->next)
		if (s->state == SLOT_HELD)
			keys_park(s);
}

/* Does a straggler that waits for its time come before the event? */
static bool is_blocked(const struct key *key, uint64_t seq)
{
	return key->waiting > 0 && (key->leader == 0 || seq > key->leader);
}

static void queue_add(struct key *key)
{
	struct lane *lane = key->lane;
	if (key->queued)
		return;
	key->queued = true;
	key->queue_next = NULL;
	if (lane->keys_first != NULL)
		lane->keys_last->queue_next = key;
	else
		lane->keys_first = key;
	lane->keys_last = key;
	if (!lane->keys_served)
		timer_sooner(&lane->router->timers, &lane->timer, router_now(lane->router));
}

static struct key *queue_take(struct lane *lane)
{
	struct key *key = lane->keys_first;
	lane->keys_first = key->queue_next;
	key->queued = false;
	return key;
}

/* Is some slot here that its row ordered, so that no row comes before it? */
static bool has_from_row(const struct key *key)
{
	for (const struct slot *s = key->first; s != NULL; s = s->key_next)
		if (s->loose && s->row_due_ms >= 0)
			return true;
	return false;
}

/* If nobody is at work for the key, the next begins. The key may be gone then. */
static void advance(struct key *key)
{
	struct lane *lane = key->lane;
	struct slot *next = key->first;
	if (key->busy != NULL || lane->router->draining || (next != NULL && is_blocked(key, next->seq)))
		return;
	if (key->parked > 0 && key->waiting == 0 && !has_from_row(key)) {
		queue_add(key);
	} else if (next == NULL && key->waiting == 0 && !key->queued) {
		HASH_DEL(lane->keys, key);
		free(key);
		lane->router->catchup_due = lane->router->catchup_due || !lane->live;
	} else if (next != NULL && next->state == SLOT_HELD) {
		keys_unhold(next);
		key->busy = next;
		slot_begin(lane->router, next);
	}
}

void keys_enter(struct slot *slot, uint64_t hash)
{
	struct lane *lane = slot->lane;
	struct key *key = find_or_make(lane, hash);
	slot->hash = hash;
	join(key, slot);
	hold(slot);
	if (is_blocked(key, slot->seq) && may_park(lane))
		keys_park(slot);
	else
		advance(key);
}

static void unwait(struct key *key, uint64_t seq)
{
	if (key->waiting > 0 && (--key->waiting == 0 || seq == key->leader))
		key->leader = 0;
}

void keys_back(struct slot *slot)
{
	struct key *key = find_or_make(slot->lane, slot->hash);
	if (!due_is_parked(slot->row_due_ms))
		unwait(key, slot->seq);
	else if (key->parked > 0)
		key->parked--;
	join(key, slot);
	hold(slot);
	advance(key);
}

void keys_settled(struct slot *slot)
{
	struct key *key = slot->key;
	if (key == NULL)
		return;
	part(slot);
	advance(key);
}

/* Leave it to its row, which is parked. */
static bool unload(struct key *key, struct slot *slot)
{
	if (!slot->loose || slot->state != SLOT_HELD || slot->row_due_ms != due_parked(key->hash))
		return false;
	part(slot);
	key->parked++;
	slot->hash = 0;		/* it is noted */
	lane_settled(slot);
	return true;
}

/* It waits behind one whose time is far: of what was read from a row nothing need stay in memory. */
static void hold_back(struct key *key, struct slot *slot)
{
	if (!unload(key, slot) && (slot->loose || may_park(key->lane)))
		keys_park(slot);
}

/* A row that is due by the clock is ahead of all that come after its event. */
static void wait_for(struct key *key, uint64_t seq)
{
	if (key->waiting++ == 0 || (key->leader != 0 && seq < key->leader))
		key->leader = seq;
	for (struct slot *s = key->first, *next; s != NULL && !key->lane->router->draining; s = next) {
		next = s->key_next;
		if (s->state == SLOT_HELD && is_blocked(key, s->seq))
			hold_back(key, s);
	}
}

/* There is one more parked row: what was read from later ones comes after it. */
static void note_parked(struct key *key, uint64_t seq)
{
	key->parked++;
	for (struct slot *s = key->first, *next; s != NULL; s = next) {
		next = s->key_next;
		if (s->seq > seq)
			unload(key, s);
	}
}

void keys_note_row(struct lane *lane, uint64_t seq, uint64_t key_hash, int64_t due_ms)
{
	bool parked = due_is_parked(due_ms);
	uint64_t hash = parked ? due_parked_key(due_ms) : key_hash;
	if (hash == 0)
		return;
	struct key *key = find_or_make(lane, hash);
	if (parked)
		note_parked(key, seq);
	else
		wait_for(key, seq);
	advance(key);
}

void keys_left(struct slot *slot)
{
	struct lane *lane = slot->lane;
	struct key *key = slot->key;
	if (key != NULL)
		part(slot);
	/* Without a key its lane may have left, and come back since. */
	if (slot->hash != 0 && slot->row_due_ms >= 0 && slot->row_due_ms != due_parked(0) && !lane->leaving.is)
		keys_note_row(lane, slot->seq, slot->hash, slot->row_due_ms);
	else if (key != NULL)
		advance(key);
}

static bool note_row(void *arg, struct delivery_key d, const struct straggler_row *row)
{
	struct lane *lane = arg;
	if (row->due_ms == due_parked(0) || (row->key == 0 && !due_is_parked(row->due_ms)) ||
	    stragglers_is_here(lane, d.seq))
		return true;
	if (lane->untaken > 0 && d.seq > lane->untaken_from)
		lane_cover(lane, d.seq, row);
	else
		keys_note_row(lane, d.seq, row->key, row->due_ms);
	return true;
}

int keys_note_rows(struct lane *lane)
{
	return rows_each_straggler(lane->router->state, lane->number, 0, note_row, lane);
}

void keys_row_gone(struct lane *lane, uint64_t key_hash, int64_t due_ms)
{
	struct key *key = find(lane, key_hash);
	if (key == NULL || due_is_parked(due_ms))
		return;
	unwait(key, 0);
	advance(key);
}

/* Rows parked behind one key. */
struct parked_list {
	const struct lane *lane;
	int64_t due_ms;
	uint64_t seqs[FETCH_MAX];
	size_t n, most;
};

static bool collect(void *arg, int64_t due_ms, struct delivery_key d)
{
	struct parked_list *list = arg;
	if (due_ms != list->due_ms || list->n == list->most)
		return false;
	if (!stragglers_is_here(list->lane, d.seq))
		list->seqs[list->n++] = d.seq;
	return true;
}

/* False: not now, look again. */
static bool fetch(struct key *key, size_t room)
{
	struct lane *lane = key->lane;
	struct parked_list list = {
		.lane = lane, .due_ms = due_parked(key->hash), .most = room < FETCH_MAX ? room : FETCH_MAX,
	};
	bool read = rows_each_due(lane->router->state, lane->number, list.due_ms, collect, &list) >= 0;
	if (read && list.n == 0)
		key->parked = 0;
	for (size_t i = 0; i < list.n && read && (i == 0 || stragglers_have_room(lane) > 0); i++)
		read = stragglers_bring_back(lane, list.seqs[i], list.due_ms);
	return read;
}

void keys_serve(struct lane *lane)
{
	struct router *r = lane->router;
	size_t room = 1;
	bool read = true;
	lane->keys_served = true;
	for (unsigned n = 0; lane->keys_first != NULL && n < SERVE_MAX && read && !r->draining; n++) {
		room = stragglers_have_room(lane);
		if (room == 0)
			break;
		struct key *key = queue_take(lane);
		key->queued = true;	/* it is not to be freed, nor queued again, meanwhile */
		bool wanted = key->busy == NULL && key->waiting == 0 && key->parked > 0 && !has_from_row(key);
		read = !wanted || fetch(key, room > FETCH_MAX * 2 ? FETCH_MAX : 1);
		key->queued = false;
		advance(key);
	}
	lane->keys_served = false;
	if (lane->keys_first != NULL && !r->draining && lane->outlet->breaker.state != BREAKER_DISABLED)
		timer_sooner(&r->timers, &lane->timer, router_now(r) + (room > 0 && read ? 1 : LOOK_AGAIN));
}

void keys_forget(struct lane *lane)
{
	struct key *key, *next;
	HASH_ITER(hh, lane->keys, key, next) {
		while (key->first != NULL)
			part(key->first);
		HASH_DEL(lane->keys, key);
		free(key);
	}
	lane->keys_first = lane->keys_last = NULL;
}
