/*
 * options.c - one section's values against the option tables that declare them.
 *
 * The table is the only place that knows an option: what is parsed, checked,
 * defaulted and printed is read from it. Once read, an object never changes, so any
 * thread may use it. It must not know what an option means.
 */
#include "config/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "config/suggest.h"
#include "config/values.h"

#define OPTIONS_MAGIC 0x6f707473u
#define TABLE_MAX 500		/* more: the table has no end */
#define REPORTED_MAX (16 * 1024)

struct entry {
	const struct pb_option *option;
	struct value value;
	struct place place;
	bool written;
	bool secret;	/* of a secret's type, or came from one */
	bool wrong;	/* reported: its default stands in */
};

struct options {
	unsigned magic;
	struct place place;
	size_t n, n_own;
	struct entry entries[];
};

static size_t table_length(const struct pb_option *table)
{
	size_t n = 0;
	while (table != NULL && n < TABLE_MAX && table[n].name != NULL)
		n++;
	return n;
}

static const struct pb_option *table_find(const struct pb_option *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static bool name_sound(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return *name >= 'a' && *name <= 'z' && name[len] == '\0' && len < ERROR_OPTION_MAX;
}

static void check_limits(const struct pb_option *o, struct pb_error *err)
{
	bool limited = o->min != 0 || o->max != 0;
	if (limited && !value_is_number(o->type))
		error_add(err, o->name, "has limits, but its type has none");
	else if (limited && o->min > o->max)
		error_add(err, o->name, "its least is above its most");
	bool choices = o->choices != NULL && *o->choices != '\0';
	if (choices != (o->type == PB_CHOICE))
		error_add(err, o->name, choices ? "has choices, but is none" : "has no choices");
}

static void check_option(const struct pb_option *o, struct pb_error *err)
{
	if (!name_sound(o->name))
		error_add(err, NULL, "option \"%s\": a name is lower_case_with_underscores",
			  o->name);
	if (o->help == NULL || *o->help == '\0')
		error_add(err, o->name, "has no help");
	if ((int)o->type < 0 || o->type >= VALUE_TYPES) {
		error_add(err, o->name, "has type %d, which is none", (int)o->type);
		return;
	}
	unsigned before = err->count;
	check_limits(o, err);
	if (err->count != before || o->value == NULL)
		return;
	struct pb_error why;
	error_init(&why);
	struct value value;
	if (!value_parse(&value, o, o->value, false, &why))
		error_add(err, o->name, "its default is wrong: %s", error_text(&why));
	value_free(&value);
	error_free(&why);
}

bool options_table_sound(const struct pb_option *own, const struct pb_option *common,
			 struct pb_error *err)
{
	unsigned before = err->count;
	size_t n = table_length(own), n_common = table_length(common);
	if (n == TABLE_MAX) {
		error_add(err, NULL, "an option table does not end in {0}");
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		check_option(&own[i], err);
		if (table_find(own, i, own[i].name) != NULL)
			error_add(err, own[i].name, "stands in the table twice");
		if (table_find(common, n_common, own[i].name) != NULL)
			error_add(err, own[i].name, "is an option that all instances share");
	}
	return err->count == before;
}

static struct options *options_new(const struct section *section, const struct pb_option *own,
				   const struct pb_option *common)
{
	size_t n_own = table_length(own), n = n_own + table_length(common);
	struct options *options = xcalloc(1, sizeof *options + n * sizeof *options->entries);
	options->magic = OPTIONS_MAGIC;
	options->place = section->place;
	options->n = n;
	options->n_own = n_own;
	for (size_t i = 0; i < n; i++) {
		options->entries[i].option = i < n_own ? &own[i] : &common[i - n_own];
		options->entries[i].place = section->place;
	}
	return options;
}

void options_free(struct options *options)
{
	if (options == NULL)
		return;
	CHECK_OBJ(options, OPTIONS_MAGIC);
	for (size_t i = 0; i < options->n; i++)
		value_free(&options->entries[i].value);
	options->magic = 0;
	free(options);
}

static struct entry *entry_find(const struct options *options, const char *name)
{
	CHECK_OBJ(options, OPTIONS_MAGIC);
	for (size_t i = 0; i < options->n; i++)
		if (strcmp(options->entries[i].option->name, name) == 0)
			return (struct entry *)&options->entries[i];
	return NULL;
}

static void report_unknown(const struct options *options, const struct section *section,
			   const struct setting *setting, struct report *report)
{
	struct suggest near;
	suggest_begin(&near, setting->key);
	for (size_t i = 0; i < options->n; i++)
		suggest_offer(&near, options->entries[i].option->name);
	char hint[SUGGEST_TEXT_SIZE];
	report_error(report, setting->place, section->title, setting->key,
		     "there is no such option%s", suggest_text(&near, hint));
}

/* "" is a value only where the table's own default is, or for a list. */
static bool may_be_empty(const struct pb_option *o)
{
	return o->value != NULL && o->type != PB_SECRET &&
	       (*o->value == '\0' || o->type == PB_STRING || value_is_list(o->type));
}

static void warn_exposed(const struct section *section, const struct setting *setting,
			 enum pb_type type, struct report *report)
{
	const char *file = setting->exposed;
	if (!setting->secret && section->public && type == PB_SECRET && *setting->value != '\0')
		file = setting->place.file;
	if (file != NULL && type != PB_TEMPLATE)
		report_warning(report, setting->place, section->title, setting->key,
			       "every user can read %s: chmod o-r it", file);
}

static void read_setting(struct options *options, const struct section *section,
			 struct setting *setting, struct report *report)
{
	setting->used = true;
	struct entry *entry = entry_find(options, setting->key);
	if (entry == NULL) {
		report_unknown(options, section, setting, report);
		return;
	}
	entry->written = true;
	entry->secret = setting->secret || entry->option->type == PB_SECRET;
	entry->place = setting->place;
	entry->wrong = setting->failed;
	if (setting->failed || entry->value.text != NULL)
		return;
	if (*setting->value == '\0' && !may_be_empty(entry->option)) {
		entry->wrong = true;
		report_error(report, setting->place, section->title, setting->key,
			     "is empty; expected %s%s", value_expected(entry->option->type),
			     entry->option->value == NULL ? "" : ", or no such line");
		return;
	}
	struct pb_error err;
	error_init(&err);
	entry->wrong = !value_parse(&entry->value, entry->option, setting->value, setting->secret,
				    &err);
	if (entry->wrong)
		value_free(&entry->value);	/* the default takes its place */
	options_report(options, section->title, &err, report);
	warn_exposed(section, setting, entry->option->type, report);
}

static void read_default(struct entry *entry, const struct section *section, struct report *report)
{
	const struct pb_option *o = entry->option;
	entry->wrong |= o->value == NULL;
	if (o->value == NULL && !entry->written)
		report_error(report, section->place, section->title, o->name,
			     "is missing; expected %s%s: %s", value_article(o->type),
			     value_type_name(o->type), o->help);
	struct pb_error err;
	error_init(&err);
	bool good = value_parse(&entry->value, o, o->value == NULL ? "" : o->value, false, &err);
	assert(good);	/* options_table_sound() has seen to it */
	error_free(&err);
}

struct options *options_read(struct section *section, const struct pb_option *own,
			     const struct pb_option *common, struct report *report)
{
	struct options *options = options_new(section, own, common);
	for (size_t i = 0; i < section->n; i++)
		read_setting(options, section, &section->settings[i], report);
	for (size_t i = 0; i < options->n; i++)
		if (options->entries[i].value.text == NULL)
			read_default(&options->entries[i], section, report);
	return options;
}

/* The entry of that name, which must be there and of a type in `types`: else it is a bug. */
static const struct entry *get(const struct options *options, const char *name, unsigned types)
{
	const struct entry *entry = entry_find(options, name);
	if (entry == NULL || (types & (1u << entry->option->type)) == 0) {
		log_error("option %s was asked for, which is %s", name,
			  entry == NULL ? "in no table" : "of another type");
		abort();
	}
	return entry;
}

#define TEXTS (1u << PB_STRING | 1u << PB_SECRET | 1u << PB_CHOICE | 1u << PB_PATH | \
	       1u << PB_ADDRESS | 1u << PB_URL | 1u << PB_TEMPLATE)
#define NUMBERS (1u << PB_INT | 1u << PB_DURATION | 1u << PB_SIZE)
#define LISTS (1u << PB_LIST | 1u << PB_PATHS | 1u << PB_ADDRESSES)

const char *options_str(const struct options *options, const char *name)
{
	return get(options, name, TEXTS)->value.text;
}

int64_t options_int(const struct options *options, const char *name)
{
	return get(options, name, NUMBERS)->value.number;
}

bool options_bool(const struct options *options, const char *name)
{
	return get(options, name, 1u << PB_BOOL)->value.number != 0;
}

const char *const *options_list(const struct options *options, const char *name)
{
	return (const char *const *)get(options, name, LISTS)->value.list;
}

const struct template *options_template(const struct options *options, const char *name)
{
	return get(options, name, 1u << PB_TEMPLATE)->value.template;
}

bool options_isset(const struct options *options, const char *name)
{
	return get(options, name, ~0u)->written;
}

int options_type(const struct options *options, const char *name)
{
	const struct entry *entry = entry_find(options, name);
	return entry == NULL ? -1 : (int)entry->option->type;
}

bool options_own_sound(const struct options *options)
{
	CHECK_OBJ(options, OPTIONS_MAGIC);
	for (size_t i = 0; i < options->n_own; i++)
		if (options->entries[i].wrong)
			return false;
	return true;
}

struct place options_place(const struct options *options, const char *name)
{
	const struct entry *entry = name == NULL ? NULL : entry_find(options, name);
	return entry == NULL ? options->place : entry->place;
}

void options_each_written(const struct options *options, void (*each)(void *arg, const char *name, const char *text),
			  void *arg)
{
	CHECK_OBJ(options, OPTIONS_MAGIC);
	for (size_t i = 0; i < options->n; i++)
		if (options->entries[i].written)
			each(arg, options->entries[i].option->name, options->entries[i].value.text);
}

bool options_same(const struct options *a, const struct options *b, const char *name)
{
	const struct entry *x = entry_find(a, name), *y = entry_find(b, name);
	return x == NULL || y == NULL ? x == y : value_equal(&x->value, &y->value);
}

void options_move(struct options *to, const struct options *from)
{
	assert(options_equal(to, from));
	to->place = from->place;
	for (size_t i = 0; i < to->n; i++)
		to->entries[i].place = from->entries[i].place;
}

bool options_equal(const struct options *a, const struct options *b)
{
	CHECK_OBJ(a, OPTIONS_MAGIC);
	CHECK_OBJ(b, OPTIONS_MAGIC);
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct entry *x = &a->entries[i], *y = &b->entries[i];
		if (strcmp(x->option->name, y->option->name) != 0 ||
		    x->option->type != y->option->type || x->written != y->written ||
		    !value_equal(&x->value, &y->value))
			return false;
	}
	return true;
}

/* `text` with "(secret)" for every `word`; both stay the caller's. */
static char *without(const char *text, const char *word)
{
	struct buf b = BUF_INIT(REPORTED_MAX);
	size_t len = strlen(word);
	const char *found;
	while (len > 0 && (found = strstr(text, word)) != NULL) {
		buf_add(&b, text, (size_t)(found - text));
		buf_add_str(&b, "(secret)");
		text = found + len;
	}
	buf_add_str(&b, text);
	char *clean = buf_take(&b);
	return clean == NULL ? xstrdup("is wrong") : clean;
}

/* A text about `entry` (or NULL) that quotes no secret; the caller frees. */
static char *without_secrets(const char *text, const struct entry *entry)
{
	if (entry == NULL || !entry->secret || entry->value.text == NULL)
		return xstrdup(text);
	char *clean = without(text, entry->value.text);
	for (char **item = entry->value.list; item != NULL && *item != NULL; item++) {
		char *cleaner = without(clean, *item);
		free(clean);
		clean = cleaner;
	}
	return clean;
}

void options_report(const struct options *options, const char *title, struct pb_error *err,
		    struct report *report)
{
	CHECK_OBJ(options, OPTIONS_MAGIC);
	for (const struct error_entry *e = err->first; e != NULL; e = e->next) {
		const char *key = e->option[0] == '\0' ? NULL : e->option;
		char *text = without_secrets(e->text, key == NULL ? NULL : entry_find(options, key));
		report_error(report, options_place(options, key), title, key, "%s", text);
		free(text);
	}
	error_free(err);
}
