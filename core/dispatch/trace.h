/*
 * trace.h - where is an event, and what became of it: from the router, the state, and the history.
 *
 * The history knows which numbers an id had, and what has happened; the router and the state know how it
 * stands now. All of it is copied: in short calls on the router's thread, and by reading the history on the
 * thread of whoever asks.
 */
#ifndef DISPATCH_TRACE_H
#define DISPATCH_TRACE_H

#include "dispatch/dispatch.h"
#include "dispatch/inbox.h"
#include "state/history.h"
#include "state/rows.h"

struct router;

#define TRACE_EVENTS_MAX 64	/* that have one id */
#define TRACE_STEPS_MAX 32768	/* entries of the history, of all of them */

enum trace_where {
	TRACE_SETTLED,		/* nothing is left to be done on the lane */
	TRACE_BACKLOG,		/* the lane has not come to it yet: `ahead` are before it, whoever's they are */
	TRACE_FILTERING,
	TRACE_READY,		/* waits for its turn, `ahead` before it */
	TRACE_FLYING,		/* with the sink */
	TRACE_WAITING,		/* for its next attempt, at due_ms */
	TRACE_HELD,		/* for an earlier event of its key */
	TRACE_PARKED,		/* for its turn in the lane's order, out of the journal; not before due_ms */
	TRACE_SAVING,		/* answered; that is on its way to the disk */
	TRACE_DEAD,
};
/* "settled", "backlog", … */
const char *trace_where_name(enum trace_where);

/* One lane that the event is or was on. Text is the trace's own. */
struct trace_lane {
	char *route, *sink;
	uint32_t number;		/* names table */
	bool wanted;			/* its route wants it, as it was when the event was accepted if that is still known;
					 * else only rows or the history know of it */
	enum trace_where where;
	uint32_t attempts;		/* made, of what is not settled */
	uint32_t attempts_max;		/* 0: not known */
	int64_t due_ms;			/* wall clock; 0: none */
	uint64_t ahead;
	uint64_t behind;		/* HELD, PARKED: for the event with this number; 0: not known */
	enum dead_reason reason;
	int64_t dead_ms;
	char *error;			/* the last, NULL: none */
	const char *held;		/* how the sink stands, unless it is running; else NULL */
	size_t first_step, n_steps;	/* of the event's */
};

struct trace_route {
	char *name;
	bool matches;
	char *why;			/* it does not; else NULL */
};

struct trace_step {
	struct history_entry entry;	/* its spans point into `text` */
	char *text;
	size_t order;			/* as it was read */
};

struct trace_event {
	uint64_t seq;
	const struct pb_event *event;	/* as it is stored; NULL: it is gone */
	bool kept;			/* stored in the state, its segment being gone */
	uint32_t origin;		/* 0: not known */
	char *source;			/* the section's name; NULL: not known */
	char *sender;			/* who sent it, as the source has it; NULL: not known */
	char *type;			/* NULL: not known */
	int64_t accepted_ms;		/* wall clock; 0: not known */
	bool by_then;			/* accepted_ms is the latest that it can have been */
	bool reconfigured;		/* a configuration came into force after it was accepted … */
	int64_t configured_ms;		/* … the last one at that time */
	struct trace_route *routes;	/* all that are configured; none when its type is not known */
	size_t n_routes;
	struct trace_lane *lanes;
	size_t n_lanes;
	struct trace_step *steps;	/* by lane (0: of the event as such), each in the order of time */
	size_t n_steps;
};

struct trace {
	struct trace_event *events;	/* in the order they came */
	size_t n;
	bool has_history;
	int history_failed;		/* 0, or -errno: it cannot be read, and all else is here nonetheless */
	struct history_found history;
	uint64_t unwritten;		/* entries that its disk did not take, since the start */
	bool cut;			/* there is more than fits */
};

/* What is known of the events with the id, or, with `id` NULL, of the one with the number. 0, also when there is none;
 * -EAGAIN: no router; -errno. trace_free() in any case. [any but the router's] */
int dispatch_trace(struct dispatch *, const char *id, uint64_t seq, struct trace *);
/* The same with the way to run on the router's thread: inbox_call(). */
typedef int trace_caller(struct inbox *, struct inbox_call *);
int trace_find(struct router *, trace_caller *, const char *id, uint64_t seq, struct trace *);
void trace_free(struct trace *);

/* trace-search.c, for trace.c: the numbers of the events with the id that are kept or in the journal, for some seconds at most: then it
 * is cut. 0 or -errno. As trace_find(). */
struct trace_found {
	uint64_t seqs[TRACE_EVENTS_MAX];
	size_t n;
	bool cut;
};
int trace_search(struct router *, trace_caller *, const char *id, struct trace_found *);

/* trace-look.c, for trace.c: how the event stands, as far as one call may go on; *at is where the next goes on. True when
 * there is more. The router's thread. */
struct trace_place {
	size_t route, lane, leaving, removed;
};
bool trace_look(struct router *, struct trace_event *, struct trace_place *at);

#endif
