/*
 * alarms.h - events about itself, from the built-in source `patchbay`.
 *
 * Whatever happens to a sink, a delivery or the store can be routed like any other event. They wait in
 * a bounded queue for a thread of their own that commits them; when the queue or the store is
 * full they are counted and let go: telling never blocks what is told of. What became of an alarm
 * itself is never told, so they cannot cause themselves.
 */
#ifndef DISPATCH_ALARMS_H
#define DISPATCH_ALARMS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <patchbay/plugin.h>

#include "base/buf.h"

#define ALARMS_MAX 1000		/* that wait */
#define ALARM_BODY_MAX 4096	/* bytes */

struct alarm {
	struct alarm *next;
	const char *type;	/* "patchbay.sink.down" */
	int64_t time_ms;
	struct buf body;	/* a JSON object */
};

struct alarms {
	pthread_mutex_t lock;	/* guards the queue */
	struct alarm *first, **last;
	size_t n;
	uint64_t lost;		/* since the start */
	_Atomic bool wanted;	/* some route takes them */
	int wake_fd;
};

/* The plugin behind the source; its instances' shared object is the alarms. */
extern const struct pb_plugin alarms_plugin;

/* Main thread. */
void alarms_init(struct alarms *);
void alarms_fini(struct alarms *);
/* Tell: the members are "name", value pairs of text, the list ends with NULL; a NULL value leaves its member
 * out. Cheap when nobody wants it. [any] */
void alarms_tell(struct alarms *, const char *type, int64_t time_ms, const char *name, ...)
	__attribute__((sentinel));
/* What the thread does, once: emit what waits. False when nothing did. */
bool alarms_step(struct alarms *, struct pb_self *);
/* How many were let go since the start. [any] */
uint64_t alarms_lost(struct alarms *);

#endif
