/* table.c - the option table, option by option. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "config/values.h"
#include "conform/raw.h"
#include "conform/rules.h"

#define HELP_MAX 600

/* The table of the kind that is checked; the rule is skipped when there is none. */
static struct pb_option *need_table(struct check *c)
{
	bool ends;
	struct pb_option *table = raw_table(raw_load(c), c->kind, &ends);
	if (table == NULL || table[0].name == NULL)
		check_skip(c, "it has no options of its own");
	if (!ends)
		check_fail(c, "it does not end: the last entry must be { 0 }");
	return table;
}

static void check_name(struct check *c, const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (name[len] != '\0' || !islower((unsigned char)*name))
		check_fail(c, "\"%s\" is not lower_case_with_underscores", name);
	if (len >= ERROR_OPTION_MAX)
		check_fail(c, "%s is longer than %d bytes", name, ERROR_OPTION_MAX - 1);
}

void table_names(struct check *c)
{
	struct pb_option *table = need_table(c);
	for (const struct pb_option *o = table; o->name != NULL; o++) {
		check_name(c, o->name);
		for (const struct pb_option *other = table; other != o; other++)
			if (strcmp(other->name, o->name) == 0)
				check_fail(c, "%s stands there twice", o->name);
	}
	free(table);
}

static bool has_type(const struct pb_option *o)
{
	return (int)o->type >= 0 && o->type < VALUE_TYPES;
}

void table_types(struct check *c)
{
	struct pb_option *table = need_table(c);
	for (const struct pb_option *o = table; o->name != NULL; o++)
		if (!has_type(o))
			check_fail(c, "%s has type %d, which is none", o->name, (int)o->type);
	free(table);
}

void table_choices(struct check *c)
{
	struct pb_option *table = need_table(c);
	for (const struct pb_option *o = table; o->name != NULL; o++) {
		bool choices = o->choices != NULL && *o->choices != '\0';
		if (choices && o->type != PB_CHOICE)
			check_fail(c, "%s has choices, but is no PB_CHOICE", o->name);
		if (!choices && o->type == PB_CHOICE)
			check_fail(c, "%s has no choices", o->name);
	}
	free(table);
}

void table_limits(struct check *c)
{
	struct pb_option *table = need_table(c);
	for (const struct pb_option *o = table; o->name != NULL; o++) {
		bool limited = o->min != 0 || o->max != 0;
		if (limited && has_type(o) && !value_is_number(o->type))
			check_fail(c, "%s has limits, but is no number", o->name);
		if (limited && o->min > o->max)
			check_fail(c, "%s: its least is above its most", o->name);
	}
	free(table);
}

/* What only other rules are about does not stand in the way. */
static bool may_be_parsed(const struct pb_option *o)
{
	bool limited = o->min != 0 || o->max != 0;
	return has_type(o) && o->value != NULL && !(limited && o->min > o->max) &&
	       (o->type != PB_CHOICE || (o->choices != NULL && *o->choices != '\0'));
}

void table_defaults(struct check *c)
{
	struct pb_option *table = need_table(c);
	for (const struct pb_option *o = table; o->name != NULL; o++) {
		struct pb_error err;
		struct value value;
		if (!may_be_parsed(o))
			continue;
		error_init(&err);
		if (!value_parse(&value, o, o->value, false, &err))
			check_fail(c, "%s: %s", o->name, error_text(&err));
		value_free(&value);
		error_free(&err);
	}
	free(table);
}

void table_help(struct check *c)
{
	struct pb_option *table = need_table(c);
	for (const struct pb_option *o = table; o->name != NULL; o++) {
		size_t len = o->help == NULL ? 0 : strlen(o->help);
		if (len == 0)
			check_fail(c, "%s has none", o->name);
		if (!isalnum((unsigned char)*o->help) || o->help[len - 1] != '.')
			check_fail(c, "%s: expected a sentence that ends in a full stop", o->name);
		if (strpbrk(o->help, "\r\n\t") != NULL || len > HELP_MAX)
			check_fail(c, "%s: expected one sentence of %d bytes at most, without line breaks",
				   o->name, HELP_MAX);
	}
	free(table);
}

void table_common(struct check *c)
{
	struct pb_option *table = need_table(c);
	enum config_kind kind = c->kind == KIND_SOURCE ? CONFIG_SOURCE :
				c->kind == KIND_FILTER ? CONFIG_FILTER : CONFIG_SINK;
	for (const struct pb_option *o = table; o->name != NULL; o++)
		for (const struct pb_option *own = config_common_table(kind); own->name != NULL; own++)
			if (strcmp(own->name, o->name) == 0)
				check_fail(c, "%s is an option of every %s; the plugin reads it with pb_int() "
					   "and the like", o->name, kind_name(c->kind));
	free(table);
}
