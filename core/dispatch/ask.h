/*
 * ask.h - what an operator may ask of a running engine beside its status: dead letters and sinks.
 *
 * For any thread but the router's. Dead letters are searched on the caller's thread, in bounded
 * pieces that go on from a key, and only their events are read on the router's; what changes something runs on the router's, a few hundred rows a call, and
 * returns when it is on disk (or after a second, when the disk lets it wait).
 */
#ifndef DISPATCH_ASK_H
#define DISPATCH_ASK_H

#include "dispatch/dispatch.h"
#include "state/rows.h"

/* What to look for; NULL or 0: any. */
struct dead_filter {
	const char *sink, *route;
	const char *type;		/* a glob */
	const char *id;
	enum dead_reason reason;
	int64_t since_ms, until_ms;	/* when it died, wall clock: from, and before */
	bool events;			/* what is found is handed out with its event */
};

struct dead_letter {
	struct delivery_key key;
	const char *route, *sink;
	bool configured;		/* the lane is in the configuration: it can be replayed */
	struct dead_row row;
	const struct pb_event *event;	/* NULL: it is lost, or was not asked for */
};

/* A piece of the search, from *at on, which moves on: for each letter that fits, at most `most`, in order of lane
 * and event; what `each` is given is gone when it returns. 1: there may be more; 0: that was all;
 * -ENOENT: no lane was ever named like that; -errno. */
int dispatch_dead_find(struct dispatch *, const struct dead_filter *, struct delivery_key *at, size_t most,
		       void (*each)(void *arg, const struct dead_letter *), void *arg);

#define DEAD_CHANGE_MAX 256
struct dead_change {
	bool replay;			/* else purge */
	const struct delivery_key *keys;	/* at most DEAD_CHANGE_MAX */
	size_t n;
	/* The answer; what is in none of them was gone before. */
	size_t done;
	size_t removed;			/* cannot be replayed: the lane is not configured */
	size_t waiting;			/* their lane has not passed them yet: try later */
	bool full;			/* the state takes nothing at present: stopped before the end */
};
/* 0, or -EAGAIN when the engine is not running. */
int dispatch_dead_change(struct dispatch *, struct dead_change *);

struct sink_status {
	const char *name, *plugin;	/* the configuration's */
	enum sink_mode mode;
	const char *state;		/* as in instance_status */
	int64_t since_ms;		/* wall clock of the last change of mode, 0: there was none */
	int64_t failing_ms;		/* so long it has done nothing but fail, 0: it does not */
	uint64_t behind, stragglers, dead, purged, in_flight;
	char why[256];			/* of the mode */
	char failure[256];		/* the present one, "": it delivers */
};
/* All sinks, in the order of the configuration; the list is the caller's to free(). 0 or -EAGAIN. */
int dispatch_sinks(struct dispatch *, struct sink_status **list, size_t *n);
/* What came of dispatch_sink_retry(). */
struct sink_retried {
	uint64_t waiting;	/* deliveries that waited for their next attempt */
	bool probe;		/* the sink was down: one goes out, and the others if it works */
};
/* What waits for the sink is tried now. 0, -ENOENT, -ESHUTDOWN: it is disabled; -EAGAIN. [any] */
int dispatch_sink_retry(struct dispatch *, const char *name, struct sink_retried *);
/* Change a sink's mode. 0; -ENOENT: there is no such sink; -EALREADY: it is in that mode; -EAGAIN. */
int dispatch_sink_set(struct dispatch *, const char *name, enum sink_mode, const char *why);

#endif
