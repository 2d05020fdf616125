/* metric.c - counters and gauges in one registry. */
#include "base/metric.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void metrics_init(struct metrics *m)
{
	*m = (struct metrics){ .lock = PTHREAD_MUTEX_INITIALIZER, .end = &m->first };
}

void metrics_free(struct metrics *m)
{
	assert(m->first == NULL);
	pthread_mutex_destroy(&m->lock);
}

void metric_set_open(struct metric_set *set, struct metrics *m, const char *kind,
		     const char *instance, const char *plugin)
{
	*set = (struct metric_set){
		.in = m, .kind = kind, .instance = instance, .plugin = plugin,
	};
	pthread_mutex_lock(&m->lock);
	set->at = m->end;
	*m->end = set;
	m->end = &set->next;
	pthread_mutex_unlock(&m->lock);
}

static void metric_free(struct pb_metric *metric)
{
	free(metric->name);
	free(metric->help);
	free(metric);
}

void metric_set_close(struct metric_set *set)
{
	struct metrics *m = set->in;
	pthread_mutex_lock(&m->lock);
	assert(*set->at == set);
	*set->at = set->next;
	if (set->next != NULL)
		set->next->at = set->at;
	else
		m->end = set->at;
	pthread_mutex_unlock(&m->lock);

	for (struct pb_metric *metric = set->first, *next; metric != NULL; metric = next) {
		next = metric->next;
		metric_free(metric);
	}
	*set = (struct metric_set){ 0 };
}

void metric_set_hide(struct metric_set *set, bool hide)
{
	pthread_mutex_lock(&set->in->lock);
	set->hidden = hide;
	pthread_mutex_unlock(&set->in->lock);
}

static struct pb_metric *metric_new(const char *name, const char *help, bool gauge)
{
	struct pb_metric *metric = xcalloc(1, sizeof *metric);
	metric->name = xstrdup(name);
	metric->help = xstrdup(help == NULL ? "" : help);
	metric->gauge = gauge;
	return metric;
}

struct pb_metric *metric_find(struct metric_set *set, const char *name)
{
	pthread_mutex_lock(&set->in->lock);
	struct pb_metric *metric = set->first;
	while (metric != NULL && strcmp(metric->name, name) != 0)
		metric = metric->next;
	pthread_mutex_unlock(&set->in->lock);
	return metric;
}

struct pb_metric *metric_get(struct metric_set *set, const char *name, const char *help, bool gauge)
{
	assert(set->in != NULL);
	pthread_mutex_lock(&set->in->lock);
	struct pb_metric **at = &set->first;
	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (*at == NULL)
		*at = metric_new(name, help, gauge);
	struct pb_metric *metric = *at;
	pthread_mutex_unlock(&set->in->lock);
	assert(metric->gauge == gauge);
	return metric;
}

void metrics_each(struct metrics *m, void (*each)(void *arg, const struct metric_set *,
						  const struct pb_metric *), void *arg)
{
	pthread_mutex_lock(&m->lock);
	for (const struct metric_set *set = m->first; set != NULL; set = set->next)
		for (const struct pb_metric *metric = set->hidden ? NULL : set->first; metric != NULL;
		     metric = metric->next)
			each(arg, set, metric);
	pthread_mutex_unlock(&m->lock);
}
