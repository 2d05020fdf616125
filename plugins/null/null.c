/*
 * null: takes everything and keeps nothing. For measuring, for turning a route off
 * without losing its place, and as the smallest model of a sink: three functions and
 * a descriptor. Its source is in numbers.c.
 */
#include <config.h>
#include <stdlib.h>

#include <patchbay/plugin.h>

#include "null/numbers.h"

struct null {
	struct pb_metric *discarded;
};

static void *null_open(struct pb_self *self, struct pb_error *err)
{
	struct null *null = calloc(1, sizeof *null);
	if (null == NULL)
		return pb_error(err, NULL, "out of memory");
	null->discarded = pb_counter(self, "discarded", "Events taken and thrown away.");
	return null;
}

static void null_close(void *state)
{
	free(state);
}

static void null_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct null *null = state;
	/* Counted first: after the last answer nothing of ours may be touched. */
	pb_add(null->discarded, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		pb_answer(d[i], PB_OK, 0, (struct pb_span){ NULL, 0 }, NULL);
}

PB_PLUGIN(.name = "null", .version = PACKAGE_VERSION,
	  .summary = "Takes every event and keeps none; makes numbered events",
	  .source = PB_SOURCE(.options = numbers_options, .open = numbers_open,
			      .close = numbers_close, .run = numbers_run,
			      .settled = numbers_settled),
	  .sink = PB_SINK(.open = null_open, .close = null_close, .write = null_write,
			  .max_batch = 1024));
