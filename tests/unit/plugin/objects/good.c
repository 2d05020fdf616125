/* good.c - a plugin as the loader's test wants it: a sink, and nothing of the core's is called. */
#include <patchbay/plugin.h>

#ifndef OBJECT_NAME
#define OBJECT_NAME "good"
#endif

static void *good_open(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	return self;
}

static void good_close(void *state)
{
	(void)state;
}

static void good_write(void *state, struct pb_delivery *const d[], size_t n)
{
	(void)state, (void)d, (void)n;
}

static const struct pb_option options[] = {
	{ "url", PB_URL, NULL, .help = "Where to." },
	{ 0 }
};

PB_PLUGIN(.name = OBJECT_NAME, .version = "1", .summary = "Good",
	  .sink = PB_SINK(.options = options, .open = good_open, .close = good_close,
			  .write = good_write, .max_batch = 7));
