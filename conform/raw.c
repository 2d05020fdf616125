/* raw.c - a plugin's descriptor as it lies in the file. */
#include "conform/raw.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SYMBOL "patchbay_plugin"
#define OPTIONS_MAX 500
#define END_OF(type, member) (offsetof(type, member) + sizeof ((type *)NULL)->member)

const struct pb_plugin *raw_load(struct check *c)
{
	doing(c, "being loaded");
	void *object = dlopen(c->wanted->file, RTLD_NOW | RTLD_LOCAL);
	if (object == NULL)
		check_fail(c, "%s", dlerror());
	const struct pb_plugin *raw = dlsym(object, SYMBOL);
	if (raw == NULL)
		check_fail(c, "it has no symbol " SYMBOL ", which PB_PLUGIN() makes");
	return raw;
}

size_t raw_size(enum raw_part part)
{
	switch (part) {
	case RAW_ABI: return END_OF(struct pb_plugin, abi_minor);
	case RAW_NAME: return END_OF(struct pb_plugin, name);
	case RAW_VERSION: return END_OF(struct pb_plugin, version);
	case RAW_SUMMARY: return END_OF(struct pb_plugin, summary);
	case RAW_FACES: return END_OF(struct pb_plugin, sink);
	default: return END_OF(struct pb_plugin, unload);
	}
}

bool raw_has(const struct pb_plugin *raw, enum raw_part part)
{
	return raw->size >= raw_size(part);
}

const char *raw_text(const struct pb_plugin *raw, enum raw_part part)
{
	const char *text = !raw_has(raw, part) ? NULL : part == RAW_NAME ? raw->name :
			   part == RAW_VERSION ? raw->version : raw->summary;
	return text == NULL ? "" : text;
}

unsigned raw_kinds(const struct pb_plugin *raw)
{
	if (!raw_has(raw, RAW_FACES))
		return 0;
	return (raw->source != NULL ? KIND_SOURCE : 0) | (raw->filter != NULL ? KIND_FILTER : 0) |
	       (raw->sink != NULL ? KIND_SINK : 0);
}

/* Where a kind's table begins, if the kind is long enough to have one. */
static const void *table_of(const struct pb_plugin *raw, enum kind kind)
{
	if ((raw_kinds(raw) & kind) == 0)
		return NULL;
	switch (kind) {
	case KIND_SOURCE:
		return raw->source->size >= END_OF(struct pb_source, options) ? raw->source->options : NULL;
	case KIND_FILTER:
		return raw->filter->size >= END_OF(struct pb_filter, options) ? raw->filter->options : NULL;
	default:
		return raw->sink->size >= END_OF(struct pb_sink, options) ? raw->sink->options : NULL;
	}
}

struct pb_option *raw_table(const struct pb_plugin *raw, enum kind kind, bool *ends)
{
	const char *at = table_of(raw, kind);
	size_t stride = at == NULL ? 0 : raw->option_size, n = 0;
	if (ends != NULL)
		*ends = true;
	if (stride < END_OF(struct pb_option, help))
		return NULL;
	struct pb_option *table = xcalloc(OPTIONS_MAX + 1, sizeof *table);
	for (; n < OPTIONS_MAX; n++, at += stride) {
		memcpy(&table[n], at, sizeof *table < stride ? sizeof *table : stride);
		if (table[n].name == NULL)
			return table;
	}
	table[n] = (struct pb_option){ 0 };
	if (ends != NULL)
		*ends = false;
	return table;
}

const char *raw_short_part(const struct pb_plugin *raw)
{
	unsigned kinds = raw_kinds(raw);
	if ((kinds & KIND_SOURCE) != 0 && raw->source->size < END_OF(struct pb_source, may_repeat))
		return "source";
	if ((kinds & KIND_FILTER) != 0 && raw->filter->size < END_OF(struct pb_filter, apply))
		return "filter";
	if ((kinds & KIND_SINK) != 0 && raw->sink->size < END_OF(struct pb_sink, reopen))
		return "sink";
	return NULL;
}

const char *raw_lacking(const struct pb_plugin *raw)
{
	const struct pb_source *source = raw_has(raw, RAW_FACES) ? raw->source : NULL;
	const struct pb_filter *filter = raw_has(raw, RAW_FACES) ? raw->filter : NULL;
	const struct pb_sink *sink = raw_has(raw, RAW_FACES) ? raw->sink : NULL;
	if (raw_short_part(raw) != NULL)
		return "a kind is too short to have them: see descriptor.abi";
	if (source == NULL && filter == NULL && sink == NULL)
		return "it has neither source, filter nor sink";
	if (source != NULL && (source->open == NULL || source->close == NULL || source->run == NULL))
		return "its source lacks open, close or run";
	if (filter != NULL && (filter->open == NULL || filter->close == NULL || filter->apply == NULL))
		return "its filter lacks open, close or apply";
	if (sink != NULL && (sink->open == NULL || sink->close == NULL))
		return "its sink lacks open or close";
	if (sink != NULL && (sink->write == NULL) == (sink->submit == NULL))
		return "its sink needs one of write and submit";
	if (raw_has(raw, RAW_WHOLE) && raw->load != NULL && raw->unload == NULL)
		return "it has load, and no unload to undo it";
	return NULL;
}
