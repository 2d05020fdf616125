/*
 * fault.h - plugins that are bad on purpose: each has one fault, which its option `fault` names.
 *
 * With `fault = none` they are good, and short. A fault breaks one rule of `patchbay plugin-test`; which others it
 * breaks with that, tests/system/test_conform.py says.
 */
#ifndef CONFORM_FAULT_H
#define CONFORM_FAULT_H

#include <string.h>

#include <patchbay/plugin.h>

#define FAULT_OPTIONS							\
	{ .name = "fault", .type = PB_STRING, .value = "none", .help = "What it does wrong." },	\
	{ .name = "number", .type = PB_INT, .value = "7", .min = 1, .max = 100,	\
	  .help = "A number that some faults look at." },		\
	{ .name = "key", .type = PB_SECRET, .value = "",		\
	  .help = "A secret that one fault tells." }

static inline bool has_fault(const struct pb_self *self, const char *name)
{
	return strcmp(pb_str(self, "fault"), name) == 0;
}

#endif
