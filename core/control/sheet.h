/* sheet.h - metrics as lines of an answer: a head for each, then its values. */
#ifndef CONTROL_SHEET_H
#define CONTROL_SHEET_H

#include "base/histogram.h"
#include "base/metric.h"
#include "control/reply.h"

/* A metric's first line. */
void sheet_head(struct buf *, const char *name, const char *kind, const char *help);
/* Likewise of a histogram; `unit` is what its limits and sum are divided by. */
void sheet_head_histogram(struct buf *, const char *name, const char *help, struct histogram_scale,
			  double unit);
/* A value under labels, an object that is taken over (NULL: none). */
void sheet_count(struct buf *, json_t *labels, uint64_t value);
void sheet_number(struct buf *, json_t *labels, int64_t value);
void sheet_real(struct buf *, json_t *labels, double value);
void sheet_histogram(struct buf *, json_t *labels, struct histogram_scale, double unit,
		     const struct histogram_counts *);
/* One label, or two; values are made valid text. The caller's. */
json_t *sheet_label(const char *name, const char *value);
json_t *sheet_labels(const char *name, const char *value, const char *name2, const char *value2);

/* All that plugins registered, as patchbay_PLUGIN_NAME. Workers of one instance are summed. */
void sheet_plugins(struct buf *, struct metrics *);

#endif
