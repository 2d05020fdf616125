/*
 * metric.h - counters and gauges, one atomic number each, in one registry.
 *
 * A metric belongs to a set (an instance's); the set's end frees it. Adding is one
 * relaxed atomic; reading walks all sets under the registry's lock.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <patchbay/plugin.h>

struct pb_metric {
	struct pb_metric *next;
	char *name, *help;
	bool gauge;
	_Atomic int64_t value;
};

struct metric_set {
	struct metric_set *next, **at;	/* what points to it */
	struct metrics *in;
	const char *kind, *instance, *plugin;	/* labels: the owner's strings */
	struct pb_metric *first;
	bool hidden;		/* left out by metrics_each() */
};

struct metrics {
	pthread_mutex_t lock;	/* guards the sets' list and each set's */
	struct metric_set *first, **end;
};

/* An empty registry. Main thread. */
void metrics_init(struct metrics *);
/* Its end; every set has been closed. Main thread. */
void metrics_free(struct metrics *);
/* Add an empty set to the registry; `set` is the caller's memory and stays where it is. [any] */
void metric_set_open(struct metric_set *, struct metrics *, const char *kind,
		     const char *instance, const char *plugin);
/* Take the set out and free its metrics, which nobody may touch any more. [any] */
void metric_set_close(struct metric_set *);
/* Of two sets with the same labels only one is shown. [any] */
void metric_set_hide(struct metric_set *, bool hide);
/* The set's metric of that name, made when it is not there yet; a name is a counter or a gauge,
 * never both. Never NULL: out of memory ends the process. [any] */
struct pb_metric *metric_get(struct metric_set *, const char *name, const char *help, bool gauge);
/* The set's metric of that name, or NULL. [any] */
struct pb_metric *metric_find(struct metric_set *, const char *name);
/* Call `each` for every metric that is not hidden, under the lock: it must not open, close or get. [any] */
void metrics_each(struct metrics *, void (*each)(void *arg, const struct metric_set *,
						  const struct pb_metric *), void *arg);

#endif
