/*
 * zone.h - time zones, read from the system's files (RFC 8536), whatever the process's own is.
 *
 * Seconds are since 1970 UTC; an offset is what local time is ahead of UTC, in seconds.
 */
#ifndef TIMER_ZONE_H
#define TIMER_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone;

/* A stretch of time with one offset: begin <= t < end. */
struct zone_span {
	int64_t begin, end;	/* INT64_MIN, INT64_MAX: without end */
	int32_t offset, before;	/* and that of the span before; the same when there is none */
};

/* "UTC", "local" ($TZ, else /etc/localtime) or "Area/City". The caller's; NULL with a line in `why`. */
struct zone *zone_open(const char *name, char *why, size_t size);
void zone_free(struct zone *);
/* The span that `t` is in. */
struct zone_span zone_at(const struct zone *, int64_t t);

/* For zone-rule.c: from `begin` on the offset is this one, whatever was said of that time before. False: no memory. */
bool zone_add(struct zone *, int64_t begin, int32_t offset);
/* zone-rule.c: put a POSIX TZ rule ("CET-1CEST,M3.5.0,M10.5.0/3") to work from after `from` to the year 2200. False:
 * not one, or no memory. */
bool zone_rule(struct zone *, const char *rule, int64_t from);

#endif
