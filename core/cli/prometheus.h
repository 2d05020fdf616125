/* prometheus.h - the text exposition format of Prometheus, version 0.0.4, from what the verb `metrics` answers. */
#ifndef CLI_PROMETHEUS_H
#define CLI_PROMETHEUS_H

#include <jansson.h>

#include "base/buf.h"

struct prometheus {
	struct buf text;
	json_t *head;		/* of the metric whose values come now */
	const char *name;	/* its */
};

/* An empty page; short memory marks `text` failed. */
void prometheus_init(struct prometheus *);
void prometheus_free(struct prometheus *);
/* Append one object of the answer: a metric's head, or a value of the metric whose head came last. */
void prometheus_add(struct prometheus *, const json_t *);

#endif
