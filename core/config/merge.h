/* merge.h - two configurations side by side: what a reload changes, and what it leaves as it is. */
#ifndef CONFIG_MERGE_H
#define CONFIG_MERGE_H

#include "config/config.h"

enum config_change_kind { CHANGE_ADDED, CHANGE_CHANGED, CHANGE_REMOVED, CHANGE_KINDS };
/* "added", "changed", "removed" */
const char *config_change_name(enum config_change_kind);

#define CHANGES_MAX 1000	/* of each kind that are named */

struct config_changes {
	unsigned counts[CHANGE_KINDS];
	char **titles[CHANGE_KINDS];	/* "sink team"; the first of them */
};
/* Forget them. */
void config_changes_free(struct config_changes *);

/* Find each instance's counterpart (`other`) and whether it is the `same`: the plugin and every value, secrets included.
 * One that is `broken` never is. What changed is in `changes`; nothing else is touched. */
void config_compare(struct config *now, struct config *old, struct config_changes *changes);
/* After config_compare(): where an instance is the same `now` gets the old object in place of its own, with the new
 * places of its lines. `old` is left with what changed or went. */
void config_take_over(struct config *now, struct config *old);
/* Take the instance, or the route, out of the configuration, if it is in it: it is the caller's, to be freed by
 * config_instance_free() or config_route_free(). */
void config_release_instance(struct config *, struct config_instance *);
void config_release_route(struct config *, const struct config_route *);
/* Is it of this configuration? */
static inline bool config_is_in(const struct config *config, const struct config_instance *in)
{
	return in->owner == config;
}
/* Options of [patchbay] that differ: each name in turn. */
void config_each_core_change(const struct config *now, const struct config *old,
			     void (*each)(void *arg, const char *name), void *arg);

#endif
