/* sheet.c - metrics as lines of an answer. */
#include "control/sheet.h"

void sheet_head(struct buf *out, const char *name, const char *kind, const char *help)
{
	reply_line(out, json_pack("{s:s, s:s, s:o}", "metric", name, "kind", kind,
				  "help", reply_text(help)));
}

void sheet_head_histogram(struct buf *out, const char *name, const char *help,
			  struct histogram_scale scale, double unit)
{
	json_t *limits = json_array();
	for (unsigned i = 0; i < scale.limits; i++)
		json_array_append_new(limits, json_real((double)histogram_limit(scale, i) / unit));
	reply_line(out, json_pack("{s:s, s:s, s:s, s:o}", "metric", name, "kind", "histogram",
				  "help", help, "limits", limits));
}

static void add_value(struct buf *out, json_t *labels, json_t *value)
{
	reply_line(out, json_pack("{s:o*, s:o}", "labels", labels, "value", value));
}

void sheet_count(struct buf *out, json_t *labels, uint64_t value)
{
	add_value(out, labels, reply_count(value));
}

void sheet_number(struct buf *out, json_t *labels, int64_t value)
{
	add_value(out, labels, json_integer(value));
}

void sheet_real(struct buf *out, json_t *labels, double value)
{
	add_value(out, labels, json_real(value));
}

void sheet_histogram(struct buf *out, json_t *labels, struct histogram_scale scale, double unit,
		     const struct histogram_counts *h)
{
	json_t *counts = json_array();
	for (unsigned i = 0; i <= scale.limits; i++)
		json_array_append_new(counts, reply_count(h->counts[i]));
	reply_line(out, json_pack("{s:o*, s:o, s:o}", "labels", labels, "counts", counts,
				  "sum", json_real((double)h->sum / unit)));
}

json_t *sheet_label(const char *name, const char *value)
{
	return json_pack("{s:o}", name, reply_text(value));
}

json_t *sheet_labels(const char *name, const char *value, const char *name2, const char *value2)
{
	return json_pack("{s:o, s:o}", name, reply_text(value), name2, reply_text(value2));
}
