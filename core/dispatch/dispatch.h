/*
 * dispatch.h - the engine: what is accepted is committed, routed, delivered, settled.
 *
 * Sources' threads emit and commit (feed.c, commit.c). One thread, the router's, owns
 * routes, lanes, slots and outlets and takes turns (router.c): it matches what was
 * committed, hands deliveries to the sinks' threads (outlet.c), settles their answers
 * (settle.c), and catches lanes up from the journal (catchup.c). A saver thread writes
 * the state (saver.c). The rest hands over to the router through its inbox and never
 * touches what it owns. Nothing here knows a transport, a file format or the INI.
 */
#ifndef DISPATCH_DISPATCH_H
#define DISPATCH_DISPATCH_H

#include "config/config.h"
#include "config/keep.h"
#include "dispatch/ending.h"
#include "dispatch/status.h"
#include "journal/journal.h"
#include "plugin/instance.h"
#include "plugin/loader.h"
#include "state/state.h"

struct dispatch;
struct inbox;
struct inbox_call;
struct history;

struct dispatch_env {
	struct instance_env instance;
	struct journal *journal;
	struct state *state;
	struct history *history;	/* what becomes of each event goes there; NULL: nowhere */
	struct keep keep;		/* of what is delivered */
	uint64_t max_size;		/* bytes that the store may have, 0: no limit */
	size_t memory;			/* bytes of committed events kept for the router */
	struct ending ending;		/* of the process, on an I/O error */
	int64_t shutdown_ms;		/* what is in flight at a stop gets this long */
	/* Optional: something that an earlier configuration left behind has ended, or a source has come to its end: call
	 * dispatch_bury() and dispatch_progress(). [the router's thread, or a source's] */
	void (*wake)(void *arg);
	void *wake_arg;
	/* Where there is no router's thread: run the call, and return when it is done. NULL: inbox_call(). */
	int (*on_router)(struct inbox *, struct inbox_call *);
};

/* Build the engine for a checked configuration, and bring the state up to the journal. Both and what `env`
 * points to must outlive it. NULL after error_add(). */
struct dispatch *dispatch_new(const struct config *, struct loader *, const struct dispatch_env *,
			      struct pb_error *);
/* Open every instance (sinks, filters, then sources). False with everything wrong in the report; what
 * was opened is closed again. Main thread. */
bool dispatch_open(struct dispatch *, struct report *);
/* Start the threads. 0 or -errno. */
int dispatch_start(struct dispatch *);
/* Stop: sources first, then what is in flight within shutdown_ms, the rest stays on disk; who was late is
 * logged. True when all stopped in time. Main thread. */
bool dispatch_stop(struct dispatch *);
/* Close what is open and free; after dispatch_stop(), or when it was never started. */
void dispatch_free(struct dispatch *);
/* A reload took effect, or was refused. [any] */
void dispatch_note_reload(struct dispatch *, bool right);
enum dispatch_progress {
	DISPATCH_RUNS,		/* some source may still bring something */
	DISPATCH_ENDS,		/* none will, and not all of what they brought is delivered yet */
	DISPATCH_DELIVERED,	/* all is, or was filtered */
	DISPATCH_DIED		/* none is on its way, but this run has had dead letters, or something could not be stored */
};
/* How far an engine is whose sources come to an end by themselves. Main thread. */
enum dispatch_progress dispatch_progress(struct dispatch *);
/* Close and free what earlier configurations left behind and has ended. Main thread. */
void dispatch_bury(struct dispatch *);
/* What dispatch_status(), dispatch_ages() and dispatch_sinks() tell points into the configuration: whoever reads it holds this
 * meanwhile, which only puts off the end of an earlier one. [any but the router's] */
void dispatch_read_begin(struct dispatch *);
void dispatch_read_end(struct dispatch *);
/* SIGHUP: every instance opens again by name what it holds. [any] */
void dispatch_reopen(struct dispatch *);
/* What its instances register their own counters in. [any] */
struct metrics *dispatch_metrics(struct dispatch *);

#endif
