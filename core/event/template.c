/* template.c - a text with fields in it: a list of parts, each a run of text or a field. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/span.h"
#include "event/json.h"
#include "event/scan.h"
#include "event/template.h"

#define TEMPLATE_MAGIC 0x74656d70u
#define BATCH 16	/* paths that the scanner finds in one pass */

enum form { FORM_TEXT, FORM_JSON, FORM_URL };

struct part {
	enum form form;
	bool literal;
	char *text;		/* as it stands, or the field's name as written */
	const char *path;	/* of the body, inside `text`; NULL: an attribute */
};

struct template {
	unsigned magic;
	struct part *parts;
	size_t n;
};

static struct part *add_part(struct template *t, const char *text, size_t len)
{
	struct part *part;

	/* 8, 16, 32, … */
	if (t->n == 0 || (t->n >= 8 && (t->n & (t->n - 1)) == 0))
		t->parts = xrealloc(t->parts, t->n == 0 ? 8 : t->n * 2, sizeof *t->parts);
	part = &t->parts[t->n++];
	*part = (struct part){ .text = xcalloc(1, len + 1) };
	memcpy(part->text, text, len);
	return part;
}

static void add_literal(struct template *t, const char *text, size_t len)
{
	if (len > 0)
		add_part(t, text, len)->literal = true;
}

static bool name_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-");

	return len > 0 && name[len] == '\0';
}

/* The form that `tag` begins with, if any; *tag moves past it. */
static enum form take_form(const char **tag, const char *end)
{
	static const struct {
		const char *word;
		enum form form;
	} forms[] = { { "json ", FORM_JSON }, { "url ", FORM_URL } };

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t len = strlen(forms[i].word);

		if ((size_t)(end - *tag) > len && strncmp(*tag, forms[i].word, len) == 0) {
			*tag += len;
			return forms[i].form;
		}
	}
	return FORM_TEXT;
}

static void trim(const char **s, const char **end)
{
	while (*s < *end && **s == ' ')
		++*s;
	while (*end > *s && (*end)[-1] == ' ')
		--*end;
}

/* What stands between {{ and }}. */
static bool add_field(struct template *t, const char *tag, const char *end)
{
	enum form form;
	struct part *part;

	trim(&tag, &end);
	form = take_form(&tag, end);
	trim(&tag, &end);
	part = add_part(t, tag, (size_t)(end - tag));
	part->form = form;
	if (strcmp(part->text, "data") == 0)
		part->path = part->text + 4;
	else if (strncmp(part->text, "data.", 5) == 0)
		part->path = part->text + 5;
	return part->path != NULL ? strlen(part->text) != 5 : name_ok(part->text);
}

static bool say_unclosed(struct pb_error *err, ptrdiff_t at)
{
	error_add(err, NULL, "\"{{\" at byte %td has no \"}}\"; \"{{{{\" stands for it", at);
	return false;
}

static bool say_bad(struct pb_error *err, ptrdiff_t at, const char *tag, ptrdiff_t len)
{
	error_add(err, NULL, "\"{{%.*s}}\" at byte %td: expected {{NAME}}, {{json NAME}} or "
		  "{{url NAME}}, NAME being an attribute, data or data.FIELD",
		  len > 100 ? 100 : (int)len, tag, at);
	return false;
}

static bool compile(struct template *t, const char *text, struct pb_error *err)
{
	const char *rest = text, *open, *end;

	while ((open = strstr(rest, "{{")) != NULL) {
		add_literal(t, rest, (size_t)(open - rest));
		if (strncmp(open, "{{{{", 4) == 0) {
			add_literal(t, "{{", 2);
			rest = open + 4;
			continue;
		}
		end = strstr(open, "}}");
		if (end == NULL)
			return say_unclosed(err, open - text);
		if (!add_field(t, open + 2, end))
			return say_bad(err, open - text, open + 2, end - open - 2);
		rest = end + 2;
	}
	add_literal(t, rest, strlen(rest));
	return true;
}

struct template *template_compile(const char *text, struct pb_error *err)
{
	struct template *t = xcalloc(1, sizeof *t);

	t->magic = TEMPLATE_MAGIC;
	if (!compile(t, text, err)) {
		template_free(t);
		return NULL;
	}
	return t;
}

void template_free(struct template *t)
{
	if (t == NULL)
		return;
	CHECK_OBJ(t, TEMPLATE_MAGIC);
	for (size_t i = 0; i < t->n; i++)
		free(t->parts[i].text);
	free(t->parts);
	t->magic = 0;
	free(t);
}

static int add_url(struct buf *to, struct pb_span text)
{
	const unsigned char *s = text.data;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < text.len; i++) {
		bool unreserved = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
				  (s[i] >= '0' && s[i] <= '9') || s[i] == '-' || s[i] == '.' ||
				  s[i] == '_' || s[i] == '~';

		rc = unreserved ? buf_add_char(to, (char)s[i]) : buf_printf(to, "%%%02X", s[i]);
	}
	return rc;
}

static int add_text(struct buf *to, enum form form, struct pb_span text)
{
	switch (form) {
	case FORM_JSON:
		return json_quote(to, text);
	case FORM_URL:
		return add_url(to, text);
	default:
		/* What takes a text may take it for a string of C. */
		if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
			return -EINVAL;
		return buf_add(to, text.data, text.len);
	}
}

/* A field of the body, or the body; `json` is valid. */
static int add_json(struct buf *to, enum form form, struct pb_span json)
{
	struct buf text = BUF_INIT(json.len);
	int rc;

	if (form == FORM_JSON)
		return buf_add(to, json.data, json.len);
	rc = json_unquote(&text, json);
	if (rc == 0)
		rc = add_text(to, form, buf_span(&text));
	buf_free(&text);
	return rc;
}

static int add_attribute(struct buf *to, const struct part *part, const struct pb_event *ev)
{
	const char *value = event_attr(ev, part->text);
	char time[TIME_TEXT_SIZE];

	if (strcmp(part->text, "time") == 0) {
		time_format(event_time(ev), time);
		value = time;
	}
	return value == NULL ? -ENOENT : add_text(to, part->form, span_str(value));
}

/* The body as it came in; as JSON a string of it if it is none itself. */
static int add_body(struct buf *to, enum form form, struct pb_span body)
{
	if (form == FORM_JSON && scan_valid(body, NULL))
		return buf_add(to, body.data, body.len);
	return add_text(to, form, body);
}

/* Find what the next fields of the body name, from part `i` on; how many there were. */
static size_t find_batch(const struct template *t, size_t i, struct pb_span body,
			 struct pb_span found[static BATCH])
{
	const char *paths[BATCH];
	size_t n = 0;

	for (; i < t->n && n < BATCH; i++)
		if (t->parts[i].path != NULL && *t->parts[i].path != '\0')
			paths[n++] = t->parts[i].path;
	scan_find_all(body, paths, n, found);
	return n;
}

/* The values that one pass over the body has found, and how many are used up. */
struct batch {
	struct pb_span found[BATCH];
	size_t n, used;
};

static int render_part(const struct template *t, size_t i, const struct pb_event *ev,
		       struct batch *batch, struct buf *out)
{
	const struct part *part = &t->parts[i];
	struct pb_span body = event_body(ev), value;

	if (part->literal)
		return buf_add_str(out, part->text);
	if (part->path == NULL)
		return add_attribute(out, part, ev);
	if (*part->path == '\0')
		return add_body(out, part->form, body);
	if (batch->used == batch->n) {
		batch->n = find_batch(t, i, body, batch->found);
		batch->used = 0;
	}
	value = batch->found[batch->used++];
	return value.data == NULL ? -ENOENT : add_json(out, part->form, value);
}

int template_render(const struct template *t, const struct pb_event *ev, struct buf *out,
		    const char **missing)
{
	struct batch batch;
	size_t before = out->len;
	int rc = buf_reserve(out, 0);

	CHECK_OBJ(t, TEMPLATE_MAGIC);
	batch.n = batch.used = 0;
	*missing = NULL;
	for (size_t i = 0; rc == 0 && i < t->n; i++) {
		rc = render_part(t, i, ev, &batch, out);
		if (rc == -ENOENT || rc == -EINVAL)
			*missing = t->parts[i].text;
	}
	if (rc < 0 && out->data != NULL) {
		out->len = before;
		out->data[before] = '\0';
	}
	return rc;
}
