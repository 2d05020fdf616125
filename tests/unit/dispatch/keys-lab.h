/* keys-lab.h - what the tests of order_by share: events with keys, and what a sink has seen of them. */
#ifndef UNIT_DISPATCH_KEYS_LAB_H
#define UNIT_DISPATCH_KEYS_LAB_H

#include "unit/dispatch/lab.h"

#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "event/event.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define SINK HEAD "[sink s0]\nplugin = script_async\nretry = 10s, 10s, 10s, 10s\nbreaker_failures = 0\n"
#define ROUTE "[route r]\nto = s0\n"
#define KEYED SINK "order_by = subject\n" ROUTE
#define FREE SINK ROUTE

/* An event of its own type, so that what a sink has seen says which it was; `key` may be NULL. */
static inline void emit(struct lab *lab, const char *type, const char *key, const char *body)
{
	struct feed *f = lab->d->feeds[0];
	struct pb_event *ev = pb_event_new(&f->self, span_str(body));
	pb_event_set(ev, "type", type);
	if (key != NULL)
		pb_event_set(ev, "subject", key);
	assert_int_equal(feed_emit(f, &ev, 1, NULL, (void *)type), 0);
	feed_commit(f);
	lab_settle(lab);
}

/* Many of one key: "TYPE0", "TYPE1", … */
static inline void emit_many(struct lab *lab, const char *type, const char *key, const char *body, int n)
{
	for (int i = 0; i < n; i++) {
		char name[32];
		snprintf(name, sizeof name, "%s%d", type, i);
		emit(lab, name, key, body);
	}
}

static inline void expect_seen(struct lab *lab, const char *seen)
{
	assert_string_equal(lab->sinks[0].seen, seen);
	lab->sinks[0].seen[0] = '\0';
}

/* "TYPE0/1 TYPE1/1 …", and nothing else of that type. */
static inline void expect_all_in_order(struct lab *lab, const char *type, int n)
{
	const char *at = lab->sinks[0].seen, *found;
	char name[32];
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s%d/1 ", type, i);
		found = strstr(at, name);
		if (found == NULL)
			fail_msg("%s is not where it belongs: %s", name, lab->sinks[0].seen);
		at = found + strlen(name);
	}
	snprintf(name, sizeof name, "%s%d/", type, n);
	assert_null(strstr(lab->sinks[0].seen, name));
}

static inline struct lane *the_lane(struct lab *lab)
{
	return lab_lane(lab, "r s0");
}

/* All is settled, and nothing is remembered of any key. */
static inline void expect_rest(struct lab *lab)
{
	struct lane *lane = the_lane(lab);
	lab_wait(lab, 3000);
	assert_int_equal(lane->stragglers, 0);
	assert_int_equal(lane->count, 0);
	assert_int_equal(lane->n_loose, 0);
	assert_int_equal(lane->n_held, 0);
	assert_null(lane->keys);
	assert_null(lane->keys_first);
}

#endif
