/*
 * descriptor.c - the shared object and what it says of itself.
 *
 * Looked at raw, as a file that anybody may have written: what its sizes do not cover is not read.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "conform/raw.h"
#include "conform/rules.h"

#define SUMMARY_MAX 80
#define VERSION_MAX 40

void descriptor_loads(struct check *c)
{
	const struct pb_plugin *raw = raw_load(c);
	c->told->kinds = raw_kinds(raw);
	snprintf(c->told->about, sizeof c->told->about, "%s %.30s: %.100s",
		 c->wanted->name, raw_text(raw, RAW_VERSION), raw_text(raw, RAW_SUMMARY));
	if (c->told->kinds == 0)
		check_fail(c, "it has neither source, filter nor sink that can be read");
}

void descriptor_abi(struct check *c)
{
	const struct pb_plugin *raw = raw_load(c);
	if (!raw_has(raw, RAW_ABI))
		check_fail(c, "its descriptor is %u bytes long, too short to be one", raw->size);
	if (raw->abi_major != PB_ABI_MAJOR || raw->abi_minor > PB_ABI_MINOR)
		check_fail(c, "it is built for ABI %u.%u; this is %u.%u", raw->abi_major, raw->abi_minor,
			   PB_ABI_MAJOR, PB_ABI_MINOR);
	if (!raw_has(raw, RAW_WHOLE))
		check_fail(c, "its size says %u bytes, its ABI has %zu", raw->size, raw_size(RAW_WHOLE));
	if (raw->option_size < sizeof(struct pb_option))
		check_fail(c, "its option_size says %u bytes, its ABI has %zu", raw->option_size,
			   sizeof(struct pb_option));
	const char *part = raw_short_part(raw);
	if (part != NULL)
		check_fail(c, "its %s says by its size that it is shorter than its ABI has it", part);
}

void descriptor_name(struct check *c)
{
	const char *name = raw_text(raw_load(c), RAW_NAME), *file = c->wanted->name;
	if (strcmp(name, file) != 0)
		check_fail(c, "it is called \"%s\", its file %s.so", name, file);
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
	if (name[len] != '\0' || !islower((unsigned char)*name))
		check_fail(c, "\"%s\" is no name of lower case letters and digits", name);
}

void descriptor_version(struct check *c)
{
	const char *version = raw_text(raw_load(c), RAW_VERSION);
	size_t len = strlen(version);
	if (len == 0)
		check_fail(c, "it has none");
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)version[i]))
			check_fail(c, "\"%s\" is not one word", version);
	if (len > VERSION_MAX)
		check_fail(c, "it is longer than %d bytes", VERSION_MAX);
}

void descriptor_summary(struct check *c)
{
	const char *summary = raw_text(raw_load(c), RAW_SUMMARY);
	size_t len = strlen(summary);
	if (len == 0)
		check_fail(c, "it has none");
	if (summary[strcspn(summary, "\r\n")] != '\0' || len > SUMMARY_MAX)
		check_fail(c, "it is more than one line of %d bytes", SUMMARY_MAX);
	if (summary[len - 1] == '.')
		check_fail(c, "it ends in a full stop, which no line of `patchbay plugins` does");
}

void descriptor_functions(struct check *c)
{
	const char *lacking = raw_lacking(raw_load(c));
	if (lacking != NULL)
		check_fail(c, "%s", lacking);
}

static void exported(void *arg, const char *name, bool writable)
{
	struct check *c = arg;
	if (strcmp(name, "patchbay_plugin") == 0) {
		if (writable)
			check_fail(c, "its descriptor is not const");
		return;
	}
	/* Those of a compiler or linker begin so. */
	if (*name != '_')
		check_fail(c, "it exports %s too: make it static, or compile with -fvisibility=hidden", name);
}

void descriptor_exports(struct check *c)
{
	if (!raw_each_export(c->wanted->file, exported, c))
		check_skip(c, "its symbols cannot be read");
}

void descriptor_accepted(struct check *c)
{
	box_load(c);
	c->told->accepted = true;
	box_free(c, false);
}
