/* tell-plugins.c - what plugins count themselves, for the verb `metrics`. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "control/sheet.h"

#define TOTAL "_total"

/* One of them, copied while the registry was locked. */
struct taken {
	char *name, *help, *instance;
	const char *kind;	/* of the instance */
	bool gauge;
	int64_t value;
};

struct taking {
	struct taken *list;
	size_t n, room;
};

/* patchbay_PLUGIN_NAME in the characters that a metric's name may have. A counter ends in _total, and nothing
 * else does. */
static char *metric_name(const char *plugin, const char *name, bool gauge)
{
	size_t len = strlen(name), suffix = sizeof TOTAL - 1;
	if (len > suffix && strcmp(name + len - suffix, TOTAL) == 0)
		len -= suffix;
	char *made = xasprintf("patchbay_%s_%.*s%s", plugin, (int)len, name, gauge ? "" : TOTAL);
	for (char *at = made; *at != '\0'; at++)
		if (!isascii((unsigned char)*at) || !isalnum((unsigned char)*at))
			*at = '_';
	return made;
}

static void take(void *arg, const struct metric_set *set, const struct pb_metric *metric)
{
	struct taking *t = arg;
	if (t->n == t->room) {
		t->room = t->room * 2 + 64;
		t->list = xrealloc(t->list, t->room, sizeof *t->list);
	}
	t->list[t->n++] = (struct taken){
		.name = metric_name(set->plugin, metric->name, metric->gauge),
		.help = xstrdup(metric->help), .instance = xstrdup(set->instance),
		.kind = set->kind, .gauge = metric->gauge,
		.value = atomic_load_explicit(&metric->value, memory_order_relaxed),
	};
}

static int in_order(const void *one, const void *two)
{
	const struct taken *a = one, *b = two;
	int order = strcmp(a->name, b->name);
	if (order == 0)
		order = strcmp(a->kind, b->kind);
	return order != 0 ? order : strcmp(a->instance, b->instance);
}

void sheet_plugins(struct buf *out, struct metrics *metrics)
{
	struct taking t = { .list = NULL };
	metrics_each(metrics, take, &t);
	if (t.n > 0)
		qsort(t.list, t.n, sizeof *t.list, in_order);
	for (size_t i = 0; i < t.n; i++) {
		const struct taken *at = &t.list[i], *last = i > 0 ? at - 1 : NULL;
		if (last == NULL || strcmp(last->name, at->name) != 0)
			sheet_head(out, at->name, at->gauge ? "gauge" : "counter", at->help);
		int64_t sum = at->value;
		for (; i + 1 < t.n && in_order(at, &t.list[i + 1]) == 0; i++)
			sum += t.list[i + 1].value;
		sheet_number(out, sheet_label(at->kind, at->instance), sum);
	}
	for (size_t i = 0; i < t.n; i++) {
		free(t.list[i].name);
		free(t.list[i].help);
		free(t.list[i].instance);
	}
	free(t.list);
}
