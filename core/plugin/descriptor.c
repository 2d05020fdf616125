/* descriptor.c - what a shared object says of itself, copied and checked. */
#include "plugin/descriptor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define OPTIONS_MAX 500
#define END_OF(type, member) (offsetof(type, member) + sizeof ((type *)NULL)->member)

struct descriptor {
	struct pb_plugin plugin;
	struct pb_source source;
	struct pb_filter filter;
	struct pb_sink sink;
	struct pb_option *tables[CONFIG_KINDS];
};

/* What a part of the descriptor is called, in errors. */
struct checking {
	const char *name;
	struct pb_error *err;
};

static void wrong(const struct checking *c, const char *why)
{
	error_add(c->err, "plugin", "plugin %s: %s", c->name, why);
}

/* Copy a struct that begins with its own size; `least` is what ABI 1.0 has. */
static bool copy_sized(const struct checking *c, void *to, size_t room, const void *from,
		       size_t least)
{
	uint32_t size;
	memcpy(&size, from, sizeof size);
	if (size < least) {
		wrong(c, "a part of its descriptor is too short");
		return false;
	}
	memcpy(to, from, size < room ? size : room);
	return true;
}

static struct pb_option *copy_table(const void *from, uint32_t stride)
{
	const char *at = from;
	size_t n = 0, whole = stride < sizeof(struct pb_option) ? stride : sizeof(struct pb_option);
	struct pb_option *table = NULL;
	for (bool more = at != NULL; more; n++, at += stride) {
		table = xrealloc(table, n + 1, sizeof *table);
		table[n] = (struct pb_option){ 0 };
		memcpy(&table[n], at, whole);
		more = table[n].name != NULL && n < OPTIONS_MAX;
	}
	return table;
}

static void check_table(const struct checking *c, const struct pb_option *table,
			enum config_kind kind)
{
	struct pb_error err;
	error_init(&err);
	options_table_sound(table, config_common_table(kind), &err);
	for (const struct error_entry *e = err.first; e != NULL; e = e->next)
		error_add(c->err, "plugin", "plugin %s: option table of its %s: %s%s%s", c->name,
			  config_kind_name(kind), e->option, e->option[0] == '\0' ? "" : ": ",
			  e->text);
	error_free(&err);
}

static void take_source(struct descriptor *d, const struct pb_plugin *raw,
			const struct checking *c)
{
	if (raw->source == NULL || !copy_sized(c, &d->source, sizeof d->source, raw->source,
					       END_OF(struct pb_source, may_repeat)))
		return;
	if (d->source.open == NULL || d->source.close == NULL || d->source.run == NULL)
		wrong(c, "its source lacks open, close or run");
	d->source.options = d->tables[CONFIG_SOURCE] =
		copy_table(d->source.options, raw->option_size);
	check_table(c, d->source.options, CONFIG_SOURCE);
	d->plugin.source = &d->source;
}

static void take_filter(struct descriptor *d, const struct pb_plugin *raw,
			const struct checking *c)
{
	if (raw->filter == NULL || !copy_sized(c, &d->filter, sizeof d->filter, raw->filter,
					       END_OF(struct pb_filter, apply)))
		return;
	if (d->filter.open == NULL || d->filter.close == NULL || d->filter.apply == NULL)
		wrong(c, "its filter lacks open, close or apply");
	d->filter.options = d->tables[CONFIG_FILTER] =
		copy_table(d->filter.options, raw->option_size);
	check_table(c, d->filter.options, CONFIG_FILTER);
	d->plugin.filter = &d->filter;
}

static void take_sink(struct descriptor *d, const struct pb_plugin *raw, const struct checking *c)
{
	if (raw->sink == NULL || !copy_sized(c, &d->sink, sizeof d->sink, raw->sink,
					     END_OF(struct pb_sink, reopen)))
		return;
	if (d->sink.open == NULL || d->sink.close == NULL)
		wrong(c, "its sink lacks open or close");
	if ((d->sink.write == NULL) == (d->sink.submit == NULL))
		wrong(c, "its sink needs one of write and submit");
	if (d->sink.max_batch == 0)
		d->sink.max_batch = 1;
	d->sink.options = d->tables[CONFIG_SINK] = copy_table(d->sink.options, raw->option_size);
	check_table(c, d->sink.options, CONFIG_SINK);
	d->plugin.sink = &d->sink;
}

bool descriptor_abi_ok(const char *name, unsigned major, unsigned minor, struct pb_error *err)
{
	if (major == PB_ABI_MAJOR && minor <= PB_ABI_MINOR)
		return true;
	error_add(err, "plugin", "plugin %s is made for ABI %u.%u; this patchbay has %u.%u: %s", name, major,
		  minor, PB_ABI_MAJOR, PB_ABI_MINOR, major < PB_ABI_MAJOR ? "rebuild the plugin" :
		  "upgrade patchbay, or rebuild the plugin with this one's headers");
	return false;
}

/* Nothing but size and numbers may be read before this has passed. */
static bool check_abi(const struct pb_plugin *raw, const struct checking *c)
{
	if (raw->size < END_OF(struct pb_plugin, abi_minor)) {
		wrong(c, "its descriptor is too short to be one");
		return false;
	}
	if (!descriptor_abi_ok(c->name, raw->abi_major, raw->abi_minor, c->err))
		return false;
	if (raw->size >= END_OF(struct pb_plugin, unload) && raw->option_size >= END_OF(struct pb_option, help))
		return true;
	wrong(c, "its descriptor is shorter than its ABI says");
	return false;
}

static void check_texts(const struct pb_plugin *p, const struct checking *c)
{
	if (p->name == NULL || strcmp(p->name, c->name) != 0)
		error_add(c->err, "plugin", "plugin %s calls itself %.64s; expected the file's name",
			  c->name, p->name == NULL ? "nothing" : p->name);
	if (p->version == NULL || *p->version == '\0' || p->summary == NULL || *p->summary == '\0')
		wrong(c, "it has no version or no summary");
	if (p->source == NULL && p->filter == NULL && p->sink == NULL)
		wrong(c, "it is neither source, filter nor sink");
}

struct descriptor *descriptor_new(const void *raw, const char *name, struct pb_error *err)
{
	const struct checking c = { name, err };
	const struct pb_plugin *plugin = raw;
	unsigned before = err->count;
	if (!check_abi(plugin, &c))
		return NULL;
	struct descriptor *d = xcalloc(1, sizeof *d);
	copy_sized(&c, &d->plugin, sizeof d->plugin, plugin, END_OF(struct pb_plugin, unload));
	d->plugin.source = NULL;
	d->plugin.filter = NULL;
	d->plugin.sink = NULL;
	take_source(d, plugin, &c);
	take_filter(d, plugin, &c);
	take_sink(d, plugin, &c);
	if (err->count == before)
		check_texts(&d->plugin, &c);
	if (err->count == before)
		return d;
	descriptor_free(d);
	return NULL;
}

void descriptor_free(struct descriptor *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < CONFIG_KINDS; i++)
		free(d->tables[i]);
	free(d);
}

const struct pb_plugin *descriptor_plugin(const struct descriptor *d)
{
	return &d->plugin;
}

static bool no_kind(const struct pb_plugin *p, enum config_kind kind, struct pb_error *err)
{
	const bool has[] = { p->source != NULL, p->filter != NULL, p->sink != NULL };
	static const enum config_kind kinds[] = { CONFIG_SOURCE, CONFIG_FILTER, CONFIG_SINK };
	char names[40] = "";
	for (size_t i = 0, len = 0; i < sizeof has; i++)
		if (has[i])
			len += (size_t)snprintf(names + len, sizeof names - len, "%s %s", len > 0 ? "," : "",
						config_kind_name(kinds[i]));
	error_add(err, "plugin", "plugin %s has no %s; it has:%s", p->name, config_kind_name(kind), names);
	return false;
}

bool descriptor_face(const struct pb_plugin *p, enum config_kind kind, const struct pb_option **table,
		     uint32_t *most, bool *repeat, struct pb_error *err)
{
	const void *part = kind == CONFIG_SOURCE ? (const void *)p->source :
			   kind == CONFIG_FILTER ? (const void *)p->filter : p->sink;
	if (part == NULL)
		return no_kind(p, kind, err);
	*table = kind == CONFIG_SOURCE ? p->source->options :
		 kind == CONFIG_FILTER ? p->filter->options : p->sink->options;
	*most = kind == CONFIG_SINK ? p->sink->max_batch : 1;
	*repeat = kind == CONFIG_SOURCE && p->source->may_repeat;
	return true;
}
