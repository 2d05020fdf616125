/* wire-value.c - values of either encoding, as what they stand for. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

bool wire_fail(struct wire_fault *fault, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(fault->text, sizeof fault->text, fmt, args);
	va_end(args);
	return false;
}

bool wire_is(struct pb_span text, const char *what)
{
	size_t len = strlen(what);
	return text.len == len && memcmp(text.data, what, len) == 0;
}

bool wire_open(enum wire_format format, struct pb_span frame, struct pb_span *kind, struct wire_value *body,
	       struct wire_fault *fault)
{
	bool open = format == WIRE_JSON ? wire_json_open(frame, kind, body, fault)
					: wire_msgpack_open(frame, kind, body, fault);
	if (open && body->type != WIRE_MAP)
		return wire_fail(fault, "what belongs to its kind is not a map");
	return open;
}

void wire_begin(struct wire_cursor *c, const struct wire_value *in)
{
	*c = (struct wire_cursor){ .in = *in, .rest = in->raw };
	if (in->format == WIRE_MSGPACK)
		wire_msgpack_begin(c);
}

bool wire_next(struct wire_cursor *c, struct pb_span *key, struct wire_value *value)
{
	return c->in.format == WIRE_MSGPACK ? wire_msgpack_next(c, key, value) : wire_json_next(c, key, value);
}

/* Names that stand in a message are the program's: only so much of them is said again. */
#define SHOWN(span) ((span).len < 40 ? (int)(span).len : 40), (const char *)(span).data

static bool take_field(const struct wire_field *field, const struct wire_value *value, struct wire_value *out,
		       struct wire_fault *fault)
{
	if (out->type != WIRE_ABSENT)
		return wire_fail(fault, "\"%s\" twice", field->name);
	if (value->type == WIRE_NULL && (field->types & WIRE_NULL) == 0)
		return true;
	if ((field->types & value->type) == 0)
		return wire_fail(fault, "\"%s\" is of the wrong type", field->name);
	*out = *value;
	return true;
}

bool wire_fields(const struct wire_value *map, const struct wire_field fields[], size_t n, struct wire_value out[],
		 struct pb_span *unknown, struct wire_fault *fault)
{
	struct wire_cursor c;
	struct pb_span key;
	struct wire_value value;
	if (map->type != WIRE_MAP)
		return wire_fail(fault, "not a map where one belongs");
	for (size_t i = 0; i < n; i++)
		out[i] = (struct wire_value){ .format = map->format };
	wire_begin(&c, map);
	while (wire_next(&c, &key, &value)) {
		size_t i = 0;
		while (i < n && !wire_is(key, fields[i].name))
			i++;
		if (i == n && (key.len < 2 || memcmp(key.data, "x_", 2) != 0))
			*unknown = key;
		if (i < n && !take_field(&fields[i], &value, &out[i], fault))
			return false;
	}
	for (size_t i = 0; i < n; i++)
		if (fields[i].required && out[i].type == WIRE_ABSENT)
			return wire_fail(fault, "\"%s\" is missing", fields[i].name);
	return true;
}

/* Digits alone: a fraction or an exponent is no integer here. */
static bool json_int(struct pb_span raw, int64_t *to)
{
	const char *s = raw.data;
	bool negative = *s == '-';
	int64_t n = 0;
	if (raw.len > 18)
		return false;
	for (size_t i = negative; i < raw.len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (s[i] - '0');
	}
	*to = negative ? -n : n;
	return true;
}

bool wire_int(const struct wire_value *value, int64_t min, int64_t max, int64_t *to)
{
	if (value->type != WIRE_NUMBER)
		return false;
	bool is_int = value->format == WIRE_JSON ? json_int(value->raw, to) : wire_msgpack_int(value, to);
	return is_int && *to >= min && *to <= max;
}

bool wire_is_true(const struct wire_value *value)
{
	if (value->type != WIRE_BOOL)
		return false;
	return *(const unsigned char *)value->raw.data == (value->format == WIRE_JSON ? 't' : 0xc3);
}

static struct pb_span json_content(const struct wire_value *value)
{
	return (struct pb_span){ (const char *)value->raw.data + 1, value->raw.len - 2 };
}

int wire_content(const struct wire_value *value, struct pb_bytes *to)
{
	size_t before = to->len;
	bool added;
	if (value->type != WIRE_TEXT && value->type != WIRE_BYTES)
		return -EINVAL;
	if (value->format == WIRE_JSON) {
		added = wire_unescape(to, json_content(value));
	} else {
		struct pb_span content = wire_msgpack_content(value);
		added = wire_bytes_add(to, content.data, content.len);
	}
	if (!added)
		to->len = before;
	return added ? 0 : -ENOMEM;
}

static long copied(char *to, size_t size, struct pb_span text)
{
	if (text.len >= size)
		return -ERANGE;
	if (text.len > 0)
		memcpy(to, text.data, text.len);
	to[text.len] = '\0';
	return memchr(to, '\0', text.len) == NULL ? (long)text.len : -EINVAL;
}

static long unescaped(char *to, size_t size, struct pb_span raw)
{
	struct pb_bytes text = { 0 };
	long len = -ENOMEM;
	if (raw.len > 6 * size)
		return -ERANGE;
	if (wire_unescape(&text, raw))
		len = copied(to, size, (struct pb_span){ text.data, text.len });
	free(text.data);
	return len;
}

static long scalar(const struct wire_value *value, char *to, size_t size)
{
	if (value->type == WIRE_BOOL)
		return copied(to, size, wire_is_true(value) ? (struct pb_span){ "true", 4 } :
							      (struct pb_span){ "false", 5 });
	if (value->type != WIRE_NUMBER)
		return -EINVAL;
	if (value->format == WIRE_JSON)
		return copied(to, size, value->raw);
	int len = wire_msgpack_number(value, to, size);
	return (size_t)len < size ? len : -ERANGE;
}

long wire_text(const struct wire_value *value, char *to, size_t size)
{
	if (value->type != WIRE_TEXT && value->type != WIRE_BYTES)
		return scalar(value, to, size);
	if (value->format == WIRE_MSGPACK)
		return copied(to, size, wire_msgpack_content(value));
	struct pb_span raw = json_content(value);
	return memchr(raw.data, '\\', raw.len) == NULL ? copied(to, size, raw) : unescaped(to, size, raw);
}

void wire_text_cut(const struct wire_value *value, char *to, size_t size)
{
	struct pb_bytes text = { 0 };
	size_t len = 0;
	if (wire_content(value, &text) == 0 && text.len > 0) {
		len = strnlen(text.data, text.len < size ? text.len : size - 1);
		memcpy(to, text.data, len);
		/* Not in the middle of a character. */
		for (size_t at = len; len < text.len && at-- > 0 && len - at < 4; )
			if (((unsigned char)text.data[at] & 0xc0) == 0xc0) {
				len = wire_utf8(text.data + at, len - at) == 0 ? at : len;
				break;
			}
	}
	to[len] = '\0';
	free(text.data);
}
