/* options.c - sections that are right, wrong, or at the edge. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "config/values.h"
#include "conform/growth.h"
#include "conform/rules.h"

#define LONG_LEN 60000
#define VALUES 6
#define CHECKS 400
#define SECRET_LEAST 4		/* bytes; a shorter one stands in a line by chance */

/* What each type rules out, whatever the limits. */
static const char *const refused[VALUE_TYPES][VALUES] = {
	[PB_CHOICE] = { "no-such-word" },
	[PB_BOOL] = { "perhaps", "1" },
	[PB_INT] = { "many", "1.5", "99999999999999999999" },
	[PB_DURATION] = { "5", "soon", "99999999999999d" },
	[PB_SIZE] = { "large", "-1", "99999999999999TiB" },
	[PB_LIST] = { "a,,b", "\"a" },
	[PB_PATH] = { "relative/path" },
	[PB_PATHS] = { "relative/path" },
	[PB_ADDRESS] = { "nowhere", "127.0.0.1:99999", "unix:relative" },
	[PB_ADDRESSES] = { "nowhere", "127.0.0.1:99999" },
	[PB_URL] = { "no url" },
	[PB_TEMPLATE] = { "{{" },
};

/* What each lets pass and a plugin may not expect. */
static const char *const edges[VALUE_TYPES][VALUES] = {
	[PB_STRING] = { "%s%n%99999999d", "\xc3\xa4\xf0\x9f\x92\xa9", "../../x", "0", "*" },
	[PB_SECRET] = { "%s%n%99999999d", "\xc3\xa4" },
	[PB_BOOL] = { "yes", "no" },
	[PB_INT] = { "0" },
	[PB_DURATION] = { "0" },
	[PB_SIZE] = { "0" },
	[PB_LIST] = { "\"\"", "a, a, a", "\"a,b\", \"%n\"" },
	[PB_PATH] = { "/", "/dev/null", "/proc/self/no/such/file", "/dev/full" },
	[PB_PATHS] = { "/", "/proc/self/no/such/file, /dev/null", "/*, /[" },
	[PB_ADDRESS] = { "127.0.0.1:0", "[::1]:0", "no-such-host.invalid:1", "unix:/proc/self/no/such/file" },
	[PB_ADDRESSES] = { "127.0.0.1:0", "unix:/proc/self/no/such/file" },
	[PB_URL] = { "http://127.0.0.1:1/", "https://[::1]:1/%00?a=%", "http://no-such-host.invalid/" },
	[PB_TEMPLATE] = { "{{type}}", "{{data.no.such.field}}", "%s%n" },
};

static const struct pb_option *table_of(const struct check *c)
{
	const struct pb_plugin *p = c->plugin;
	const struct pb_option *table = c->kind == KIND_SOURCE ? p->source->options :
					c->kind == KIND_FILTER ? p->filter->options : p->sink->options;
	return table;
}

static const struct pb_option *need_options(struct check *c)
{
	const struct pb_option *table = table_of(c);
	if (table == NULL || table->name == NULL)
		check_skip(c, "it has no options of its own");
	return table;
}

void options_opens(struct check *c)
{
	box_load(c);
	struct pbt_instance *in = box_try(c, "test", NULL, NULL, NULL);
	if (in == NULL) {
		const char *errors = pbt_errors(c->host), *end = strchr(errors, '\n');
		fputs(end == NULL ? "" : end + 1, stderr);	/* a reason is one line: here is the rest */
		c->told->refused = true;
		check_fail(c, "it does not: %s", errors);
	}
	box_close(c, in);
	box_free(c, false);
}

/* The number as its type is written; false when it cannot be. */
static bool write_number(const struct pb_option *o, int64_t number, char text[static 32])
{
	if (number < 0 && o->type != PB_INT)
		return false;
	snprintf(text, 32, "%" PRId64 "%s", number, o->type == PB_DURATION ? "ms" : "");
	return true;
}

/* Is it refused in a line that names place and option? */
static void must_refuse(struct check *c, const struct pb_option *o, const char *value)
{
	unsigned line;
	char place[DOING_MAX];
	struct pbt_instance *in = box_try(c, "test", &(struct given){ (char *)o->name, value }, NULL, &line);
	if (in != NULL)
		check_fail(c, "%s = %s is taken", o->name, value);
	snprintf(place, sizeof place, "test.ini:%u: [%s test] %s: ", line, kind_name(c->kind), o->name);
	const char *said = strstr(pbt_errors(c->host), place);
	if (said == NULL || said[strlen(place)] == '\n')
		check_fail(c, "%s = %s is not refused at its line: %s", o->name, value, pbt_errors(c->host));
}

static void refuse_beyond(struct check *c, const struct pb_option *o)
{
	char text[32];
	if (o->min == 0 && o->max == 0)
		return;
	if (o->min > INT64_MIN && write_number(o, o->min - 1, text))
		must_refuse(c, o, text);
	if (o->max < INT64_MAX && write_number(o, o->max + 1, text))
		must_refuse(c, o, text);
}

static void miss(struct check *c, const struct pb_option *o)
{
	struct pbt_instance *in = box_try(c, "test", NULL, o->name, NULL);
	if (in != NULL)
		check_fail(c, "it opens without %s, which is required", o->name);
	if (strstr(pbt_errors(c->host), o->name) == NULL)
		check_fail(c, "that %s is missing is not said: %s", o->name, pbt_errors(c->host));
}

void options_refused(struct check *c)
{
	box_load(c);
	/* So that it has run: it must not change its table. */
	struct pbt_instance *in = box_try(c, "test", NULL, NULL, NULL);
	if (in != NULL)
		box_close(c, in);
	for (const struct pb_option *o = need_options(c); o->name != NULL; o++) {
		for (size_t i = 0; i < VALUES && refused[o->type][i] != NULL; i++)
			must_refuse(c, o, refused[o->type][i]);
		if (value_is_number(o->type))
			refuse_beyond(c, o);
		if (o->value == NULL)
			miss(c, o);
	}
	box_free(c, false);
}

/* Open with this value, or be refused; `refusal` is told of that. */
static void try_value(struct check *c, const struct pb_option *o, const char *value,
		      void (*refusal)(struct check *, const struct pb_option *, const char *value))
{
	struct pbt_instance *in = box_try(c, "test", &(struct given){ (char *)o->name, value }, NULL, NULL);
	doing(c, "with %s = %.60s%s", o->name, value, strlen(value) > 60 ? "…" : "");
	if (in != NULL)
		pbt_close(in);
	else if (refusal != NULL)
		refusal(c, o, value);
}

static void try_choices(struct check *c, const struct pb_option *o,
			void (*refusal)(struct check *, const struct pb_option *, const char *))
{
	char *words = xstrdup(o->choices), *rest = words, *word;
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			try_value(c, o, word, refusal);
	free(words);
}

static void try_long(struct check *c, const struct pb_option *o,
		     void (*refusal)(struct check *, const struct pb_option *, const char *))
{
	char *text = xcalloc(1, LONG_LEN + 1);
	memset(text, 'a', LONG_LEN);
	if (o->type == PB_PATH || o->type == PB_PATHS)
		*text = '/';
	if (o->type == PB_URL)
		memcpy(text, "http://127.0.0.1:1/", 19);
	try_value(c, o, text, refusal);
	free(text);
}

static void try_edges(struct check *c, const struct pb_option *o,
		      void (*refusal)(struct check *, const struct pb_option *, const char *))
{
	char text[32];
	for (size_t i = 0; i < VALUES && edges[o->type][i] != NULL; i++)
		try_value(c, o, edges[o->type][i], refusal);
	if (value_is_number(o->type)) {
		bool limited = o->min != 0 || o->max != 0;
		if (write_number(o, limited ? o->min : INT64_MIN, text))
			try_value(c, o, text, refusal);
		if (write_number(o, limited ? o->max : INT64_MAX, text))
			try_value(c, o, text, refusal);
	} else if (o->type == PB_CHOICE) {
		try_choices(c, o, refusal);
	} else if (o->type != PB_BOOL && o->type != PB_ADDRESS && o->type != PB_ADDRESSES) {
		try_long(c, o, refusal);
	}
}

void options_edges(struct check *c)
{
	box_load(c);
	for (const struct pb_option *o = need_options(c); o->name != NULL; o++)
		try_edges(c, o, NULL);
	box_free(c, false);
}

static void must_say_why(struct check *c, const struct pb_option *o, const char *value)
{
	const char *said = pbt_errors(c->host);
	if (strstr(said, "gave no reason") != NULL)
		check_fail(c, "%s = %.60s: open() returned NULL without pb_error()", o->name, value);
	for (const char *line = said; *line != '\0'; line = strchr(line, '\n') + 1) {
		const char *text = strstr(line, "] "), *own = strstr(line, "]: ");
		if (text == NULL && own != NULL)	/* at the section itself */
			text = own + 1;
		if (text == NULL || text[2] == '\n' || text[2] == '\0')
			check_fail(c, "%s = %.60s: refused with no words", o->name, value);
	}
}

void options_reasons(struct check *c)
{
	box_load(c);
	for (const struct pb_option *o = need_options(c); o->name != NULL; o++)
		try_edges(c, o, must_say_why);
	box_free(c, false);
}

void options_check(struct check *c)
{
	box_load(c);
	struct pbt_instance *in = box_open(c, "test");
	void (*check)(struct pb_self *, struct pb_error *) =
		c->kind == KIND_SOURCE ? c->plugin->source->check :
		c->kind == KIND_FILTER ? c->plugin->filter->check : c->plugin->sink->check;
	if (check == NULL)
		check_skip(c, "it has no check()");
	struct growth growth;
	growth_begin(&growth, CHECKS);
	doing(c, "in check()");
	while (growth_round(&growth)) {
		struct pb_error err;
		error_init(&err);
		check(pbt_self(in), &err);
		if (err.count > 0)
			check_fail(c, "the options with which it opened are wrong when it is asked again: %s",
				   error_text(&err));
		error_free(&err);
	}
	growth_end(c, &growth, true, "check()");
	box_close(c, in);
	box_free(c, false);
}

void options_secrets(struct check *c)
{
	box_load(c);
	struct pbt_instance *in = box_open(c, "test");
	size_t n = 0;
	if (c->kind == KIND_SOURCE)
		box_start(c, in);
	work(c, in);
	for (const struct pb_option *o = table_of(c); o != NULL && o->name != NULL; o++) {
		if (o->type != PB_SECRET || strlen(pb_str(pbt_self(in), o->name)) < SECRET_LEAST)
			continue;
		n++;
		if (pbt_logged(c->host, pb_str(pbt_self(in), o->name)))
			check_fail(c, "that of %s is", o->name);
	}
	if (n == 0)
		check_skip(c, "no option of type PB_SECRET is given");
}
