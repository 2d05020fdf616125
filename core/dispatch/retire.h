/*
 * retire.h - what earlier configurations left behind: sinks with deliveries out, filters with jobs, routes of those jobs.
 *
 * It belongs to the router's thread until nothing refers to it. Then the main thread closes and frees it: it is told by
 * `wake` of the engine's environment.
 */
#ifndef DISPATCH_RETIRE_H
#define DISPATCH_RETIRE_H

#include "dispatch/router.h"

struct dispatch;

struct retired {
	struct outlet **outlets;
	struct stage **stages;
	struct route **routes;
	size_t n_outlets, n_stages, n_routes;
};

/* They are of no route or configuration any more, but for what is under way; each owns its part of the configuration. The
 * router's thread. */
void retire_outlet(struct retired *, struct router *, struct outlet *);
void retire_stage(struct retired *, struct stage *);
void retire_route(struct retired *, struct route *);
/* Ask the plugin of one with submit() to answer what is under way. Its sender's thread has ended. */
void retire_end(struct outlet *);
/* Every second: say of a sink, once, that its plugin stays away. The router's thread. */
void retire_watch(const struct retired *);
/* Close and free what has ended, also what is half made. Its threads get until `deadline` (monotonic ms). Main thread. */
void retire_bury(struct dispatch *, int64_t deadline);
/* At a stop: ask the threads of all that is left to end, and wait for them. False: one stays inside its plugin. Main thread;
 * the router has ended. */
bool retire_stop(struct dispatch *, int64_t deadline);
/* Free all that is left, the threads having ended. */
void retire_free(struct dispatch *);

#endif
