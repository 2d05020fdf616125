/*
 * host.h - what the files of the host share.
 *
 * The host stands where core/dispatch stands in the daemon: it sees what is below that, never
 * dispatch itself. One lock a host guards what both the test and a thread of the
 * plugin look at; it is never held over a call of the plugin.
 */
#ifndef TESTING_HOST_H
#define TESTING_HOST_H

#include <pthread.h>
#include <stdatomic.h>

#include <patchbay/testing.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/thread.h"
#include "plugin/descriptor.h"
#include "plugin/instance.h"

struct census;		/* census.c */
struct store;		/* store.c */
struct outlet;		/* sink.c */
struct stage;		/* filter.c */
struct feed;		/* feed.h */

#define HOST_CLOCK_BEGIN INT64_C(1767225600000)	/* 2026-01-01T00:00:00Z */

/* The host's clock: stands still, or goes on with the machine's. */
struct host_clock {
	struct clock clock;
	_Atomic int64_t passed;		/* ms, while it stood still */
	_Atomic int64_t since;		/* the machine's, when it was let run; -1: it stands still */
};

struct pbt_host {
	unsigned magic;
	struct census *before;
	void *object;			/* dlopen()'s, NULL for a linked plugin */
	struct descriptor *descriptor;
	const struct pb_plugin *plugin;
	struct host_clock clock;
	struct metrics metrics;
	struct instance_env env;	/* by which a pb_self finds its host */
	struct plugin_use *use;
	char *errors;			/* of the last pbt_open() */
	struct pbt_instance *first;	/* open ones, the newest first */
	_Atomic(const struct pb_self *) opening;	/* inside its open() */
	struct store *stores;
	struct pb_delivery *deliveries;	/* of all sinks, also closed ones */
	struct buf complaints;		/* lines */
	int n_complaints;
	pthread_t tester;
	pthread_mutex_t lock;		/* guards the log, answers, and what feed.h says */
	pthread_cond_t changed;		/* any of that */
	struct buf log;
};

struct pbt_instance {
	unsigned magic;
	struct pbt_instance *next;
	struct pbt_host *host;
	struct config_instance *config;
	struct pb_self self;
	size_t n_metrics;		/* there were after open() */
};

/* End the program: the plugin does what it must not, or the test. `who` may be NULL. */
void misuse(const struct pb_self *who, const char *fmt, ...) PB_PRINTF(2, 3)
	__attribute__((noreturn));
/* Something to be told at pbt_free(). */
void complain(struct pbt_host *, const struct pb_self *who, const char *fmt, ...) PB_PRINTF(3, 4);

/* By its env; a self always has it. [any] */
struct pbt_host *host_of(const struct pb_self *);
/* Ends the program when it is of another kind; `call` is what the test called. */
void must_be(const struct pbt_instance *, enum config_kind, const char *call);
/* Wait for `done(arg)`, asked with the lock held, up to `ms`. */
bool host_wait(struct pbt_host *, bool (*done)(void *arg), void *arg, int64_t ms);

/* The clock, standing still. */
void host_clock_init(struct host_clock *);

/* The descriptors and threads of this process. */
struct census *census_take(void);
/* Has each thread ended that was not there then? Those that are about to are waited for. */
bool census_threads_ended(const struct census *);
/* Complain of what is there now and was not then. */
void census_compare(const struct census *, struct pbt_host *);
void census_free(struct census *);

/* Whose an event is: the ledger has those that somebody other than the host may free. */
enum owner {
	OWNER_PLUGIN,		/* made, not handed over */
	OWNER_CORE,		/* apply()'s, to be changed or passed */
	OWNER_TEST
};
void ledger_add(struct pb_event *, struct pbt_host *, const struct pb_self *who, enum owner);
/* Take it out. Misuse when it is not there: handed over, or freed. `what` begins the line: the call. */
enum owner ledger_take(struct pb_event *, const struct pb_self *who, const char *what);
/* Likewise, but it stays. */
void ledger_check(const struct pb_event *, const char *what);
/* The end: complain of the plugin's, free all that are left. */
void ledger_settle(struct pbt_host *);

/* Is this call the one that is to fail? Counts it. */
bool call_fails(enum pbt_call);

/* The pieces that each kind of instance has: made before open(), ended after close(). */
void feed_new(struct pbt_instance *);
void feed_free(struct pbt_instance *);
void feed_reopen(struct pbt_instance *);
/* A commit that is held goes on. */
void feed_let_go(struct pbt_instance *);
void outlet_new(struct pbt_instance *);
/* Stop, and wait until all is answered. */
void outlet_finish(struct pbt_instance *);
void outlet_free(struct pbt_instance *);
void deliveries_free(struct pbt_host *);
void stage_new(struct pbt_instance *);
void stage_free(struct pbt_instance *);

/* What is stored of a source's name. */
struct store *store_of(struct pbt_host *, const char *source);
void stores_free(struct pbt_host *);

#endif
