/* explain-json.c - option tables as JSON: one object a line. */
#include "config/explain-part.h"

#include <inttypes.h>
#include <string.h>

#include "config/values.h"
#include "event/json.h"

static void add_string(struct buf *b, const char *text)
{
	json_quote(b, (struct pb_span){ text, strlen(text) });
}

static void add_member(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, ",\"%s\":", name);
	add_string(b, text);
}

static void add_choices(struct buf *b, const char *choices)
{
	buf_add_str(b, ",\"choices\":[");
	for (const char *word = choices; *word != '\0'; ) {
		size_t len = strcspn(word, " ");
		json_quote(b, (struct pb_span){ word, len });
		word += len + strspn(word + len, " ");
		if (*word != '\0')
			buf_add_char(b, ',');
	}
	buf_add_char(b, ']');
}

static void add_option(struct buf *b, const struct pb_option *o)
{
	buf_add_str(b, "{\"name\":");
	add_string(b, o->name);
	add_member(b, "type", value_type_name(o->type));
	buf_printf(b, ",\"required\":%s", o->value == NULL ? "true" : "false");
	if (o->value != NULL)
		add_member(b, "default", o->value);
	if (o->type == PB_CHOICE)
		add_choices(b, o->choices);
	if (o->min != 0 || o->max != 0)
		buf_printf(b, ",\"min\":%" PRId64 ",\"max\":%" PRId64, o->min, o->max);
	add_member(b, "help", o->help);
	buf_add_char(b, '}');
}

static void add_table(struct buf *b, const struct pb_option *table)
{
	buf_add_str(b, ",\"options\":[");
	for (const struct pb_option *o = table; o != NULL && o->name != NULL; o++) {
		if (o != table)
			buf_add_char(b, ',');
		add_option(b, o);
	}
	buf_add_char(b, ']');
}

static void add_common(struct buf *b, const struct pb_option *table)
{
	buf_add_str(b, ",\"common\":[");
	for (const struct pb_option *o = table; o->name != NULL; o++) {
		if (o != table)
			buf_add_char(b, ',');
		add_string(b, o->name);
	}
	buf_add_char(b, ']');
}

void explain_plugin_json(struct buf *b, const struct pb_plugin *p)
{
	struct explain_part parts[CONFIG_KINDS];
	size_t n = explain_parts(p, parts);
	buf_add_str(b, "{\"name\":");
	add_string(b, p->name);
	add_member(b, "version", p->version);
	buf_printf(b, ",\"abi\":\"%u.%u\"", p->abi_major, p->abi_minor);
	add_member(b, "summary", p->summary);
	buf_add_str(b, ",\"kinds\":[");
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s{\"kind\":\"%s\"", i == 0 ? "" : ",",
			   config_kind_name(parts[i].kind));
		add_table(b, parts[i].options);
		add_common(b, config_common_table(parts[i].kind));
		buf_add_char(b, '}');
	}
	buf_add_str(b, "]}\n");
}

static void add_section(struct buf *b, const char *section, const struct pb_option *table)
{
	buf_printf(b, "{\"section\":\"%s\"", section);
	add_table(b, table);
	buf_add_str(b, "}\n");
}

void explain_ini_json(struct buf *b)
{
	add_section(b, "patchbay", config_core_table);
	for (enum config_kind kind = 0; kind < CONFIG_KINDS; kind++)
		add_section(b, config_kind_name(kind), config_common_table(kind));
	add_section(b, "route", config_route_table);
}
