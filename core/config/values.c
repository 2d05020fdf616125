/* values.c - one option's text to its value. */
#include "config/values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parse.h"
#include "config/suggest.h"

#define SHOWN_MAX 80		/* bytes of a wrong value that are quoted */
#define SHOWN_SIZE (SHOWN_MAX + sizeof "\"\"\xe2\x80\xa6")
#define PHRASE_MAX 4096

/* What is being parsed, for the helpers below. */
struct parsing {
	const struct pb_option *option;
	const char *text;
	bool hide;
	struct pb_error *err;
};

static const struct {
	const char *name;
	const char *expected;
	bool list, number;
} types[VALUE_TYPES] = {
	[PB_STRING] = { .name = "string", .expected = "a string" },
	[PB_SECRET] = { .name = "secret", .expected = "a secret" },
	[PB_CHOICE] = { .name = "choice", .expected = "one of its choices" },
	[PB_BOOL] = { .name = "yes or no", .expected = "yes or no" },
	[PB_INT] = { .name = "number", .expected = "a whole number", .number = true },
	[PB_DURATION] = { .name = "duration", .number = true,
			  .expected = "a number with its unit, such as 250ms, 30s, 5m, 2h or 7d" },
	[PB_SIZE] = { .name = "size", .number = true,
		      .expected = "a number of bytes or with a unit, such as 512, 64KiB or 16MiB" },
	[PB_LIST] = { .name = "list", .list = true,
		      .expected = "words or \"quoted strings\" between commas" },
	[PB_PATH] = { .name = "path", .expected = "an absolute path" },
	[PB_PATHS] = { .name = "list of paths", .list = true,
		       .expected = "absolute paths between commas" },
	[PB_ADDRESS] = { .name = "address", .expected = "HOST:PORT, [V6]:PORT or unix:/PATH" },
	[PB_ADDRESSES] = { .name = "list of addresses", .list = true,
			   .expected = "HOST:PORT, [V6]:PORT or unix:/PATH between commas" },
	[PB_URL] = { .name = "URL", .expected = "SCHEME://HOST and what follows" },
	[PB_TEMPLATE] = { .name = "template", .expected = "text with {{fields}}" },
};

bool value_is_list(enum pb_type type)
{
	return types[type].list;
}

bool value_is_number(enum pb_type type)
{
	return types[type].number;
}

const char *value_type_name(enum pb_type type)
{
	return types[type].name;
}

const char *value_article(enum pb_type type)
{
	return type == PB_BOOL ? "" : *types[type].name == 'a' ? "an " : "a ";
}

const char *value_expected(enum pb_type type)
{
	return types[type].expected;
}

/* `text` as an error may quote it: cut between characters, or hidden. */
static const char *shown(const struct parsing *p, const char *text, char out[static SHOWN_SIZE])
{
	if (p->hide || p->option->type == PB_SECRET || p->option->type == PB_URL)
		return p->option->type == PB_URL && !p->hide ? "this" : "(secret)";
	size_t len = strlen(text);
	bool cut = len > SHOWN_MAX;
	if (cut)
		for (len = SHOWN_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; )
			len--;
	snprintf(out, SHOWN_SIZE, "\"%.*s%s\"", (int)len, text, cut ? "\xe2\x80\xa6" : "");
	return out;
}

/* A hint for who wrote a comment behind a value. */
static const char *comment_hint(const struct parsing *p, const char *text)
{
	bool comment = *text == '#' || *text == ';' || strstr(text, " #") != NULL ||
		       strstr(text, " ;") != NULL;
	return comment && !p->hide ? ", and a comment on a line of its own" : "";
}

/* `text` is not of type `type`: the option's, or its items'. */
static bool wrong(const struct parsing *p, const char *text, enum pb_type type)
{
	char out[SHOWN_SIZE];
	error_add(p->err, p->option->name, "%s is not %s%s; expected %s%s", shown(p, text, out),
		  value_article(type), value_type_name(type), value_expected(type),
		  comment_hint(p, text));
	return false;
}

static bool wrong_because(const struct parsing *p, const char *text, const char *why)
{
	char out[SHOWN_SIZE];
	error_add(p->err, p->option->name, "%s %s", shown(p, text, out), why);
	return false;
}

static void add_number(struct buf *b, enum pb_type type, int64_t n)
{
	char text[PARSE_TEXT_SIZE];
	if (type == PB_INT)
		snprintf(text, sizeof text, "%" PRId64, n);
	else if (type == PB_DURATION)
		format_duration(n, text);
	else
		format_size(n, text);
	buf_add_str(b, text);
}

void value_limits(struct buf *b, const struct pb_option *o)
{
	if (!value_is_number(o->type) || (o->min == 0 && o->max == 0))
		return;
	bool least = o->min > (o->type == PB_INT ? INT64_MIN : 0), most = o->max < INT64_MAX;
	if (!most)
		buf_add_str(b, "at least ");
	else if (!least)
		buf_add_str(b, "at most ");
	if (least || !most)
		add_number(b, o->type, o->min);
	if (least && most)
		buf_add_str(b, " to ");
	if (most)
		add_number(b, o->type, o->max);
}

static bool out_of_range(const struct parsing *p)
{
	char out[SHOWN_SIZE];
	struct buf limits = BUF_INIT(PHRASE_MAX);
	value_limits(&limits, p->option);
	error_add(p->err, p->option->name, "%s is out of range%s%s", shown(p, p->text, out),
		  limits.len > 0 ? "; expected " : "", limits.len > 0 ? limits.data : "");
	buf_free(&limits);
	return false;
}

static bool parse_number(const struct parsing *p, int64_t *number)
{
	const struct pb_option *o = p->option;
	int r = o->type == PB_INT ? parse_int(p->text, number) :
		o->type == PB_DURATION ? parse_duration(p->text, number) :
		parse_size(p->text, number);
	if (r == -EINVAL)
		return wrong(p, p->text, p->option->type);
	if (r != 0)
		return out_of_range(p);
	bool limited = o->min != 0 || o->max != 0;
	if (limited && (*number < o->min || *number > o->max))
		return out_of_range(p);
	return true;
}

static bool parse_yes_no(const struct parsing *p, int64_t *number)
{
	bool yes;
	if (parse_bool(p->text, &yes) != 0)
		return wrong(p, p->text, p->option->type);
	*number = yes;
	return true;
}

static bool parse_choice(const struct parsing *p)
{
	struct buf all = BUF_INIT(PHRASE_MAX);
	struct suggest near;
	suggest_begin(&near, p->text);
	bool found = false;
	char *words = xstrdup(p->option->choices), *state = NULL;
	for (char *w = strtok_r(words, " ", &state); w != NULL; w = strtok_r(NULL, " ", &state)) {
		found = found || strcmp(w, p->text) == 0;
		suggest_offer(&near, w);
		buf_printf(&all, "%s%s", all.len > 0 ? ", " : "", w);
	}
	char out[SHOWN_SIZE], hint[SUGGEST_TEXT_SIZE];
	if (!found)
		error_add(p->err, p->option->name, "%s is not a choice; expected one of %s%s",
			  shown(p, p->text, out), all.data == NULL ? "none" : all.data,
			  p->hide ? "" : suggest_text(&near, hint));
	free(words);
	buf_free(&all);
	return found;
}

static bool is_url(const char *text)
{
	size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
	if (scheme == 0 || *text < 'a' || *text > 'z' || strncmp(text + scheme, "://", 3) != 0)
		return false;
	const char *host = text + scheme + 3;
	for (const char *c = host; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return strcspn(host, "/?#") > 0;
}

/* One word, which is the whole value or an item of a list. */
static bool check_word(const struct parsing *p, const char *word)
{
	struct address address;
	switch (p->option->type) {
	case PB_PATH:
	case PB_PATHS:
		return *word == '/' && strpbrk(word, "\n\t") == NULL ? true :
			wrong(p, word, PB_PATH);
	case PB_ADDRESS:
	case PB_ADDRESSES:
		switch (parse_address(word, &address)) {
		case 0:
			return true;
		case -ERANGE:
			return wrong_because(p, word, "is out of range; a port is 0 to 65535, a "
					     "Unix socket's path has at most 107 bytes");
		default:
			return wrong(p, word, PB_ADDRESS);
		}
	case PB_URL:
		return is_url(word) ? true : wrong(p, word, PB_URL);
	default:
		return true;
	}
}

/* `rest` is where it stops being a list. */
static bool wrong_list(const struct parsing *p, const char *rest)
{
	if (*rest == '\0' || strcmp(rest, ",") == 0)
		return wrong_because(p, p->text, "ends in the middle of a list");
	char out[SHOWN_SIZE];
	error_add(p->err, p->option->name, "is no list from %s on; expected %s%s",
		  shown(p, rest, out), value_expected(p->option->type), comment_hint(p, rest));
	return false;
}

static bool parse_items(const struct parsing *p, struct value *v)
{
	size_t size = strlen(p->text) + 1, n = 0;
	char *item = xcalloc(size, 1);
	const char *next = p->text;
	bool good = true;
	int more;
	while ((more = parse_list_next(&next, item, size)) == 1) {
		good = check_word(p, item) && good;
		v->list = xrealloc(v->list, n + 2, sizeof *v->list);
		v->list[n++] = xstrdup(item);
		v->list[n] = NULL;
	}
	free(item);
	return more < 0 ? wrong_list(p, next) : good;
}

static bool parse_template(const struct parsing *p, struct value *v)
{
	struct pb_error why;
	error_init(&why);
	v->template = template_compile(p->text, &why);
	if (v->template == NULL)
		error_add(p->err, p->option->name, "%s",
			  p->hide ? "(secret) is not a template" : error_text(&why));
	error_free(&why);
	return v->template != NULL;
}

static bool parse_typed(const struct parsing *p, struct value *v)
{
	switch (p->option->type) {
	case PB_CHOICE:
		return parse_choice(p);
	case PB_BOOL:
		return parse_yes_no(p, &v->number);
	case PB_INT:
	case PB_DURATION:
	case PB_SIZE:
		return parse_number(p, &v->number);
	case PB_LIST:
	case PB_PATHS:
	case PB_ADDRESSES:
		return parse_items(p, v);
	case PB_TEMPLATE:
		return parse_template(p, v);
	default:
		return check_word(p, p->text);
	}
}

static void set_empty(struct value *v, enum pb_type type)
{
	*v = (struct value){ .text = xstrdup("") };
	if (value_is_list(type))
		v->list = xcalloc(1, sizeof *v->list);
}

bool value_parse(struct value *v, const struct pb_option *option, const char *text, bool hide,
		 struct pb_error *err)
{
	struct parsing p = { .option = option, .text = text, .hide = hide, .err = err };
	*v = (struct value){ 0 };
	bool good = *text == '\0' || parse_typed(&p, v);
	if (!good || *text == '\0') {
		value_free(v);
		set_empty(v, option->type);
	} else {
		v->text = xstrdup(text);
	}
	return good;
}

void value_free(struct value *v)
{
	for (char **item = v->list; item != NULL && *item != NULL; item++)
		free(*item);
	free(v->list);
	template_free(v->template);
	if (v->text != NULL)
		explicit_bzero(v->text, strlen(v->text));
	free(v->text);
	*v = (struct value){ 0 };
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->number != b->number)
		return false;
	if (a->list == NULL || b->list == NULL)
		return a->list == b->list &&
		       (a->number != 0 || strcmp(a->text, b->text) == 0);
	size_t i = 0;
	while (a->list[i] != NULL && b->list[i] != NULL && strcmp(a->list[i], b->list[i]) == 0)
		i++;
	return a->list[i] == NULL && b->list[i] == NULL;
}
