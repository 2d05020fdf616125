/* merge.c - what a reload changes, and what it leaves as it is. */
#include "config/merge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const char *config_change_name(enum config_change_kind kind)
{
	static const char *const names[] = { "added", "changed", "removed" };
	assert(kind < CHANGE_KINDS);
	return names[kind];
}

static void note(struct config_changes *c, enum config_change_kind kind, const char *title)
{
	unsigned n = c->counts[kind]++;
	if (n >= CHANGES_MAX)
		return;
	c->titles[kind] = xrealloc(c->titles[kind], n + 1, sizeof *c->titles[kind]);
	c->titles[kind][n] = xstrdup(title);
}

void config_changes_free(struct config_changes *c)
{
	for (int kind = 0; kind < CHANGE_KINDS; kind++) {
		for (unsigned i = 0; i < c->counts[kind] && i < CHANGES_MAX; i++)
			free(c->titles[kind][i]);
		free(c->titles[kind]);
	}
	*c = (struct config_changes){ 0 };
}

/* The source of patchbay's own events has no section: the route that takes them tells enough. */
static void note_instance(struct config_changes *changes, enum config_change_kind kind, const struct config_instance *in)
{
	if (in->kind != CONFIG_SOURCE || strcmp(in->name, "patchbay") != 0)
		note(changes, kind, in->title);
}

static void compare_instances(struct config *now, struct config *old, struct config_changes *changes)
{
	for (size_t i = 0; i < old->n_instances; i++) {
		old->instances[i]->other = NULL;
		old->instances[i]->kept = false;
	}
	for (size_t i = 0; i < now->n_instances; i++) {
		struct config_instance *in = now->instances[i];
		struct config_instance *was = in->other = config_find(old, in->kind, in->name);
		in->same = was != NULL && !was->broken && strcmp(in->plugin, was->plugin) == 0 &&
			   options_equal(in->options, was->options);
		if (was != NULL)
			was->other = in;
		if (!in->same)
			note_instance(changes, was == NULL ? CHANGE_ADDED : CHANGE_CHANGED, in);
	}
	for (size_t i = 0; i < old->n_instances; i++)
		if (old->instances[i]->other == NULL)
			note_instance(changes, CHANGE_REMOVED, old->instances[i]);
}

static int by_name(const void *one, const void *two)
{
	const struct config_route *a = *(struct config_route *const *)one;
	const struct config_route *b = *(struct config_route *const *)two;
	return strcmp(a->name, b->name);
}

static struct config_route **sorted_routes(const struct config *config)
{
	struct config_route **sorted = xcalloc(config->n_routes, sizeof(struct config_route *));
	if (config->n_routes > 0)
		memcpy(sorted, config->routes, config->n_routes * sizeof(struct config_route *));
	qsort(sorted, config->n_routes, sizeof(struct config_route *), by_name);
	return sorted;
}

static void compare_routes(const struct config *now, const struct config *old, struct config_changes *changes)
{
	struct config_route **new_ones = sorted_routes(now), **old_ones = sorted_routes(old);
	for (size_t i = 0, k = 0; i < now->n_routes || k < old->n_routes; ) {
		int order = i == now->n_routes ? 1 : k == old->n_routes ? -1 :
			    strcmp(new_ones[i]->name, old_ones[k]->name);
		if (order < 0)
			note(changes, CHANGE_ADDED, new_ones[i]->title);
		else if (order > 0)
			note(changes, CHANGE_REMOVED, old_ones[k]->title);
		else if (!options_equal(new_ones[i]->options, old_ones[k]->options))
			note(changes, CHANGE_CHANGED, new_ones[i]->title);
		i += order <= 0;
		k += order >= 0;
	}
	free(new_ones);
	free(old_ones);
}

void config_compare(struct config *now, struct config *old, struct config_changes *changes)
{
	*changes = (struct config_changes){ 0 };
	compare_instances(now, old, changes);
	compare_routes(now, old, changes);
}

/* The old object in the place of a pointer to the new one. */
static void replace(struct config_instance **at)
{
	if ((*at)->same)
		*at = (*at)->other;
}

static void replace_all(struct config_instance **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		replace(&list[i]);
}

/* `old` gets the new one's object for it, to be freed with it. */
static void exchange(struct config_instance **at)
{
	if ((*at)->other != NULL && (*at)->other->same)
		*at = (*at)->other;
}

void config_take_over(struct config *now, struct config *old)
{
	for (size_t i = 0; i < now->n_instances; i++) {
		struct config_instance *in = now->instances[i];
		if (!in->same)
			continue;
		in->other->place = in->place;
		in->other->used = in->used;
		in->other->kept = true;
		in->other->owner = now;
		in->owner = old;
		options_move(in->other->options, in->options);
	}
	for (size_t i = 0; i < now->n_routes; i++) {
		struct config_route *route = now->routes[i];
		replace_all(route->from, route->n_from);
		replace_all(route->filters, route->n_filters);
		replace_all(route->to, route->n_to);
	}
	for (size_t i = 0; i < old->n_instances; i++)
		exchange(&old->instances[i]);
	replace_all(now->instances, now->n_instances);
	replace_all(now->by_name, now->n_instances);
	for (size_t i = 0; i < now->n_instances; i++)
		if (now->instances[i]->kept)
			now->instances[i]->other = NULL;
	free(old->by_name);
	old->by_name = NULL;
}

void config_release_instance(struct config *config, struct config_instance *in)
{
	for (size_t i = 0; i < config->n_instances; i++)
		if (config->instances[i] == in)
			config->instances[i] = config->instances[--config->n_instances];
	in->owner = NULL;
}

void config_release_route(struct config *config, const struct config_route *route)
{
	for (size_t i = 0; i < config->n_routes; i++)
		if (config->routes[i] == route) {
			config->routes[i] = config->routes[--config->n_routes];
			return;
		}
}

void config_each_core_change(const struct config *now, const struct config *old,
			     void (*each)(void *arg, const char *name), void *arg)
{
	for (const struct pb_option *o = config_core_table; o->name != NULL; o++)
		if (!options_same(now->core, old->core, o->name))
			each(arg, o->name);
}
