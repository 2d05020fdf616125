/*
 * chain.h - a route's filters: an event goes from one to the next on their own threads.
 *
 * A stage is one filter section: its workers take jobs from one queue. A job is one
 * event of one route and the slots that wait for it; when it is through, or has failed, it comes
 * back by the inbox. Order is the lanes' business: a slot waits in its place.
 */
#ifndef DISPATCH_CHAIN_H
#define DISPATCH_CHAIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "dispatch/inbox.h"
#include "plugin/instance.h"

struct route;
struct slot;

#define CHAIN_PARTS_MAX 1024	/* events that filters may make of one */

/* Events in order, a reference each. */
struct parts {
	struct pb_event **list;
	size_t n, room;
};
void parts_add(struct parts *, struct pb_event *);
void parts_free(struct parts *);

struct chain_job {
	struct chain_job *next;
	struct route *route;		/* whose job it is: the router's */
	struct stage *const *stages;	/* the route's */
	size_t n_stages, at;		/* which is next */
	struct inbox *inbox;
	const struct pb_event *event;	/* what it began with */
	struct slot **slots;		/* the router's */
	size_t n_slots;
	struct parts in, out;		/* of the present stage; `in` is the result at the end */
	int failed;			/* 0, -EAGAIN or -EBADMSG */
	char reason[512];		/* with the filter's name */
};

/* A worker of a stage: an instance with a thread. */
struct stage_worker {
	struct pb_self self;
	struct stage *stage;
	pthread_t thread;
	bool started;
	struct chain_job *job;		/* at work on; pb_pass() adds to its `out` */
	struct pb_event *own;		/* the copy that apply() was given, NULL once it was passed */
};

struct stage {
	struct config_instance *config;
	struct stage_worker *workers;
	size_t n_workers;
	pthread_mutex_t lock;		/* guards the queue and `stopping` */
	pthread_cond_t wake;
	struct chain_job *first, **last;
	size_t n_waiting;		/* jobs in the queue */
	bool stopping;
	_Atomic uint64_t events, passed, failures, in_flight;	/* in_flight: jobs queued or at work */
};

/* Workers without threads, their instances not opened. All arguments must outlive it. */
void stage_init(struct stage *, struct config_instance *, struct plugin_use *,
		const struct instance_env *);
/* The same with `n` workers. */
void stage_init_some(struct stage *, struct config_instance *, struct plugin_use *, const struct instance_env *, size_t n);
/* Instances must be closed and threads ended; jobs left in the queue are freed. */
void stage_fini(struct stage *);
int stage_start(struct stage *);
/* Ask the workers to end after their present job. */
void stage_stop(struct stage *);
/* How many jobs wait. [any] */
size_t stage_waiting(struct stage *);
/* Wait for that until `deadline` (monotonic ms). False: one is still inside the plugin. */
bool stage_join(struct stage *, int64_t deadline);

/* A job of the route for `event` (a reference is taken) and the slots; the list is copied. Router's thread. */
struct chain_job *chain_job_new(struct route *, struct inbox *, const struct pb_event *event,
				struct slot *const slots[], size_t n);
/* One for the one stage, of no route. */
struct chain_job *chain_job_alone(struct stage *const stage[static 1], struct inbox *, const struct pb_event *);
void chain_job_free(struct chain_job *);
/* Send it on its way. The job is the stages' until it comes by the inbox. */
void chain_submit(struct chain_job *);

/* What a worker's thread does, once: take a job through the filter. False when there is none. Tests without threads call it. */
bool stage_step(struct stage_worker *);
/* pb_pass() */
void stage_pass(struct pb_self *, struct pb_event *);

#endif
