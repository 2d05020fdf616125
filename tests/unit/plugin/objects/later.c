/* later.c - a plugin for a later ABI, which calls what that has; none of its code may run. */
#include <stdlib.h>

#include <patchbay/plugin.h>

void pb_of_a_later_abi(void);

__attribute__((constructor)) static void at_loading(void)
{
	abort();
}

static void *later_open(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	pb_of_a_later_abi();
	return self;
}

static void later_close(void *state)
{
	(void)state;
}

static void later_write(void *state, struct pb_delivery *const d[], size_t n)
{
	(void)state, (void)d, (void)n;
}

#undef PB_ABI_MINOR
#define PB_ABI_MINOR 99

PB_PLUGIN(.name = "later", .version = "1", .summary = "Later",
	  .sink = PB_SINK(.open = later_open, .close = later_close, .write = later_write));
