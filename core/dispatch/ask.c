/* ask.c - what an operator asks, done on the router's thread. */
#include "dispatch/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dispatch/engine.h"

struct change_call {
	struct inbox_call call;
	struct router *router;
	struct dead_change *change;
};

static void run_change(struct inbox_call *call)
{
	struct change_call *cc = (struct change_call *)call;
	dead_change(cc->router, cc->change);
	if (cc->change->done > 0)
		save_call(cc->router, call);
}

int dispatch_dead_change(struct dispatch *d, struct dead_change *change)
{
	struct change_call cc = { .call.run = run_change, .router = &d->router, .change = change };
	return inbox_call(&d->router.inbox, &cc.call);
}

struct sinks_call {
	struct inbox_call call;
	struct router *router;
	struct sink_status *list;
	size_t n;
};

static void add_lanes(struct sink_status *st, const struct outlet *o)
{
	for (size_t i = 0; i < o->n_lanes; i++) {
		const struct lane *lane = o->lanes[i];
		st->behind += o->router->next - lane_watermark(lane);
		st->stragglers += lane->stragglers;
		st->dead += lane->dead;
		st->purged += lane->purged;
	}
}

static void list_sinks(struct inbox_call *call)
{
	struct sinks_call *sc = (struct sinks_call *)call;
	struct router *r = sc->router;
	sc->list = xcalloc(r->n_outlets + 1, sizeof *sc->list);
	for (size_t i = 0; i < r->n_outlets; i++) {
		const struct outlet *o = r->outlets[i];
		struct sink_status *st = &sc->list[sc->n++];
		*st = (struct sink_status){
			.name = o->config->name, .plugin = o->config->plugin, .mode = o->stand.mode,
			.state = sink_state_name(o), .since_ms = o->stand.since_ms,
			.failing_ms = sink_failing(o), .in_flight = o->in_flight,
		};
		memcpy(st->why, o->stand.why, sizeof o->stand.why);
		memcpy(st->failure, o->reason, sizeof o->reason);
		add_lanes(st, o);
	}
}

int dispatch_sinks(struct dispatch *d, struct sink_status **list, size_t *n)
{
	struct sinks_call sc = { .call.run = list_sinks, .router = &d->router };
	int failed = inbox_call(&d->router.inbox, &sc.call);
	*list = sc.list;
	*n = sc.n;
	return failed;
}

struct set_call {
	struct inbox_call call;
	struct router *router;
	const char *name, *why;
	enum sink_mode mode;
	int result;
};

static void set_sink(struct inbox_call *call)
{
	struct set_call *sc = (struct set_call *)call;
	struct router *r = sc->router;
	sc->result = -ENOENT;
	for (size_t i = 0; i < r->n_outlets && sc->result == -ENOENT; i++)
		if (strcmp(r->outlets[i]->config->name, sc->name) == 0)
			sc->result = sink_set(r->outlets[i], sc->mode, sc->why) ? 0 : -EALREADY;
	if (sc->result == 0)
		save_call(r, call);
}

int dispatch_sink_set(struct dispatch *d, const char *name, enum sink_mode mode, const char *why)
{
	struct set_call sc = {
		.call.run = set_sink, .router = &d->router, .name = name, .why = why, .mode = mode,
	};
	int failed = inbox_call(&d->router.inbox, &sc.call);
	return failed != 0 ? failed : sc.result;
}

struct retry_call {
	struct inbox_call call;
	struct router *router;
	const char *name;
	struct sink_retried *did;
	int result;
};

static void retry_sink(struct inbox_call *call)
{
	struct retry_call *rc = (struct retry_call *)call;
	struct router *r = rc->router;
	rc->result = -ENOENT;
	for (size_t i = 0; i < r->n_outlets && rc->result == -ENOENT; i++)
		if (strcmp(r->outlets[i]->config->name, rc->name) == 0)
			rc->result = sink_retry(r->outlets[i], rc->did);
}

int dispatch_sink_retry(struct dispatch *d, const char *name, struct sink_retried *did)
{
	struct retry_call rc = { .call.run = retry_sink, .router = &d->router, .name = name, .did = did };
	int failed = inbox_call(&d->router.inbox, &rc.call);
	return failed != 0 ? failed : rc.result;
}
