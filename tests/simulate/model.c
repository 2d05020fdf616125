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

enum { DYING = 1, DEAD };	/* of what waited: with the next save, or by now */

#define MODEL_ROOM (1 << 24)	/* bytes that no story fills */

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

void model_init(struct model *m, struct lab *lab, const struct story *story)
{
	*m = (struct model){ .lab = lab, .story = story, .luck = story->seed, .trace = getenv("SIMULATE_TRACE") != NULL, .events = xcalloc(MODEL_EVENTS, sizeof *m->events) };
	for (size_t i = 0; i < MODEL_LANES; i++)
		m->shed[i] = xcalloc(MODEL_EVENTS * 4, 1);
}

void model_free(struct model *m)
{
	for (size_t i = 0; i < MODEL_LANES; i++)
		free(m->shed[i]);
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

static void note_durable(struct model *m)
{
	const struct router *r = &m->lab->d->router;
	if (!r->start_unsaved && save_is_done(r, m->config_save))
		m->configs = 1u << m->config;
}

void model_config(struct model *m, unsigned config)
{
	const struct router *r = &m->lab->d->router;
	m->configs |= 1u << config;
	for (size_t at = 0; at < 9; at++) {
		const struct story_route *was = &m->story->routes[m->config][at / 3];
		const struct story_route *is = &m->story->routes[config][at / 3];
		if (was->there && was->to[at % 3] && !(is->there && is->to[at % 3]))
			m->removed[at] = true;
	}
	m->config = config;
	m->config_save = r->saves + (r->open.batch.n > 0);
}

void model_started(struct model *m)
{
	m->configs |= 1u << m->config;
	m->config_save = m->lab->d->router.start_unsaved ? m->lab->d->router.saves + 1 : 0;
}

void model_settled(struct model *m, size_t event, enum pb_outcome outcome)
{
	struct model_event *e = &m->events[event];
	expect(!e->accepted && !e->refused, "event %zu was settled twice", event);
	e->accepted = outcome == PB_ACCEPTED;
	e->refused = !e->accepted;
	note_durable(m);
	e->configs = m->configs;
}

/* "rX sY" */
static size_t title_index(const char *title)
{
	return (size_t)(title[1] - '0') * 3 + (size_t)(title[4] - '0');
}

static size_t lane_index(const struct model *m, const struct lane *lane)
{
	(void)m;
	return title_index(lane->title);
}

static size_t event_of(const struct model *m, const struct pb_event *ev)
{
	for (size_t i = m->n; i-- > 0; )
		if (strncmp(event_id(ev), m->events[i].id, 36) == 0)
			return i;
	expect(false, "nobody emitted this event: %s", event_id(ev));
	return 0;
}

static bool takes(const struct story_route *route, size_t at, const struct model_event *e)
{
	return route->there && route->to[at % 3] && (route->from == 2 || (int)route->from == e->source) &&
	       (route->all || e->type[0] == 'a');
}

/* By what was configured when it was accepted: surely, or perhaps. */
static bool wants(const struct model *m, size_t at, const struct model_event *e)
{
	for (unsigned i = 0; i < STORY_CONFIGS; i++)
		if ((e->configs >> i & 1) != 0 && !takes(&m->story->routes[i][at / 3], at, e))
			return false;
	return true;
}

static bool may_want(const struct model *m, size_t at, const struct model_event *e)
{
	for (unsigned i = 0; i < STORY_CONFIGS; i++)
		if ((e->configs >> i & 1) != 0 && takes(&m->story->routes[i][at / 3], at, e))
			return true;
	return false;
}

static bool ever_filtered(const struct model *m, size_t at)
{
	for (unsigned i = 0; i < (m->story->reloads ? STORY_CONFIGS : 1); i++)
		if (m->story->routes[i][at / 3].filtered)
			return true;
	return false;
}

/* What a filter drops is settled, and no sink knows: with one that comes and goes order is not to be seen. So with a lane that
 * was removed for a time, of which things died; and what was taken by one order is nothing that another knows of. */
static bool order_is_known(const struct model *m, size_t at)
{
	return !m->removed[at] && !m->story->reorders && !(m->story->reloads && ever_filtered(m, at));
}

/* Of one that was half delivered another filter makes other parts, or none does: all of them are sent. */
static bool parts_may_change(const struct model *m, size_t at, const struct model_event *e)
{
	return m->story->reloads && ever_filtered(m, at) && e->frozen[at] != (1u << MODEL_PARTS) - 1;
}

/* Of a strict lane nothing is sent while one before it is not settled. */
static void check_order(const struct model *m, const struct lane *lane, size_t at, uint64_t seq)
{
	for (size_t i = 0; lane->strict && order_is_known(m, at) && i < m->n; i++) {
		const struct model_event *e = &m->events[i];
		if (e->seq != 0 && e->seq < seq && e->accepted && wants(m, at, e))
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
	if (lane->order_by == NULL || !order_is_known(m, at) || given->ended_once[at] || key_of(lane, given)[0] == '\0')
		return;
	for (size_t i = 0; i < event; i++) {
		const struct model_event *e = &m->events[i];
		if (e->source == given->source && e->accepted && wants(m, at, e) &&
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

static struct model_event *note_end(struct model *m, const struct lane *lane, uint64_t seq)
{
	size_t at = lane_index(m, lane);
	struct pb_event *ev = space_event(lane->router, seq);
	expect(ev != NULL, "event %llu is gone, and a dead letter needs it", (unsigned long long)seq);
	struct model_event *e = &m->events[event_of(m, ev)];
	event_unref(ev);
	e->seq = seq;
	e->may_be_dead[at] = e->ended[at] = e->ended_once[at] = true;
	return e;
}

/* A delivery that died waiting. */
static void note_shed(struct model *m, struct delivery_key key)
{
	const struct lane *lane = m->lab->d->router.by_number[key.lane];
	size_t at = lane_index(m, lane);
	struct model_event *e = note_end(m, lane, key.seq);
	if (m->trace)
		fprintf(stderr, "      %llu on %s died waiting\n", (unsigned long long)key.seq, lane->title);
	expect(!e->accepted || e->resent[at] != 0 || may_want(m, at, e), "event %llu died on lane %s, which does not want it",
	       (unsigned long long)key.seq, lane->title);
	expect(ever_filtered(m, at) || e->ok[at] == 0, "event %llu is delivered on lane %s, and dead",
	       (unsigned long long)key.seq, lane->title);
}

/* What dies with the next save holds nothing back any more. */
static void note_dying(struct model *m, const struct lane *lane)
{
	const struct router *r = lane->router;
	for (const struct shed_row *row = r->shed; row != NULL; row = row->hh.next) {
		unsigned char *seen = &m->shed[lane_index(m, lane)][row->key[1]];
		if (row->key[0] != lane->number || *seen != 0)
			continue;
		*seen = DYING;
		note_end(m, lane, row->key[1]);
	}
	const struct slot *lists[] = { lane->head, lane->loose_head };
	for (size_t i = 0; i < 2; i++)
		for (const struct slot *s = lists[i]; s != NULL; s = s->next)
			if (s->state == SLOT_SAVING && s->row_due_ms < 0 && !s->forgotten)
				note_end(m, lane, s->seq);
}

void model_given(struct model *m, struct pb_delivery *d)
{
	const struct slot *slot = d->slot;
	if (m->stopped == d->batch)
		return;
	note_dying(m, slot->lane);
	size_t event = event_of(m, d->event), lane = lane_index(m, slot->lane);
	struct model_event *e = &m->events[event];
	e->seq = slot->seq;
	if (m->trace)
		fprintf(stderr, "      given %llu part %u attempt %u on %s%s\n", (unsigned long long)slot->seq, d->part,
			d->attempt, slot->lane->title, slot->loose ? ", a straggler" : "");
	expect(!e->accepted || e->resent[lane] != 0 || may_want(m, lane, e), "event %zu (seq %llu), of configurations %x, was sent on lane %s, which does not take it", event,
	       (unsigned long long)slot->seq, e->configs, slot->lane->title);
	expect(!e->refused, "event %zu was refused and is delivered", event);
	expect((e->frozen[lane] >> d->part & 1) == 0 || parts_may_change(m, lane, e),
	       "event %zu (seq %llu) part %u was delivered and saved on lane %s, and comes again", event,
	       (unsigned long long)slot->seq, d->part, slot->lane->title);
	/* What counts is how it is answered now. */
	e->ok[lane] = (unsigned char)(e->ok[lane] & ~(1u << d->part));
	/* But one that died waiting for it, and was replayed, goes. */
	expect(sink_takes(d->batch->outlet, slot->seq) || slot->loose, "lane %s drains and was given the new event %llu",
	       slot->lane->title, (unsigned long long)slot->seq);
	if (!slot->lane->strict || !slot->loose)	/* one replayed holds nothing back */
		e->ended[lane] = false;
	if (!slot->loose)
		check_order(m, slot->lane, lane, slot->seq);
	check_keys(m, slot->lane, lane, event);
	if (d->batch->outlet->async)
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

struct search {
	uint32_t number;
	const char *title;	/* looked for, or NULL */
	size_t at;
	bool found;
};

static bool look_at_name(void *arg, const struct name_row *row)
{
	struct search *s = arg;
	bool is = row->kind == NAME_LANE &&
		  (s->title != NULL ? strcmp(row->name, s->title) == 0 : row->number == s->number);
	if (!is)
		return true;
	s->found = true;
	s->number = row->number;
	s->at = title_index(row->name);
	return false;
}

/* What died without ever being given to a sink is known by its letter. */
static void learn_seq(struct model *m, uint64_t seq)
{
	struct pb_event *ev = space_event(&m->lab->d->router, seq);
	for (size_t i = 0; ev != NULL && i < m->n; i++)
		if (m->events[i].seq == 0 && strcmp(m->events[i].id, event_id(ev)) == 0)
			m->events[i].seq = seq;
	event_unref(ev);
}

struct shed_pass {
	struct model *m;
	struct delivery_key found[64];
	size_t n;
};

static bool find_shed(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct shed_pass *p = arg;
	const struct lane *lane = p->m->lab->d->router.by_number[key.lane];
	if (lane == NULL)
		return true;
	size_t at = lane_index(p->m, lane);
	if ((row->reason != DEAD_OVERFLOW && row->reason != DEAD_EXPIRED) || p->m->shed[at][key.seq] == DEAD)
		return true;
	p->m->shed[at][key.seq] = DEAD;
	p->found[p->n++] = key;
	return p->n < 64;
}

void model_saved(struct model *m)
{
	struct shed_pass p = { .m = m };
	do {
		p.n = 0;
		rows_scan_dead(m->lab->d->router.state, (struct delivery_key){ 0 }, find_shed, &p);
		for (size_t i = 0; i < p.n; i++)
			note_shed(m, p.found[i]);
	} while (p.n > 0);
}

void model_changed(struct model *m, struct delivery_key key, bool replayed)
{
	learn_seq(m, key.seq);
	struct search s = { .number = key.lane };
	rows_each_name(m->lab->d->router.state, look_at_name, &s);
	expect(s.found, "a dead letter of lane %u, which has no name", key.lane);
	if (m->trace)
		fprintf(stderr, "      %s %llu on lane %zu\n", replayed ? "replayed" : "purged",
			(unsigned long long)key.seq, s.at);
	for (size_t i = 0; i < m->n; i++)
		if (m->events[i].seq == key.seq)
			m->events[i].purged[s.at] = !replayed;
}

void model_resent(struct model *m, size_t event, size_t lane, bool surely)
{
	struct model_event *e = &m->events[event];
	if (m->trace)
		fprintf(stderr, "      event %zu (seq %llu) is sent again on lane %zu%s\n", event,
			(unsigned long long)e->seq, lane, surely ? "" : ", perhaps");
	e->ended[lane] = e->ended_once[lane] = true;	/* it holds nothing back */
	e->resent[lane] = surely || e->resent[lane] > 1 ? 2 : 1;
	e->ok[lane] = e->frozen[lane] = 0;
	if (!surely)
		return;
	e->ever[lane] = 0;
	e->purged[lane] = e->may_be_purged[lane] = false;
}

void model_died(struct model *m)
{
	while (m->held_by_us > 0)	/* nobody answers them any more */
		batch_unref(m->held[--m->held_by_us].d->batch);
	for (size_t i = 0; i < MODEL_LANES; i++)	/* nor is what dies by a save known to have died */
		memset(m->shed[i], 0, MODEL_EVENTS * 4);
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

/* What is configured has come to its end. */
static void check_lane(struct model *m, struct lane *lane, const struct row_count *dead)
{
	struct router *r = &m->lab->d->router;
	struct row_count *due = xcalloc(1, sizeof *due);
	expect(lane_watermark(lane) == r->next, "lane %s stands at %llu of %llu", lane->title,
	       (unsigned long long)lane_watermark(lane), (unsigned long long)r->next);
	expect(lane->n_loose == 0 && lane->stragglers == 0, "lane %s has stragglers left", lane->title);
	rows_each_due(r->state, lane->number, DUE_FIRST, note_due, due);
	expect(due->rows == 0, "lane %s has %zu rows in due and no straggler", lane->title, due->rows);
	expect(dead->rows == lane->dead, "lane %s counts %llu dead of %zu", lane->title,
	       (unsigned long long)lane->dead, dead->rows);
	expect(lane->old == NULL, "lane %s remembers what it took before", lane->title);
	free(due);
}

/* Every event that the lane was to have is delivered or dead, whether it is still configured or not. */
static void check_events(struct model *m, size_t at)
{
	struct router *r = &m->lab->d->router;
	char title[] = { 'r', (char)('0' + at / 3), ' ', 's', (char)('0' + at % 3), '\0' };
	struct search s = { .title = title };
	struct row_count *dead = xcalloc(1, sizeof *dead);
	rows_each_name(r->state, look_at_name, &s);
	if (s.found)
		rows_each_dead(r->state, s.number, 0, note_dead, dead);
	for (size_t i = 0; i < dead->rows; i++)
		learn_seq(m, dead->seqs[i]);
	struct lane *lane = s.found ? r->by_number[s.number] : NULL;
	if (lane != NULL)
		check_lane(m, lane, dead);
	for (size_t i = 0; i < m->n && !ever_filtered(m, at); i++) {
		const struct model_event *e = &m->events[i];
		if (!e->accepted || !(e->resent[at] > 1 || wants(m, at, e)))
			continue;
		bool over_quota = strstr(m->story->inis[0], "dead_max = 3") != NULL || (lane != NULL && lane->purged > 0) ||
				  strstr(m->story->inis[0], "max_backlog") != NULL || m->story->max_size < MODEL_ROOM;
		bool ended = e->ever[at] != 0 || is_dead(dead, e->seq) || e->purged[at] ||
			     e->may_be_purged[at] ||
			     (over_quota && (e->may_be_dead[at] || m->removed[at]));
		expect(ended, "event %zu (seq %llu) is lost on lane %s", i, (unsigned long long)e->seq, title);
	}
	free(dead);
}

void model_at_rest(struct model *m)
{
	struct router *r = &m->lab->d->router;
	if (r->save_busy || r->open.batch.n > 0)
		return;		/* the state's disk is full */
	model_saved(m);
	model_check_quotas(m);
	model_check_rows(m);
}

void model_ended(struct model *m)
{
	model_at_rest(m);
	model_check_letters(m);
	expect(m->lab->d->router.n_leaving == 0, "a lane does not leave");
	for (size_t at = 0; at < 9; at++)
		check_events(m, at);
}
