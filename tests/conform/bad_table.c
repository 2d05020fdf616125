/* bad_table.c - a sink whose descriptor or option table is wrong: how, FAULT_… says at compile time. */
#include <fcntl.h>
#include <stdlib.h>

#include <patchbay/plugin.h>

static void *bad_open(struct pb_self *self, struct pb_error *err)
{
	void *state = calloc(1, 1);
	(void)self;
	return state != NULL ? state : pb_error(err, NULL, "out of memory");
}

static void bad_write(void *state, struct pb_delivery *const d[], size_t n)
{
	(void)state;
	for (size_t i = 0; i < n; i++)
		pb_answer(d[i], PB_OK, 0, (struct pb_span){ NULL, 0 }, "taken");
}

#ifdef FAULT_loads
static void *bad_load(struct pb_self *self, struct pb_error *err)
{
	(void)self;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? malloc(1) : pb_error(err, NULL, "no descriptor");
}
#endif

static const struct pb_option options[] = {
	{ .name = "good", .type = PB_STRING, .value = "", .help = "Nothing is wrong with it." },
#if defined FAULT_names
	{ .name = "Not-Good", .type = PB_STRING, .value = "", .help = "Its name is wrong." },
#elif defined FAULT_twice
	{ .name = "good", .type = PB_STRING, .value = "", .help = "Its name is another's." },
#elif defined FAULT_types
	{ .name = "bad", .type = (enum pb_type)99, .value = "", .help = "Its type is wrong." },
#elif defined FAULT_choices
	{ .name = "bad", .type = PB_CHOICE, .value = "", .help = "It has no choices." },
#elif defined FAULT_limits
	{ .name = "bad", .type = PB_INT, .value = "5", .min = 9, .max = 1, .help = "Its limits are wrong." },
#elif defined FAULT_defaults
	{ .name = "bad", .type = PB_INT, .value = "50", .min = 1, .max = 9, .help = "Its default is wrong." },
#elif defined FAULT_help
	{ .name = "bad", .type = PB_STRING, .value = "", .help = "no sentence" },
#elif defined FAULT_no_help
	{ .name = "bad", .type = PB_STRING, .value = "" },
#elif defined FAULT_common
	{ .name = "timeout", .type = PB_DURATION, .value = "1s", .help = "Every sink has it." },
#endif
	{ 0 }
};

#ifdef FAULT_exports
extern int bad_exported;
__attribute__((visibility("default"))) int bad_exported;
#endif

#ifdef FAULT_writable
__attribute__((visibility("default"))) extern struct pb_plugin patchbay_plugin;
struct pb_plugin patchbay_plugin
#else
__attribute__((visibility("default"))) extern const struct pb_plugin patchbay_plugin;
const struct pb_plugin patchbay_plugin
#endif
= {
#ifdef FAULT_abi
	.abi_major = PB_ABI_MAJOR + 1,
#else
	.abi_major = PB_ABI_MAJOR,
#endif
	.abi_minor = PB_ABI_MINOR,
#ifdef FAULT_size
	.size = offsetof(struct pb_plugin, sink),
#else
	.size = sizeof(struct pb_plugin),
#endif
	.option_size = sizeof(struct pb_option),
#ifdef FAULT_name
	.name = "other",
#else
	.name = "bad_table",
#endif
#ifdef FAULT_version
	.version = "one two",
#else
	.version = "1",
#endif
#ifdef FAULT_summary
	.summary = "",
#else
	.summary = "A sink whose descriptor has a fault",
#endif
#ifdef FAULT_loads
	.load = bad_load, .unload = free,
#endif
	.sink = PB_SINK(.options = options, .open = bad_open,
#ifndef FAULT_functions
			.close = free,
#endif
			.write = bad_write, .max_batch = 16),
};
