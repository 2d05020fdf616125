/* trace.c - an event's story put together. */
#include "dispatch/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/span.h"
#include "dispatch/engine.h"
#include "event/event.h"

#define SYNC_MS 1000	/* for what was flushed to get into the files */

const char *trace_where_name(enum trace_where where)
{
	static const char *const names[] = {
		[TRACE_SETTLED] = "settled", [TRACE_BACKLOG] = "backlog", [TRACE_FILTERING] = "filtering",
		[TRACE_READY] = "ready", [TRACE_FLYING] = "in flight", [TRACE_WAITING] = "waiting",
		[TRACE_HELD] = "held", [TRACE_PARKED] = "parked", [TRACE_SAVING] = "saving", [TRACE_DEAD] = "dead",
	};
	return names[where];
}

/* The history, as far as it is about what is looked for. */
struct gather {
	struct trace *t;
	uint64_t hash;			/* of the id; 0: a number is looked for */
	size_t order;
};

static struct trace_event *find_event(struct trace *t, uint64_t seq)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->events[i].seq == seq)
			return &t->events[i];
	return NULL;
}

static struct trace_event *add_event(struct trace *t, uint64_t seq)
{
	if (t->n == TRACE_EVENTS_MAX) {
		t->cut = true;
		return NULL;
	}
	t->events = xrealloc(t->events, t->n + 1, sizeof *t->events);
	t->events[t->n] = (struct trace_event){ .seq = seq };
	return &t->events[t->n++];
}

static struct pb_span move_text(char **at, struct pb_span from)
{
	struct pb_span to = { *at, from.len };
	if (from.len > 0)
		memcpy(*at, from.data, from.len);
	*at += from.len;
	return to;
}

static void add_step(struct trace_event *ev, const struct history_entry *e, size_t order)
{
	if (ev->n_steps % 64 == 0)
		ev->steps = xrealloc(ev->steps, ev->n_steps + 64, sizeof *ev->steps);
	struct trace_step *step = &ev->steps[ev->n_steps++];
	*step = (struct trace_step){ .entry = *e, .order = order };
	step->text = xcalloc(e->text.len + e->response.len, 1);
	char *at = step->text;
	step->entry.text = move_text(&at, e->text);
	step->entry.response = move_text(&at, e->response);
	step->entry.type = step->entry.sender = SPAN_NONE;
}

static void note_accepted(struct trace_event *ev, const struct history_entry *e)
{
	if (ev->accepted_ms == 0) {
		ev->accepted_ms = e->at_ms;
		ev->by_then = e->kind == HISTORY_FOUND;
		ev->reconfigured = false;
	}
	if (ev->type == NULL && e->type.len > 0) {
		ev->type = strndup(e->type.data, e->type.len);
		ev->origin = (uint32_t)e->origin;
	}
	if (ev->sender == NULL && e->sender.len > 0)
		ev->sender = strndup(e->sender.data, e->sender.len);
}

static void note_configured(struct trace *t, int64_t at_ms)
{
	for (size_t i = 0; i < t->n; i++) {
		t->events[i].reconfigured = true;
		t->events[i].configured_ms = at_ms;
	}
}

static bool gather_entry(void *arg, const struct history_entry *e)
{
	struct gather *g = arg;
	if (e->kind == HISTORY_CONFIGURED)
		note_configured(g->t, e->at_ms);
	if (e->seq == 0)
		return true;
	struct trace_event *ev = g->t->n > 0 ? find_event(g->t, e->seq) : NULL;
	if (ev == NULL && e->id != 0 && e->id == g->hash)
		ev = add_event(g->t, e->seq);
	if (ev == NULL)
		return true;
	if (e->kind == HISTORY_ACCEPTED || e->kind == HISTORY_FOUND)
		note_accepted(ev, e);
	if (g->order < TRACE_STEPS_MAX)
		add_step(ev, e, g->order++);
	else
		g->t->cut = true;
	return true;
}

static int compare_steps(const void *a, const void *b)
{
	const struct trace_step *left = a, *right = b;
	if (left->entry.lane != right->entry.lane)
		return left->entry.lane < right->entry.lane ? -1 : 1;
	return (left->order > right->order) - (left->order < right->order);
}

static int compare_events(const void *a, const void *b)
{
	uint64_t left = ((const struct trace_event *)a)->seq, right = ((const struct trace_event *)b)->seq;
	return (left > right) - (left < right);
}

/* Something to do on the router's thread. */
struct trace_call {
	struct inbox_call call;
	struct router *router;
	struct trace_event *ev;
	struct trace_place at;
	bool more;
};

static void flush(struct inbox_call *call)
{
	history_flush(((struct trace_call *)call)->router->history);
}

/* The event itself, and since when it is there, unless the history has said that. */
static void load(struct inbox_call *call)
{
	struct trace_call *tc = (struct trace_call *)call;
	struct router *r = tc->router;
	struct trace_event *ev = tc->ev;
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	ev->event = space_event(r, ev->seq);
	ev->kept = ev->event != NULL && ev->seq < stat.first_seq;
	if (ev->event == NULL)
		return;
	ev->origin = event_origin(ev->event);
	free(ev->type);
	ev->type = xstrdup(event_type(ev->event));
	if (ev->accepted_ms == 0 && ev->seq < r->next) {
		ev->by_then = !timeline_knows(&r->timeline, ev->seq);
		ev->accepted_ms = timeline_at(&r->timeline, ev->seq);
	}
}

static void look(struct inbox_call *call)
{
	struct trace_call *tc = (struct trace_call *)call;
	tc->more = trace_look(tc->router, tc->ev, &tc->at);
}

static void free_event(struct trace_event *ev)
{
	for (size_t i = 0; i < ev->n_routes; i++) {
		free(ev->routes[i].name);
		free(ev->routes[i].why);
	}
	for (size_t i = 0; i < ev->n_lanes; i++) {
		free(ev->lanes[i].route);
		free(ev->lanes[i].sink);
		free(ev->lanes[i].error);
	}
	for (size_t i = 0; i < ev->n_steps; i++)
		free(ev->steps[i].text);
	free(ev->routes);
	free(ev->lanes);
	free(ev->steps);
	free(ev->source);
	free(ev->sender);
	free(ev->type);
	event_unref(ev->event);
}

void trace_free(struct trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		free_event(&t->events[i]);
	free(t->events);
	*t = (struct trace){ 0 };
}

/* Load them all; what turns out to have another id was a hash that met, or a number that never was. */
static int load_events(struct trace *t, struct router *r, trace_caller *on_router, const char *id)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++) {
		struct trace_call call = { .call.run = load, .router = r, .ev = &t->events[i] };
		int failed = on_router(&r->inbox, &call.call);
		if (failed < 0)
			return failed;
		struct trace_event *ev = &t->events[i];
		bool is_it = ev->event != NULL && id != NULL ? strcmp(event_id(ev->event), id) == 0 :
			     ev->event != NULL || ev->n_steps > 0;
		if (is_it)
			t->events[n++] = *ev;
		else
			free_event(ev);
	}
	t->n = n;
	return 0;
}

struct naming {
	struct trace *t;
	enum name_kind kind;
};

static void name_lane(struct trace_lane *lane, const char *name)
{
	const char *blank = strchr(name, ' ');
	if (lane->route != NULL)
		return;
	lane->route = blank != NULL ? strndup(name, (size_t)(blank - name)) : xstrdup(name);
	lane->sink = xstrdup(blank != NULL ? blank + 1 : "");
}

/* What has only a number gets its name. */
static bool take_name(void *arg, const struct name_row *row)
{
	const struct naming *naming = arg;
	for (size_t i = 0; i < naming->t->n && row->kind == naming->kind; i++) {
		struct trace_event *ev = &naming->t->events[i];
		if (row->kind == NAME_SOURCE && row->number == ev->origin && ev->source == NULL)
			ev->source = xstrdup(row->name);
		for (size_t k = 0; row->kind == NAME_LANE && k < ev->n_lanes; k++)
			if (ev->lanes[k].number == row->number)
				name_lane(&ev->lanes[k], row->name);
	}
	return true;
}

static int give_names(struct trace *t, struct router *r, enum name_kind kind)
{
	struct naming naming = { t, kind };
	return rows_each_name(r->state, take_name, &naming);
}

static int compare_lanes(const void *a, const void *b)
{
	uint32_t left = ((const struct trace_lane *)a)->number, right = ((const struct trace_lane *)b)->number;
	return (left > right) - (left < right);
}

/* Each lane gets its steps; one that only they know is added. */
static void join_steps(struct trace_event *ev)
{
	size_t known = ev->n_lanes;
	struct trace_lane key = { 0 };
	if (ev->n_steps > 0)
		qsort(ev->steps, ev->n_steps, sizeof *ev->steps, compare_steps);
	if (known > 0)
		qsort(ev->lanes, known, sizeof *ev->lanes, compare_lanes);
	for (size_t i = 0, next; i < ev->n_steps; i = next) {
		key.number = (uint32_t)ev->steps[i].entry.lane;
		for (next = i + 1; next < ev->n_steps && ev->steps[next].entry.lane == key.number; )
			next++;
		if (key.number == 0)
			continue;
		struct trace_lane *lane = known == 0 ? NULL :
			bsearch(&key, ev->lanes, known, sizeof key, compare_lanes);
		if (lane == NULL) {
			ev->lanes = xrealloc(ev->lanes, ev->n_lanes + 1, sizeof *ev->lanes);
			lane = &ev->lanes[ev->n_lanes++];
			*lane = key;
		}
		lane->first_step = i;
		lane->n_steps = next - i;
	}
}

static int look_all(struct trace *t, struct router *r, trace_caller *on_router)
{
	for (size_t i = 0; i < t->n; i++) {
		struct trace_call call = { .call.run = look, .router = r, .ev = &t->events[i], .more = true };
		while (call.more) {
			int failed = on_router(&r->inbox, &call.call);
			if (failed < 0)
				return failed;
		}
		join_steps(&t->events[i]);
	}
	return 0;
}

static void read_history(struct trace *t, struct router *r, struct gather *g)
{
	struct history_stat stat;
	t->has_history = true;
	history_sync(r->history, SYNC_MS);
	history_stat(r->history, &stat);
	t->unwritten = stat.lost;
	t->history_failed = history_read(history_folder(r->history), gather_entry, g, &t->history);
}

/* The history has nothing of it, or no more. */
static int search(struct trace *t, struct router *r, trace_caller *on_router, const char *id)
{
	struct trace_found found;
	int failed = trace_search(r, on_router, id, &found);
	for (size_t i = 0; i < found.n; i++)
		if (find_event(t, found.seqs[i]) == NULL)
			add_event(t, found.seqs[i]);
	t->cut = t->cut || found.cut;
	return failed;
}

int trace_find(struct router *r, trace_caller *on_router, const char *id, uint64_t seq, struct trace *t)
{
	struct trace_call call = { .call.run = flush, .router = r };
	struct gather g = { .t = t, .hash = id != NULL ? history_hash(id) : 0 };
	*t = (struct trace){ 0 };
	if (id == NULL)
		add_event(t, seq);
	int failed = on_router(&r->inbox, &call.call);
	if (failed == 0 && r->history != NULL)
		read_history(t, r, &g);
	if (failed == 0 && id != NULL && t->n == 0)
		failed = search(t, r, on_router, id);
	if (t->n > 0)
		qsort(t->events, t->n, sizeof *t->events, compare_events);
	if (failed == 0)
		failed = load_events(t, r, on_router, id);
	if (failed == 0)
		failed = give_names(t, r, NAME_SOURCE);
	if (failed == 0)
		failed = look_all(t, r, on_router);
	return failed == 0 ? give_names(t, r, NAME_LANE) : failed;
}

int dispatch_trace(struct dispatch *d, const char *id, uint64_t seq, struct trace *t)
{
	return trace_find(&d->router, inbox_call, id, seq, t);
}
