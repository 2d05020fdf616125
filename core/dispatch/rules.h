/*
 * rules.h - what a lane takes: its route's sources and globs, and up to where it took something else.
 *
 * A route that changes, at a reload or over a restart, does so at a barrier: events before it are matched as the
 * route was when they were accepted, however much later a lane comes to them. So each rule is kept in the
 * state (table `routes`), and the older ones until the lane's watermark has passed them. The router's thread, as all of a
 * lane.
 */
#ifndef DISPATCH_RULES_H
#define DISPATCH_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "state/rows.h"

struct config_route;
struct lane;
struct pb_event;
struct router;

struct rule {
	struct rule *next;	/* of a lane's earlier ones: the one after it */
	uint64_t until;		/* the first event that it does not count for; ROUTE_PRESENT: none */
	size_t from_len, globs_len;
	char bytes[];		/* as in the row: sources, globs */
};

/* What the route says; its `from` have the numbers `from`, config->n_from of them. */
struct rule *rule_new(const struct config_route *config, const uint32_t from[]);
/* What the row says. */
struct rule *rule_load(const struct route_row *);
/* One that takes nothing. */
struct rule *rule_none(uint64_t until);
void rules_free(struct rule *first);
bool rule_same(const struct rule *, const struct rule *);
/* The number of the `i`th source; false: there are no more. */
bool rule_source(const struct rule *, size_t i, uint32_t *source);
/* Does it take an event of this type from this source? */
bool rule_takes(const struct rule *, uint32_t origin, const char *type);
/* And if not, by which of its conditions? */
enum rule_verdict { RULE_TAKES, RULE_NOT_FROM, RULE_NOT_EVENTS };
enum rule_verdict rule_verdict(const struct rule *, uint32_t origin, const char *type);

/* The lane's rule that counts for the event; NULL: there is none. */
const struct rule *lane_rule(const struct lane *, uint64_t seq);
/* Does the lane take the event, by that rule? */
bool lane_wants(const struct lane *, const struct pb_event *);
/* Is the event before the lane's last barrier, so that its route's present rule does not count for it? */
bool lane_took_else(const struct lane *, uint64_t seq);
/* From event `barrier` on the rule `is` counts (NULL: the lane takes nothing more), and before it `was`; `was` NULL, or the
 * lane having older ones that end before the barrier: nothing between. The rows go with the next save. */
void rules_change(struct lane *, const struct rule *was, const struct rule *is, uint64_t barrier);
/* What the lane's row at `watermark` needs no more goes, with its rows. */
void rules_passed(struct lane *, uint64_t watermark);

#endif
