/*
 * reload.h - one configuration for another while the engine runs.
 *
 * The main thread makes and opens what is new, numbers what has no number yet, and lets changed sources go over to
 * their new instances (reload.c). Then one call on the router's thread is the barrier (reload-switch.c): what was
 * committed before is matched by the old routes, all after it by the new ones. What the old configuration leaves behind
 * ends by itself (retire.c, leave.c). Until the barrier everything can be undone.
 */
#ifndef DISPATCH_RELOAD_H
#define DISPATCH_RELOAD_H

#include "config/merge.h"
#include "dispatch/engine.h"
#include "dispatch/names.h"

/* Replace `old`, which the engine runs by, with `now`, which is checked. True: `old` is freed, `now` is the engine's
 * until it is freed itself, after the engine. False with everything wrong in the report: all is as it was, `now` is the
 * caller's. `changes`, to be freed in any case, has what differs. Main thread. */
bool dispatch_reload(struct dispatch *, struct config *now, struct config *old, struct loader *, struct report *,
		     struct config_changes *changes);
/* What can change while it runs does: `now` is the configuration's [patchbay]. Main thread. */
void dispatch_limits(struct dispatch *, size_t memory, int64_t shutdown_ms, const struct keep *);

/* For reload.c and reload-switch.c: everything that runs after the barrier, in the order of the configuration. */
struct reload {
	struct inbox_call call;
	struct dispatch *d;
	struct config *now, *old;
	struct loader *loader;
	struct report *report;
	struct feed **feeds;
	struct outlet **outlets;
	struct stage **stages;
	struct route **routes;
	uint32_t **lanes;		/* numbers, by route */
	size_t n_feeds, n_outlets, n_stages, n_routes, n_lanes;
	struct listen_pool pool;	/* sockets of sources that stopped */
	struct state_batch rows;	/* of new names */
	struct names names;
	uint64_t save;			/* that has the rows */
	bool saved;
	struct outlet **late, **closed;	/* new ones that are still to be opened; old ones that were closed for them */
	size_t n_late, n_closed;
	struct outlet *outlet;		/* reload_pause() */
	bool pause, idle;
	uint32_t alarms_origin;
	bool alarms_wanted;
};

/* reload-sinks.c. Open what could not be opened yet, its predecessors having been closed; what is wrong goes to the report. */
void reload_sinks(struct reload *);
/* The predecessors are opened again. */
void reload_sinks_undo(struct reload *);
/* May it be that the new sink can be opened only when an old one is closed? */
bool reload_may_wait(const struct reload *, const struct outlet *);
/* Is the section of the old configuration gone or another now? */
bool reload_goes(const struct config_instance *);
/* Open the new sink, and let its thread know it. */
bool reload_open_outlet(struct reload *, struct outlet *, struct report *);

/* Calls on the router's thread. New names are on their way to the disk; lanes that leave pause. */
void reload_number(struct inbox_call *);
/* Are they there? Else wait. */
void reload_wait(struct inbox_call *);
/* The outlet is given nothing, or again; is nothing under way? */
void reload_pause(struct inbox_call *);
/* The barrier. */
void reload_switch(struct inbox_call *);
/* It does not come to it. */
void reload_cancel(struct inbox_call *);

#endif
