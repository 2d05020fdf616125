/* metric.c - plugins' own counters and gauges. */
#include "base/metric.h"

#include "api/api.h"

struct pb_metric *pb_counter(struct pb_self *self, const char *name, const char *help)
{
	return metric_get(&self->metrics, name, help, false);
}

struct pb_metric *pb_gauge(struct pb_self *self, const char *name, const char *help)
{
	return metric_get(&self->metrics, name, help, true);
}

void pb_add(struct pb_metric *metric, int64_t by)
{
	atomic_fetch_add_explicit(&metric->value, by, memory_order_relaxed);
}

void pb_set(struct pb_metric *metric, int64_t to)
{
	atomic_store_explicit(&metric->value, to, memory_order_relaxed);
}
