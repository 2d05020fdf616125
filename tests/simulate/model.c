/* model.c - the promises, checked as they are kept. */
#include "simulate/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parse.h"
#include "base/span.h"
#include "dispatch/delivery.h"
#include "event/event.h"
#include "state/rows.h"

/* How a sink answers, by lot. */
static const enum pb_code codes[16] = {
	PB_OK, PB_OK, PB_OK, PB_OK, PB_OK, PB_OK, PB_OK, PB_OK, PB_OK, PB_OK, PB_RETRY, PB_RETRY,
	PB_RETRY, PB_REJECT, PB_DOWN, PB_UNTRIED,
};

static bool code_is_ok(unsigned how)
{
	return codes[how] == PB_OK;
}

void expect(bool right, const char *fmt, ...)
{
	if (right)
		return;
	va_list args;
	va_start(args, fmt);
	fputs("BROKEN: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	_Exit(1);
}

void model_init(struct model *m, struct lab *lab, uint64_t seed)
{
	*m = (struct model){ .lab = lab, .luck = seed, .trace = getenv("SIMULATE_TRACE") != NULL, .events = xcalloc(MODEL_EVENTS, sizeof *m->events) };
}

void model_free(struct model *m)
{
	free(m->events);
}

size_t model_emit(struct model *m, int source, const struct pb_event *ev)
{
	struct model_event *e = &m->events[m->n];
	*e = (struct model_event){ .source = source };
	snprintf(e->id, sizeof e->id, "%s", event_id(ev));
	snprintf(e->type, sizeof e->type, "%s", event_type(ev));
	snprintf(e->subject, sizeof e->subject, "%s", event_subject(ev));
	return m->n++;
}

void model_settled(struct model *m, size_t event, enum pb_outcome outcome)
{
	struct model_event *e = &m->events[event];
	expect(!e->accepted && !e->refused, "event %zu was settled twice", event);
	e->accepted = outcome == PB_ACCEPTED;
	e->refused = !e->accepted;
}

static size_t lane_index(const struct model *m, const struct lane *lane)
{
	for (size_t i = 0; i < m->lab->d->router.n_lanes; i++)
		if (m->lab->d->router.lanes[i] == lane)
			return i;
	abort();
}

static size_t event_of(const struct model *m, const struct pb_delivery *d)
{
	for (size_t i = m->n; i-- > 0; )
		if (strncmp(event_id(d->event), m->events[i].id, 36) == 0)
			return i;
	expect(false, "a sink was given an event that nobody emitted: %s", event_id(d->event));
	return 0;
}

static bool wants(const struct lane *lane, const struct model_event *e)
{
	const struct config_route *route = lane->route->config;
	bool from = false, type = false;
	for (size_t i = 0; i < route->n_from; i++)
		from = from || strcmp(route->from[i]->name, e->source == 0 ? "in" : "other") == 0;
	for (size_t i = 0; route->events[i] != NULL; i++)
		type = type || glob_match(route->events[i], e->type);
	return from && type;
}

/* Of a strict lane nothing is sent while one before it is not settled. */
static void check_order(const struct model *m, const struct lane *lane, size_t at, uint64_t seq)
{
	for (size_t i = 0; lane->strict && i < m->n; i++) {
		const struct model_event *e = &m->events[i];
		if (e->seq != 0 && e->seq < seq && e->accepted && wants(lane, e))
			expect(e->ended[at], "lane %s sent %llu while %llu was not settled", lane->title,
			       (unsigned long long)seq, (unsigned long long)e->seq);
	}
}

static const char *key_of(const struct lane *lane, const struct model_event *e)
{
	return strcmp(lane->order_by, "type") == 0 ? e->type : e->subject;
}

/* With order_by nothing goes out for the first time while an earlier one of its key was never settled. What is
 * earlier is known of one source: its events are stored in the order in which it emitted them. */
static void check_keys(const struct model *m, const struct lane *lane, size_t at, size_t event)
{
	const struct model_event *given = &m->events[event];
	if (lane->order_by == NULL || given->ended_once[at] || key_of(lane, given)[0] == '\0')
		return;
	for (size_t i = 0; i < event; i++) {
		const struct model_event *e = &m->events[i];
		if (e->source == given->source && e->accepted && wants(lane, e) &&
		    strcmp(key_of(lane, e), key_of(lane, given)) == 0)
			expect(e->ended_once[at], "lane %s sent event %zu (seq %llu) while %zu (seq %llu), of the same "
			       "key, was not settled", lane->title, event, (unsigned long long)given->seq, i,
			       (unsigned long long)e->seq);
	}
}

static void hold(struct model *m, struct pb_delivery *d, size_t event)
{
	expect(m->held_by_us < sizeof m->held / sizeof m->held[0], "more is in flight than may be");
	m->held[m->held_by_us].d = d;
	m->held[m->held_by_us++].event = event;
}

/* As a well-made sink: the first that is not ok stops the batch. */
static void answer_at_once(struct model *m, struct pb_delivery *d, size_t event)
{
	m->luck = m->luck * UINT64_C(6364136223846793005) + 1442695040888963407;
	unsigned how = m->all_well ? 0 : (unsigned)(m->luck >> 60);
	if (!code_is_ok(how))
		m->stopped = d->batch;
	hold(m, d, event);
	model_answer(m, m->held_by_us - 1, how);
}

void model_given(struct model *m, struct pb_delivery *d)
{
	const struct slot *slot = d->slot;
	if (m->stopped == d->batch)
		return;
	size_t event = event_of(m, d), lane = lane_index(m, slot->lane);
	struct model_event *e = &m->events[event];
	e->seq = slot->seq;
	if (m->trace)
		fprintf(stderr, "      given %llu part %u attempt %u on %s%s\n", (unsigned long long)slot->seq, d->part,
			d->attempt, slot->lane->title, slot->loose ? ", a straggler" : "");
	expect(wants(slot->lane, e), "event %zu was sent on a lane that does not want it", event);
	expect(!e->refused, "event %zu was refused and is delivered", event);
	expect((e->frozen[lane] >> d->part & 1) == 0,
	       "event %zu (seq %llu) part %u was delivered and saved on lane %s, and comes again", event,
	       (unsigned long long)slot->seq, d->part, slot->lane->title);
	/* What counts is how it is answered now. */
	e->ok[lane] = (unsigned char)(e->ok[lane] & ~(1u << d->part));
	expect(sink_takes(slot->lane->outlet, slot->seq), "lane %s drains and was given the new event %llu",
	       slot->lane->title, (unsigned long long)slot->seq);
	if (!slot->lane->strict || !slot->loose)	/* one replayed holds nothing back */
		e->ended[lane] = false;
	if (!slot->loose)
		check_order(m, slot->lane, lane, slot->seq);
	check_keys(m, slot->lane, lane, event);
	if (slot->lane->outlet->async)
		hold(m, d, event);
	else
		answer_at_once(m, d, event);
}

void model_answer(struct model *m, size_t which, unsigned how)
{
	if (m->held_by_us == 0)
		return;
	which %= m->held_by_us;
	struct pb_delivery *d = m->held[which].d;
	struct model_event *e = &m->events[m->held[which].event];
	size_t lane = lane_index(m, d->slot->lane), parts = slot_parts(d->slot);
	m->held[which] = m->held[--m->held_by_us];
	if (m->trace)
		fprintf(stderr, "      answered %llu part %u on %s: %d\n", (unsigned long long)d->slot->seq, d->part,
			d->slot->lane->title, (int)codes[how]);
	if (codes[how] == PB_OK)
		e->ok[lane] = (unsigned char)(e->ok[lane] | 1u << d->part);
	e->ever[lane] |= e->ok[lane];
	/* What is rejected may be tried again while a sibling is retried; its lane may go on all the same once it is dead. */
	bool dies = codes[how] == PB_REJECT || d->slot->attempts >= 3;
	e->may_be_dead[lane] = e->may_be_dead[lane] || dies;
	if (e->ever[lane] == (1u << parts) - 1 || dies)
		e->ended[lane] = e->ended_once[lane] = true;
	pb_answer(d, codes[how], 0, SPAN_NONE, "as the story goes");
}

void model_changed(struct model *m, struct delivery_key key, bool replayed)
{
	size_t lane = lane_index(m, m->lab->d->router.by_number[key.lane]);
	if (m->trace)
		fprintf(stderr, "      %s %llu on %s\n", replayed ? "replayed" : "purged",
			(unsigned long long)key.seq, m->lab->d->router.lanes[lane]->title);
	for (size_t i = 0; i < m->n; i++)
		if (m->events[i].seq == key.seq)
			m->events[i].purged[lane] = !replayed;
}

void model_died(struct model *m)
{
	while (m->held_by_us > 0)	/* nobody answers them any more */
		batch_unref(m->held[--m->held_by_us].d->batch);
	/* Of what was not settled it is not known whether it was stored: both are right. */
	for (size_t i = 0; i < m->n; i++) {
		struct model_event *e = &m->events[i];
		if (!e->accepted && !e->refused)
			e->seq = 0;
		memcpy(e->ok, e->frozen, sizeof e->ok);	/* the rest may come again */
		for (size_t k = 0; k < MODEL_LANES; k++) {
			e->may_be_purged[k] = e->may_be_purged[k] || e->purged[k];
			e->purged[k] = e->purged[k] && e->frozen[k] == (1u << MODEL_PARTS) - 1;
		}
	}
}

void model_mark(struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct model_event *e = &m->events[i];
		for (size_t k = 0; k < MODEL_LANES; k++)
			e->marked[k] = e->purged[k] ? (1u << MODEL_PARTS) - 1 : e->ok[k];
	}
}

void model_freeze(struct model *m)
{
	for (size_t i = 0; i < m->n; i++)
		memcpy(m->events[i].frozen, m->events[i].marked, sizeof m->events[i].marked);
}

struct row_count {
	struct model *m;
	size_t rows;
	uint64_t seqs[MODEL_EVENTS];
};

static bool note_dead(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct row_count *dead = arg;
	(void)row;
	dead->seqs[dead->rows++] = key.seq;
	return true;
}

static bool note_due(void *arg, int64_t due_ms, struct delivery_key key)
{
	(void)due_ms;
	(void)key;
	((struct row_count *)arg)->rows++;
	return true;
}

static bool is_dead(const struct row_count *dead, uint64_t seq)
{
	for (size_t i = 0; i < dead->rows; i++)
		if (dead->seqs[i] == seq)
			return true;
	return false;
}

static void check_lane(struct model *m, size_t at)
{
	struct router *r = &m->lab->d->router;
	struct lane *lane = r->lanes[at];
	struct row_count *dead = xcalloc(1, sizeof *dead), *due = xcalloc(1, sizeof *due);
	expect(lane_watermark(lane) == r->next, "lane %s stands at %llu of %llu", lane->title,
	       (unsigned long long)lane_watermark(lane), (unsigned long long)r->next);
	expect(lane->n_loose == 0 && lane->stragglers == 0, "lane %s has stragglers left", lane->title);
	rows_each_due(r->state, lane->number, DUE_FIRST, note_due, due);
	expect(due->rows == 0, "lane %s has %zu rows in due and no straggler", lane->title, due->rows);
	rows_each_dead(r->state, lane->number, 0, note_dead, dead);
	expect(dead->rows == lane->dead, "lane %s counts %llu dead of %zu", lane->title,
	       (unsigned long long)lane->dead, dead->rows);
	for (size_t i = 0; i < m->n; i++) {
		const struct model_event *e = &m->events[i];
		if (!e->accepted || !wants(lane, e) || lane->route->n_stages > 0)
			continue;
		bool over_quota = lane->purged > 0 || lane->outlet->dead_max < MODEL_EVENTS;
		bool ended = e->ever[at] != 0 || is_dead(dead, e->seq) || e->purged[at] ||
			     e->may_be_purged[at] || (over_quota && e->may_be_dead[at]);
		expect(ended, "event %zu (seq %llu) is lost on lane %s", i,
		       (unsigned long long)e->seq, lane->title);
	}
	free(dead);
	free(due);
}

/* Each event that a row needs can be had; the counts in `kept` are those of the rows. */
static void check_kept(struct model *m)
{
	struct router *r = &m->lab->d->router;
	for (uint64_t seq = 1; seq < r->next; seq++) {
		uint32_t rows = 0, counted = 0;
		for (size_t i = 0; i < r->n_lanes; i++) {
			struct row_count *dead = xcalloc(1, sizeof *dead);
			rows_each_dead(r->state, r->lanes[i]->number, 0, note_dead, dead);
			rows += is_dead(dead, seq);
			free(dead);
		}
		if (rows_get_kept(r->state, seq, &counted, NULL) == -ENOENT)
			counted = 0;
		if (seq < r->kept_below)
			expect(counted == rows, "event %llu is kept for %u rows and needed by %u",
			       (unsigned long long)seq, counted, rows);
		struct pb_event *ev = rows > 0 ? space_event(r, seq) : NULL;
		expect(rows == 0 || ev != NULL, "event %llu is gone, and a dead letter needs it",
		       (unsigned long long)seq);
		event_unref(ev);
	}
}

static void check_quota(const struct outlet *o)
{
	uint64_t dead = 0;
	for (size_t i = 0; i < o->n_lanes; i++)
		dead += o->lanes[i]->dead;
	expect(dead <= o->dead_max, "sink %s has %llu dead letters of at most %llu", o->config->name,
	       (unsigned long long)dead, (unsigned long long)o->dead_max);
}

void model_ended(struct model *m)
{
	for (size_t i = 0; i < m->lab->d->router.n_outlets; i++)
		check_quota(m->lab->d->router.outlets[i]);
	for (size_t i = 0; i < m->lab->d->router.n_lanes; i++)
		check_lane(m, i);
	check_kept(m);
}
