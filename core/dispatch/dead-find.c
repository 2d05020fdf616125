/*
 * dead-find.c - dead letters looked for: rows beside the router, since the state can be read on any thread, and their
 * events, which only the router may read, by calls of a few ms.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/parse.h"
#include "dispatch/ask.h"
#include "dispatch/engine.h"
#include "event/event.h"

#define PIECE_ROWS 2048		/* looked at in one piece, … */
#define PIECE_FOUND 256		/* … that may fit, … */
#define PIECE_BYTES (1u << 20)	/* … and what they hold, … */
#define PIECE_MS 50		/* … and time, whichever comes first */
#define LOAD_BYTES (1u << 20)	/* of events that one call loads, … */
#define LOAD_MS 2		/* … or time of the router's that it takes */

/* A lane that has a number, configured or not. */
struct named {
	uint32_t number;
	bool fits;
	bool configured;
	char *route, *sink;	/* one allocation */
};

/* A row that fits as far as rows tell. */
struct found {
	struct delivery_key key;
	struct dead_row row;
	char *text;		/* what the row points to */
	struct pb_event *event;	/* once it is loaded; NULL: it is lost, or not wanted */
	const struct named *lane;
};

struct search {
	struct router *r;
	const struct dead_filter *filter;
	struct named *lanes;
	size_t n_lanes, lane, seen, n, room, bytes;
	struct delivery_key at;
	bool more;
	int64_t until;		/* monotonic ms */
	struct found found[PIECE_FOUND];
};

static bool add_lane(void *arg, const struct name_row *row)
{
	struct search *s = arg;
	if (row->kind != NAME_LANE)
		return true;
	if (s->n_lanes % 64 == 0)
		s->lanes = xrealloc(s->lanes, s->n_lanes + 64, sizeof *s->lanes);
	struct named *lane = &s->lanes[s->n_lanes++];
	*lane = (struct named){ .number = row->number, .route = xstrdup(row->name) };
	char *blank = strchr(lane->route, ' ');
	lane->sink = blank != NULL ? blank + 1 : lane->route + strlen(lane->route);
	if (blank != NULL)
		*blank = '\0';
	const struct dead_filter *f = s->filter;
	lane->fits = (f->sink == NULL || strcmp(f->sink, lane->sink) == 0) &&
		     (f->route == NULL || strcmp(f->route, lane->route) == 0);
	return true;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t left = ((const struct named *)a)->number, right = ((const struct named *)b)->number;
	return (left > right) - (left < right);
}

/* The first lane that fits with a number from `number` on, or NULL; asked in the order of numbers. */
static const struct named *lane_from(struct search *s, uint32_t number)
{
	while (s->lane < s->n_lanes && (s->lanes[s->lane].number < number || !s->lanes[s->lane].fits))
		s->lane++;
	return s->lane < s->n_lanes ? &s->lanes[s->lane] : NULL;
}

static struct pb_span copy_into(char **at, struct pb_span from)
{
	struct pb_span copy = { *at, from.len };
	if (from.len > 0)
		memcpy(*at, from.data, from.len);
	*at += from.len;
	return copy;
}

static void add_found(struct search *s, const struct named *lane, struct delivery_key key,
		      const struct dead_row *row)
{
	struct found *f = &s->found[s->n++];
	size_t len = row->parts.len + row->error.len + row->response.len;
	*f = (struct found){ .key = key, .row = *row, .text = xcalloc(len, 1), .lane = lane };
	char *at = f->text;
	f->row.parts = copy_into(&at, row->parts);
	f->row.error = copy_into(&at, row->error);
	f->row.response = copy_into(&at, row->response);
	s->bytes += len;
}

static bool row_fits(const struct dead_filter *f, const struct dead_row *row)
{
	return (f->reason == 0 || row->reason == f->reason) && row->dead_ms >= f->since_ms &&
	       (f->until_ms == 0 || row->dead_ms < f->until_ms);
}

/* Lanes come in the order of their numbers; one that does not fit is not walked through. */
static bool each_row(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct search *s = arg;
	const struct named *lane = lane_from(s, key.lane);
	if (lane == NULL)
		return false;
	s->more = true;		/* unless this turns out to be the last row */
	s->at = (struct delivery_key){ lane->number, 0 };
	if (lane->number != key.lane)
		return false;
	s->at.seq = key.seq + 1;
	if (row_fits(s->filter, row))
		add_found(s, lane, key, row);
	s->more = ++s->seen == PIECE_ROWS || s->n == s->room || s->bytes >= PIECE_BYTES;
	return !s->more;
}

static bool event_fits(const struct dead_filter *f, const struct pb_event *ev)
{
	if (f->type == NULL && f->id == NULL)
		return true;
	return ev != NULL && (f->type == NULL || glob_match(f->type, event_type(ev))) &&
	       (f->id == NULL || strcmp(f->id, event_id(ev)) == 0);
}

struct load_call {
	struct inbox_call call;
	struct search *s;
	size_t from, end;	/* found[from..end) have their events */
};

struct mark_call {
	struct inbox_call call;
	struct search *s;
};

static void mark_configured(struct inbox_call *call)
{
	struct search *s = ((struct mark_call *)call)->s;
	const struct router *r = s->r;
	for (size_t i = 0; i < s->n_lanes; i++) {
		uint32_t number = s->lanes[i].number;
		const struct lane *lane = number < r->n_numbers ? r->by_number[number] : NULL;
		s->lanes[i].configured = lane != NULL && !lane->leaving.is;
	}
}

static void load_events(struct inbox_call *call)
{
	struct load_call *load = (struct load_call *)call;
	struct search *s = load->s;
	int64_t until = clock_mono(&clock_system) + LOAD_MS;
	size_t bytes = 0;
	for (load->end = load->from; load->end < s->n; load->end++) {
		if (bytes >= LOAD_BYTES || (load->end > load->from && clock_mono(&clock_system) > until))
			break;
		struct found *f = &s->found[load->end];
		f->event = space_event(s->r, f->key.seq);
		bytes += f->event != NULL ? event_size(f->event) : 0;
	}
}

/* Hand out one that was found; false when the event does not fit. */
static bool hand_out(struct search *s, struct found *f,
		     void (*each)(void *arg, const struct dead_letter *), void *arg)
{
	bool fits = event_fits(s->filter, f->event);
	if (fits)
		each(arg, &(struct dead_letter){
			.key = f->key, .route = f->lane->route, .sink = f->lane->sink,
			.configured = f->lane->configured,
			.row = f->row, .event = f->event,
		});
	event_unref(f->event);
	f->event = NULL;
	return fits;
}

/* Those found, until there are enough or it takes too long: the rest is found again. */
static int hand_out_all(struct search *s, size_t most, dead_caller *on_router,
			void (*each)(void *arg, const struct dead_letter *), void *arg)
{
	const struct dead_filter *f = s->filter;
	bool wanted = f->events || f->type != NULL || f->id != NULL;
	struct load_call load = { .call.run = load_events, .s = s, .end = wanted ? 0 : s->n };
	size_t given = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (given == most || (i > 0 && clock_mono(&clock_system) >= s->until)) {
			s->at = s->found[i].key;
			s->more = true;
			return 0;
		}
		load.from = i;
		int failed = i == load.end ? on_router(&s->r->inbox, &load.call) : 0;
		if (failed < 0)
			return failed;
		given += hand_out(s, &s->found[i], each, arg);
	}
	return 0;
}

static void search_free(struct search *s)
{
	for (size_t i = 0; i < s->n_lanes; i++)
		free(s->lanes[i].route);
	for (size_t i = 0; i < s->n; i++) {
		event_unref(s->found[i].event);
		free(s->found[i].text);
	}
	free(s->lanes);
	free(s);
}

int dead_find(struct router *r, dead_caller *on_router, const struct dead_filter *filter, struct delivery_key *at,
	      size_t most, void (*each)(void *arg, const struct dead_letter *), void *arg)
{
	struct search *s = xcalloc(1, sizeof *s);
	bool by_event = filter->type != NULL || filter->id != NULL, by_lane = filter->sink != NULL ||
	     filter->route != NULL;
	s->r = r;
	s->filter = filter;
	s->room = !by_event && most < PIECE_FOUND ? most : PIECE_FOUND;
	s->until = clock_mono(&clock_system) + PIECE_MS;
	int result = rows_each_name(r->state, add_lane, s);
	if (s->n_lanes > 0)
		qsort(s->lanes, s->n_lanes, sizeof *s->lanes, compare_numbers);
	struct mark_call mark = { .call.run = mark_configured, .s = s };
	if (result == 0)
		result = on_router(&r->inbox, &mark.call);
	if (result == 0 && by_lane && lane_from(s, 0) == NULL)
		result = -ENOENT;
	if (result == 0)
		result = rows_scan_dead(r->state, *at, each_row, s);
	if (result == 0)
		result = hand_out_all(s, most, on_router, each, arg);
	if (result == 0) {
		*at = s->at;
		result = s->more;
	}
	search_free(s);
	return result;
}

int dispatch_dead_find(struct dispatch *d, const struct dead_filter *filter, struct delivery_key *at, size_t most,
		       void (*each)(void *arg, const struct dead_letter *), void *arg)
{
	return dead_find(&d->router, inbox_call, filter, at, most, each, arg);
}
