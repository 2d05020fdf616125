/*
 * ages.c - each lane's backlog by age.
 *
 * Windows are counted at once. What lanes that are behind have ahead of them in the journal is
 * looked at from the newest event back, in strata that grow with the distance: of each, a few
 * neighbours are read and stand for all of it. So an old backlog of millions costs some forty
 * short reads, a call of the router each, and a small one is counted whole. Stragglers' rows are
 * read here, on the asking thread, lane by lane up to a limit.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "dispatch/backlog.h"
#include "dispatch/engine.h"
#include "event/codec.h"
#include "event/event.h"

#define SAMPLE_EVENTS 64	/* of one stratum */
#define SAMPLE_BYTES (1u << 20)
#define ROWS_MAX 100000		/* of a lane */
#define ROWS_ALL 1000000

/* One lane's count, by its number. */
struct tally {
	const struct lane *lane;	/* looked into on the router's thread only; NULL: no lane */
	const char *route, *sink;
	uint32_t number;
	size_t at;			/* in the configuration */
	uint64_t stragglers;
	uint64_t from;			/* its place in the journal; UINT64_MAX: it is not behind */
	double counts[AGE_BUCKETS];
	int64_t since;			/* of the oldest */
	bool sampled, own_time;
};

/* Events next to each other in the journal, some of which were read. */
struct stratum {
	uint64_t start, end;
	struct pb_event *events[SAMPLE_EVENTS];
	size_t n;
	bool whole;			/* all that are there were read */
};

struct ages_call {
	struct inbox_call call;
	struct dispatch *d;
	struct tally *tallies;
	size_t n_tallies, n_lanes;
	uint64_t bottom, top;		/* strata go from top down to bottom */
	uint64_t end;			/* where the journal ended when this began */
	int64_t now;
	struct timeline timeline;	/* a copy */
	int failed;
};

int64_t age_limit(unsigned i)
{
	return i < AGE_BUCKETS - 1 ? INT64_C(300000) << i : INT64_MAX;
}

static void tally_add(struct tally *t, int64_t since, int64_t now, double n)
{
	unsigned i = 0;
	while (now - since > age_limit(i))
		i++;
	t->counts[i] += n;
	if (since < t->since)
		t->since = since;
}

/* What has a row is counted by it. */
static void tally_window(struct tally *t, const struct router *r, int64_t now)
{
	for (const struct slot *s = t->lane->head; s != NULL; s = s->next) {
		bool own;
		if (s->row_due_ms >= 0 || s->forgotten)
			continue;
		int64_t since = router_accepted(r, s->event, &own);
		t->own_time = t->own_time || own;
		tally_add(t, since, now, 1);
	}
}

static void begin(struct inbox_call *call)
{
	struct ages_call *c = (struct ages_call *)call;
	struct router *r = &c->d->router;
	c->n_tallies = r->n_numbers;
	c->n_lanes = r->n_lanes;
	c->tallies = xcalloc(c->n_tallies + 1, sizeof *c->tallies);
	c->bottom = c->top = c->end = r->next;
	c->now = router_wall(r);
	c->timeline = r->timeline;
	for (size_t i = 0; i < r->n_lanes; i++) {
		const struct lane *lane = r->lanes[i];
		struct tally *t = &c->tallies[lane->number];
		*t = (struct tally){
			.lane = lane, .route = lane->route->config->name,
			.sink = lane->outlet->config->name, .number = lane->number, .at = i,
			.stragglers = lane->stragglers, .from = lane->live ? UINT64_MAX : lane->next,
			.since = BACKLOG_NONE,
		};
		if (t->from < c->bottom)
			c->bottom = t->from;
		tally_window(t, r, c->now);
	}
}

/* Has it a row, which is counted, or is it dead? */
static bool has_row(const struct lane *lane, uint64_t seq)
{
	struct covered *found = NULL;
	if (lane->covered != NULL)
		HASH_FIND(hh, lane->covered, &seq, sizeof seq, found);
	return found != NULL;
}

/* How many of the lane's events the one read stands for. */
static double weight(const struct tally *t, const struct stratum *s, uint64_t seq)
{
	if (t->from >= s->end)
		return 0;
	if (s->whole)
		return seq >= t->from ? 1 : 0;
	uint64_t start = t->from > s->start ? t->from : s->start;
	return (double)(s->end - start) / (double)s->n;
}

static void tally_one(struct ages_call *c, const struct stratum *s, const struct lane *lane, const struct pb_event *ev)
{
	bool own;
	int64_t since = router_accepted(&c->d->router, ev, &own);
	if (lane->number >= c->n_tallies || c->tallies[lane->number].lane != lane)
		return;		/* it is newer than the question */
	struct tally *t = &c->tallies[lane->number];
	double w = weight(t, s, event_seq(ev));
	if (w <= 0 || has_row(lane, event_seq(ev)))
		return;
	t->own_time = t->own_time || own;
	tally_add(t, since, c->now, w);
}

static void tally_event(struct ages_call *c, const struct stratum *s, const struct pb_event *ev)
{
	struct router *r = &c->d->router;
	size_t n;
	struct route **routes = router_match(r, ev, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < routes[i]->n_lanes; k++)
			if (!lane_took_else(routes[i]->lanes[k], event_seq(ev)))
				tally_one(c, s, routes[i]->lanes[k], ev);
	for (size_t i = 0; r->n_old > 0 && i < r->n_lanes; i++)
		if (lane_took_else(r->lanes[i], event_seq(ev)) && lane_wants(r->lanes[i], ev))
			tally_one(c, s, r->lanes[i], ev);
}

/* Read events from the middle of the stratum, as many as a sample has. */
static int read_stratum(struct router *r, struct stratum *s)
{
	uint64_t size = s->end - s->start;
	uint64_t at = size > SAMPLE_EVENTS ? s->start + (size - SAMPLE_EVENTS) / 2 : s->start;
	struct journal_cursor *cursor = journal_cursor(r->journal, at);
	struct record rec;
	size_t bytes = 0;
	int got = cursor == NULL ? -ENOMEM : 1;
	while (got > 0 && s->n < SAMPLE_EVENTS && bytes < SAMPLE_BYTES) {
		got = journal_next(r->journal, cursor, &rec);
		if (got <= 0 || (rec.kind == RECORD_EVENT && rec.seq >= s->end))
			break;
		if (rec.kind != RECORD_EVENT || (s->events[s->n] = codec_unpack(rec.data)) == NULL)
			continue;
		event_set_seq(s->events[s->n++], rec.seq);
		bytes += rec.data.len;
	}
	journal_cursor_close(r->journal, cursor);
	s->whole = size <= SAMPLE_EVENTS && bytes < SAMPLE_BYTES;
	return got < 0 ? got : 0;
}

static void sample(struct inbox_call *call)
{
	struct ages_call *c = (struct ages_call *)call;
	uint64_t size = (c->end - c->top) / 4;
	if (size < SAMPLE_EVENTS)
		size = SAMPLE_EVENTS;
	if (size > c->top - c->bottom)
		size = c->top - c->bottom;
	struct stratum s = { .start = c->top - size, .end = c->top };
	c->failed = read_stratum(&c->d->router, &s);
	for (size_t i = 0; i < c->n_tallies && !s.whole; i++)
		if (c->tallies[i].from < s.end)
			c->tallies[i].sampled = true;
	for (size_t i = 0; i < s.n; i++) {
		tally_event(c, &s, s.events[i]);
		event_unref(s.events[i]);
	}
	c->top = s.start;
}

/* A lane's rows. */
struct rows_pass {
	struct ages_call *c;
	struct tally rows;		/* counts of the rows alone */
	uint64_t n, room;
};

static bool tally_row(void *arg, struct delivery_key key, const struct straggler_row *row)
{
	struct rows_pass *p = arg;
	struct backlog_row what = { .there = true, .seq = key.seq, .first_ms = row->first_ms };
	if (p->n == p->room) {
		p->rows.sampled = true;
		return false;
	}
	p->n++;
	tally_add(&p->rows, backlog_row_since(&p->c->timeline, &what, &p->rows.own_time), p->c->now, 1);
	return true;
}

/* What was not looked at is taken to be as old as what was. */
static void tally_rows(struct ages_call *c, struct tally *t, uint64_t *room)
{
	struct rows_pass p = {
		.c = c, .rows.since = t->since, .room = *room < ROWS_MAX ? *room : ROWS_MAX,
	};
	int failed = rows_each_straggler(c->d->env.state, t->number, 0, tally_row, &p);
	if (failed < 0)
		c->failed = failed;
	double scale = p.rows.sampled && t->stragglers > p.n && p.n > 0 ?
		(double)t->stragglers / (double)p.n : 1;
	for (unsigned i = 0; i < AGE_BUCKETS; i++)
		t->counts[i] += p.rows.counts[i] * scale;
	t->since = p.rows.since;
	t->sampled = t->sampled || p.rows.sampled;
	t->own_time = t->own_time || p.rows.own_time;
	*room -= p.n;
}

static void report(const struct ages_call *c, const struct tally *t, struct lane_ages *to)
{
	*to = (struct lane_ages){
		.route = t->route, .sink = t->sink, .oldest_ms = backlog_age(t->since, c->now),
		.sampled = t->sampled, .own_time = t->own_time,
	};
	for (unsigned i = 0; i < AGE_BUCKETS; i++) {
		to->counts[i] = (uint64_t)(t->counts[i] + 0.5);
		to->total += to->counts[i];
	}
}

static int run(struct ages_call *c)
{
	struct inbox *inbox = &c->d->router.inbox;
	uint64_t room = ROWS_ALL;
	c->call.run = begin;
	int refused = inbox_call(inbox, &c->call);
	c->call.run = sample;
	while (refused == 0 && c->failed == 0 && c->top > c->bottom)
		refused = inbox_call(inbox, &c->call);
	for (size_t i = 0; i < c->n_tallies && refused == 0 && c->failed == 0; i++)
		if (c->tallies[i].lane != NULL && c->tallies[i].stragglers > 0)
			tally_rows(c, &c->tallies[i], &room);
	return refused < 0 ? refused : c->failed;
}

int dispatch_ages(struct dispatch *d, struct ages *ages)
{
	struct ages_call *c = xcalloc(1, sizeof *c);
	c->d = d;
	int failed = run(c);
	*ages = (struct ages){ .lanes = xcalloc(c->n_lanes + 1, sizeof *ages->lanes) };
	ages->n = failed == 0 ? c->n_lanes : 0;
	for (size_t i = 0; i < c->n_tallies && failed == 0; i++)
		if (c->tallies[i].lane != NULL)
			report(c, &c->tallies[i], &ages->lanes[c->tallies[i].at]);
	free(c->tallies);
	free(c);
	return failed;
}

void ages_free(struct ages *ages)
{
	free(ages->lanes);
	*ages = (struct ages){ 0 };
}
