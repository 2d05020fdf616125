/* explain.c - option tables as text, and what the other forms share. */
#include "config/explain.h"

#include <string.h>

#include "config/explain-part.h"
#include "config/values.h"

#define COLUMNS 80
#define INDENT 6

size_t explain_parts(const struct pb_plugin *p, struct explain_part parts[static CONFIG_KINDS])
{
	size_t n = 0;
	if (p->source != NULL)
		parts[n++] = (struct explain_part){ CONFIG_SOURCE, p->source->options };
	if (p->filter != NULL)
		parts[n++] = (struct explain_part){ CONFIG_FILTER, p->filter->options };
	if (p->sink != NULL)
		parts[n++] = (struct explain_part){ CONFIG_SINK, p->sink->options };
	return n;
}

static void add_choices(struct buf *b, const char *choices)
{
	for (const char *c = choices; *c != '\0'; c++)
		if (*c == ' ')
			buf_add_str(b, " | ");
		else
			buf_add_char(b, *c);
}

void explain_type(struct buf *b, const struct pb_option *o)
{
	if (o->type == PB_CHOICE)
		add_choices(b, o->choices);
	else
		buf_add_str(b, value_type_name(o->type));
	size_t before = b->len;
	buf_add_str(b, ", ");
	size_t start = b->len;
	value_limits(b, o);
	if (b->len == start && b->failed == 0)
		b->data[b->len = before] = '\0';
}

void explain_names(struct buf *b, const struct pb_option *table)
{
	for (const struct pb_option *o = table; o != NULL && o->name != NULL; o++)
		buf_printf(b, "%s%s", o == table ? "" : ", ", o->name);
}

/* Append `text` in lines of COLUMNS, each indented. */
static void add_wrapped(struct buf *b, const char *text)
{
	size_t column = 0;
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		if (column == 0 || column + 1 + len > COLUMNS) {
			buf_printf(b, "%s%*s", column == 0 ? "" : "\n", INDENT, "");
			column = INDENT;
		} else {
			buf_add_char(b, ' ');
			column++;
		}
		buf_add(b, text, len);
		column += len;
		text += len + (text[len] == ' ');
	}
	buf_add_char(b, '\n');
}

static void text_option(struct buf *b, const struct pb_option *o)
{
	buf_printf(b, "  %s = ", o->name);
	explain_type(b, o);
	if (o->value == NULL)
		buf_add_str(b, " (required)\n");
	else if (*o->value != '\0')
		buf_printf(b, " (default: %s)\n", o->value);
	else
		buf_add_char(b, '\n');
	add_wrapped(b, o->help);
}

static void text_table(struct buf *b, const struct pb_option *table)
{
	for (const struct pb_option *o = table; o != NULL && o->name != NULL; o++)
		text_option(b, o);
}

static void plugin_text(struct buf *b, const struct pb_plugin *p)
{
	struct explain_part parts[CONFIG_KINDS];
	size_t n = explain_parts(p, parts);
	buf_printf(b, "%s %s: %s\n", p->name, p->version, p->summary);
	for (size_t i = 0; i < n; i++) {
		const char *kind = config_kind_name(parts[i].kind);
		buf_printf(b, "\n[%s NAME]\n  plugin = %s\n", kind, p->name);
		text_table(b, parts[i].options);
		buf_printf(b, "  What all %ss share (patchbay plugins --core):\n", kind);
		struct buf names = BUF_INIT(b->limit);
		explain_names(&names, config_common_table(parts[i].kind));
		add_wrapped(b, names.data == NULL ? "" : names.data);
		buf_free(&names);
	}
}

static void ini_text(struct buf *b)
{
	buf_add_str(b, "[patchbay]\n");
	text_table(b, config_core_table);
	for (enum config_kind kind = 0; kind < CONFIG_KINDS; kind++) {
		buf_printf(b, "\n[%s NAME]\n", config_kind_name(kind));
		text_table(b, config_common_table(kind));
	}
	buf_add_str(b, "\n[route NAME]\n");
	text_table(b, config_route_table);
}

void explain_plugin(struct buf *b, const struct pb_plugin *p, enum explain_form form)
{
	if (form == EXPLAIN_TEXT)
		plugin_text(b, p);
	else if (form == EXPLAIN_JSON)
		explain_plugin_json(b, p);
	else
		explain_plugin_man(b, p);
}

void explain_ini(struct buf *b, enum explain_form form)
{
	if (form == EXPLAIN_TEXT)
		ini_text(b);
	else if (form == EXPLAIN_JSON)
		explain_ini_json(b);
	else
		explain_ini_man(b);
}
