/* feed.c - what a source emits, and what becomes of it. */
#include "dispatch/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "base/step.h"
#include "event/codec.h"
#include "state/records.h"
#include "state/rows.h"

#define COMMIT_AT (1u << 20)		/* bytes pending that commit by themselves */
/* Bytes of one commit: what a block takes, less the lanes' watermarks that go with it. */
#define EMISSION_MAX (((size_t)1 << 30) - (16u << 20))
#define ROOM_WAIT 1000			/* ms between looks for room, beside being told */

static const struct feed_store engine_store;

void feed_init(struct feed *f, struct config_instance *in, struct plugin_use *use,
	       const struct instance_env *env, unsigned worker)
{
	*f = (struct feed){
		.config = in, .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .store = &engine_store,
		.open.records = BUF_INIT(EMISSION_MAX), .closed.records = BUF_INIT(EMISSION_MAX),
		.marks = BUF_INIT(EMISSION_MAX), .key = BUF_INIT(BUF_MAX),
		.max_marks = in->builtin ? 0 : (size_t)options_int(in->options, "max_marks"),
	};
	atomic_init(&f->doing, "stopped");
	atomic_init(&f->reason, "");
	instance_init(&f->self, in, use, env, worker);
	f->self.feed = f;
}

void feed_watch(const struct feed *f, struct seen_keys *seen)
{
	seen_watch(seen, f->number, f->dedupe_ms, (uint64_t)options_int(f->self.options, "dedupe_max"));
}

static void marks_free(struct mark_entry **marks)
{
	struct mark_entry *m, *next;
	HASH_ITER(hh, *marks, m, next) {
		HASH_DEL(*marks, m);
		free(m->value);
		free(m);
	}
}

static void emission_clear(struct emission *e)
{
	for (size_t i = 0; i < e->n_events; i++)
		event_unref(e->events[i]);
	if (e->claims != NULL)
		seen_claims_clear(e->claims, e->n_events);
	e->n_events = e->n_units = 0;
	buf_reset(&e->records);
}

static void emission_free(struct emission *e)
{
	emission_clear(e);
	buf_free(&e->records);
	free(e->events);
	free(e->claims);
	free(e->units);
}

void feed_fini(struct feed *f)
{
	emission_free(&f->open);
	emission_free(&f->closed);
	marks_free(&f->staged);
	marks_free(&f->marks_kept);
	buf_free(&f->marks);
	buf_free(&f->key);
	seen_batch_free(&f->sifted);
	if (f->wake_fd >= 0)
		close(f->wake_fd);
	instance_fini(&f->self);
}

static void mark_put(struct mark_entry **marks, const char *key, struct pb_span value)
{
	struct mark_entry *m;
	HASH_FIND_STR(*marks, key, m);
	if (m == NULL) {
		size_t len = strlen(key);
		m = xcalloc(1, sizeof *m + len + 1);
		m->key_len = len;
		memcpy(m->key, key, len);
		HASH_ADD_KEYPTR(hh, *marks, m->key, len, m);
	}
	free(m->value);
	m->value = NULL;
	m->value_len = value.len;
	if (value.data != NULL) {
		m->value = xcalloc(value.len + 1, 1);
		memcpy(m->value, value.data, value.len);
	}
}

/* Fill in what a source may leave out. */
static void complete(struct feed *f, struct pb_event *ev)
{
	event_set_origin(ev, f->number);
	if (event_id(ev)[0] == '\0') {		/* no event is without one */
		char id[ID_TEXT_SIZE];
		instance_new_id(&f->self, id);
		event_set(ev, "id", id);
	}
	if (event_source(ev)[0] == '\0')
		event_set(ev, "source", f->self.name);
}

static void pack_record(struct buf *to, enum record_kind kind, const struct pb_event *ev, struct pb_span data)
{
	size_t begun = record_begin(to, kind);
	if (ev != NULL)
		codec_pack(to, ev);
	else
		buf_add(to, data.data, data.len);
	record_end(to, begun);
}

/* What its sender knows the event by: a key, or an id, which is one's within a `source`. False: nothing. */
static bool key_of(struct feed *f, const struct pb_event *ev)
{
	struct pb_span key = event_key(ev);
	if (key.data == NULL && event_id_is_ours(ev))
		return false;
	buf_reset(&f->key);
	buf_add_char(&f->key, key.data != NULL ? 'k' : 'i');
	if (key.data == NULL) {
		buf_add(&f->key, event_source(ev), strlen(event_source(ev)) + 1);
		key = span_str(event_id(ev));
	}
	buf_add(&f->key, key.data, key.len);
	return f->key.failed == 0;
}

/* A repeat is left out, if that is known already. */
static void pack_keyed(struct feed *f, struct emission *e, const struct pb_event *ev, struct seen_claim *claim)
{
	*claim = (struct seen_claim){ .begin = e->records.len };
	if (f->seen != NULL && key_of(f, ev))
		seen_look(f->seen, f->number, f->dedupe_ms, buf_span(&f->key), claim);
	if (claim->keyed && !claim->sure)
		pack_record(&e->records, RECORD_KEY, NULL, span_of(claim->hash, SEEN_HASH));
	if (!claim->sure)
		pack_record(&e->records, RECORD_EVENT, ev, SPAN_NONE);
	claim->end = e->records.len;
}

static struct seen_claim *claims_for(struct emission *e, size_t n)
{
	if (e->n_events + n > e->claims_room) {
		e->claims_room = (e->n_events + n) * 2;
		e->claims = xrealloc(e->claims, e->claims_room, sizeof *e->claims);
	}
	return e->claims + e->n_events;
}

static bool pack(struct feed *f, struct emission *e, struct pb_event *const evs[], size_t n)
{
	size_t before = e->records.len;
	struct seen_claim *claims = f->seen != NULL || f->told ? claims_for(e, n) : NULL;
	for (size_t i = 0; i < n; i++) {
		complete(f, evs[i]);
		if (claims != NULL)
			pack_keyed(f, e, evs[i], &claims[i]);
		else
			pack_record(&e->records, RECORD_EVENT, evs[i], SPAN_NONE);
	}
	if (e->records.failed == 0)
		return true;
	if (claims != NULL)
		seen_claims_clear(claims, n);
	e->records.len = before;
	e->records.failed = 0;
	return false;
}

static void add_unit(struct emission *e, struct pb_event *const evs[], size_t n, void *token, bool failed)
{
	if (e->n_events + n > e->events_room) {
		e->events_room = (e->n_events + n) * 2;
		e->events = xrealloc(e->events, e->events_room, sizeof(struct pb_event *));
	}
	if (e->n_units == e->units_room) {
		e->units_room = e->units_room * 2 + 16;
		e->units = xrealloc(e->units, e->units_room, sizeof *e->units);
	}
	e->units[e->n_units++] = (struct unit){
		.token = token, .first = e->n_events, .n = failed ? 0 : n, .failed = failed,
	};
	for (size_t i = 0; i < n; i++)
		if (failed)
			event_unref(evs[i]);
		else
			e->events[e->n_events++] = evs[i];
}

static bool mark_fits(const struct feed *f, const struct pb_mark *mark)
{
	if (strlen(mark->key) <= MARK_KEY_MAX && mark->value.len <= MARK_VALUE_MAX)
		return true;
	log_write(PB_ERROR, f->self.title, "a mark is too long: its key %zu bytes of at most %d, its value "
		  "%zu of %d; it is not stored, nor what belongs to it", strlen(mark->key), MARK_KEY_MAX,
		  mark->value.len, MARK_VALUE_MAX);
	return false;
}

static size_t count_marks(const struct feed *f)
{
	return HASH_COUNT(f->marks_kept) + HASH_COUNT(f->staged);
}

/* Marks that were removed, of which the store has nothing either. */
static void forget_removed(struct feed *f)
{
	struct mark_entry *m, *next;
	struct buf stored = BUF_INIT(MARK_VALUE_MAX);
	HASH_ITER(hh, f->marks_kept, m, next) {
		if (m->value != NULL || f->store->restore(f, m->key, &stored) != -ENOENT)
			continue;
		HASH_DEL(f->marks_kept, m);
		free(m);
	}
	buf_free(&stored);
}

/* All are in memory: as many as there are keys. `beside` others are to come before it. */
static bool mark_has_room(struct feed *f, const struct pb_mark *mark, size_t beside)
{
	struct mark_entry *known, *staged;
	if (count_marks(f) + beside < f->max_marks)
		return true;
	HASH_FIND_STR(f->marks_kept, mark->key, known);
	HASH_FIND_STR(f->staged, mark->key, staged);
	if (known != NULL || staged != NULL)
		return true;
	forget_removed(f);
	if (count_marks(f) + beside < f->max_marks)
		return true;
	log_write(PB_ERROR, f->self.title, "has max_marks, %zu: one more is not stored, nor what belongs to it", f->max_marks);
	return false;
}

void feed_take(struct feed *f, struct pb_event *const evs[], size_t n, const struct pb_mark marks[], size_t n_marks, void *token)
{
	bool fits = true;
	for (size_t i = 0; i < n_marks && fits; i++)
		fits = mark_fits(f, &marks[i]) && mark_has_room(f, &marks[i], i);
	bool packed = fits && pack(f, &f->open, evs, n);
	add_unit(&f->open, evs, n, token, !packed);
	for (size_t i = 0; i < n_marks && packed; i++)
		mark_put(&f->staged, marks[i].key, marks[i].value);
}

int feed_emit(struct feed *f, struct pb_event *const evs[], size_t n, const struct pb_mark *mark,
	      void *token)
{
	if (atomic_load_explicit(&f->stopping, memory_order_relaxed)) {
		for (size_t i = 0; i < n; i++)
			event_unref(evs[i]);
		return -ECANCELED;
	}
	feed_take(f, evs, n, mark, mark != NULL, token);
	if (f->open.records.len >= COMMIT_AT && !f->settling)
		feed_commit(f);
	return 0;
}

/* The marks go behind the events that they belong to, in the same block. 0; -ENOMEM, -EMSGSIZE: the records are as they
 * were. */
static int seal_marks(struct feed *f)
{
	struct mark_entry *m, *next;
	struct buf *records = &f->closed.records;
	size_t before = records->len;
	buf_reset(&f->marks);
	if (f->staged == NULL)
		return 0;
	HASH_ITER(hh, f->staged, m, next)
		marks_add(&f->marks, &(struct mark){
			.source = f->number, .key = { m->key, m->key_len },
			.value = { m->value, m->value_len } });
	size_t begun = record_begin(records, RECORD_MARK);
	buf_add(records, f->marks.data, f->marks.len);
	record_end(records, begun);
	int failed = f->marks.failed != 0 ? f->marks.failed : records->failed;
	if (failed != 0) {
		records->len = before;
		records->failed = 0;
	}
	return failed;
}

static void keep_marks(struct feed *f)
{
	struct mark_entry *m, *next;
	HASH_ITER(hh, f->staged, m, next)
		mark_put(&f->marks_kept, m->key, (struct pb_span){ m->value, m->value_len });
	marks_free(&f->staged);
}

void feed_recall(struct feed *f, struct pb_span key, struct pb_span value)
{
	char text[MARK_KEY_MAX + 1];
	assert(key.len <= MARK_KEY_MAX);
	memcpy(text, key.data, key.len);
	text[key.len] = '\0';
	mark_put(&f->marks_kept, text, value);
}

static const char *why_not(const struct feed *f, int result)
{
	if (result == -ENOSPC && f->held != NULL)
		return f->held;
	return result == -ENOSPC ? "the store is full" : result == -EMSGSIZE ? "too large to store" :
	       result == -ENOBUFS ? "too many keys of events wait to be saved" : "out of memory";
}

static void count(struct feed *f, int result)
{
	const struct emission *e = &f->closed;
	size_t repeats = 0;
	for (size_t i = 0; e->claims != NULL && result == 0 && i < e->n_events; i++)
		repeats += e->claims[i].first != NULL;
	atomic_fetch_add_explicit(result < 0 ? &f->refused : &f->accepted, e->n_events - repeats,
				  memory_order_relaxed);
	if (repeats > 0)
		atomic_fetch_add_explicit(&f->repeated, repeats, memory_order_relaxed);
}

/* It may be stored another time. */
static bool not_now(int result)
{
	return result == -ENOSPC || result == -ENOMEM || result == -ENOBUFS;
}

static void settle(struct feed *f, int result)
{
	struct emission *e = &f->closed;
	void (*settled)(void *, void *, const struct pb_receipt *) = f->self.plugin->source->settled;
	count(f, result);
	if (result < 0)
		atomic_store(&f->reason, why_not(f, result));
	f->settling = true;
	for (size_t i = 0; i < e->n_units && settled != NULL; i++) {
		const struct unit *u = &e->units[i];
		struct pb_receipt receipt = {
			.emission = e, .unit = u,
			.outcome = result < 0 || u->failed ? PB_FAILED : PB_ACCEPTED,
			.never = u->failed || (result < 0 && !not_now(result)),
			.reason = result < 0 ? why_not(f, result) : u->failed ? why_not(f, -EMSGSIZE) : "",
		};
		settled(f->self.state, u->token, &receipt);
	}
	f->settling = false;
	emission_clear(e);
}

const char *receipt_first(const struct pb_receipt *receipt, size_t i)
{
	const struct emission *e = receipt->emission;
	return i < receipt->unit->n && e->claims != NULL ? e->claims[receipt->unit->first + i].first : NULL;
}

static int append(struct feed *f)
{
	f->entry = (struct commit_entry){
		.records = buf_span(&f->closed.records), .marks = buf_span(&f->marks),
		.events = f->closed.events, .n = f->closed.n_events,
		.seen = f->seen != NULL ? &f->sifted : NULL,
	};
	f->sifted.source = f->number;
	f->sifted.within_ms = f->dedupe_ms;
	f->sifted.claims = f->closed.claims;
	f->sifted.events = f->entry.events;
	f->sifted.n = f->entry.n;
	f->sifted.records = f->entry.records;
	return f->closed.records.len == 0 ? 0 : f->store->run(f);
}

static int engine_run(struct feed *f)
{
	f->held = commit_why_held(f->commit, f->number);
	return f->held == NULL ? commit_run(f->commit, &f->entry) : -ENOSPC;
}

static void engine_wait_room(struct feed *f, int64_t ms)
{
	commit_wait_room(f->commit, ms);
}

static int engine_restore(struct feed *f, const char *key, struct buf *to)
{
	return rows_get_mark(f->state, f->number, (struct pb_span){ key, strlen(key) }, to);
}

static const struct feed_store engine_store = {
	.run = engine_run, .wait_room = engine_wait_room, .restore = engine_restore,
};

/* The append, again until there is room where the source cannot refuse. */
static int store(struct feed *f)
{
	int sealed = -ENOMEM;
	for (;;) {
		if (sealed == -ENOMEM)
			sealed = seal_marks(f);
		int result = sealed == 0 ? append(f) : sealed;
		if (!not_now(result) || f->self.plugin->source->may_refuse || atomic_load(&f->stopping))
			return result;
		atomic_store(&f->doing, "full");
		f->store->wait_room(f, ROOM_WAIT);
		atomic_store(&f->doing, "running");
	}
}

int feed_commit(struct feed *f)
{
	assert(!f->settling);
	if (f->open.n_units == 0)
		return atomic_load(&f->stopping) ? -ECANCELED : 0;
	struct emission open = f->open;
	f->open = f->closed;
	f->closed = open;
	step_at("feed: to be stored");
	int result = store(f);
	step_at("feed: stored, senders not told");
	if (result == 0)
		keep_marks(f);
	else
		marks_free(&f->staged);
	settle(f, result);
	step_at("feed: senders told");
	return not_now(result) && !f->self.plugin->source->may_refuse ? -ECANCELED : 0;
}

int feed_restore(struct feed *f, const char *key, void *value, size_t size)
{
	struct mark_entry *m;
	struct buf stored = BUF_INIT(MARK_VALUE_MAX);
	HASH_FIND_STR(f->marks_kept, key, m);
	int failed = m == NULL ? f->store->restore(f, key, &stored) :
		m->value == NULL ? -ENOENT : buf_add(&stored, m->value, m->value_len);
	if (failed == 0 && stored.len > size)
		failed = -ERANGE;
	if (failed == 0 && stored.len > 0)
		memcpy(value, stored.data, stored.len);
	int len = (int)stored.len;
	buf_free(&stored);
	return failed < 0 ? failed : len;
}

uint64_t feed_failures(const struct feed *f)
{
	return atomic_load(&f->refused) + atomic_load(&f->restarts);
}

void feed_inherit(struct feed *f, const struct feed *old)
{
	struct mark_entry *m, *next;
	HASH_ITER(hh, old->marks_kept, m, next)
		mark_put(&f->marks_kept, m->key, (struct pb_span){ m->value, m->value_len });
	atomic_fetch_add(&f->accepted, atomic_load(&old->accepted));
	atomic_fetch_add(&f->refused, atomic_load(&old->refused));
	atomic_fetch_add(&f->repeated, atomic_load(&old->repeated));
	atomic_fetch_add(&f->restarts, atomic_load(&old->restarts));
	atomic_fetch_add(&f->self.restarts, atomic_load(&old->self.restarts));
}
