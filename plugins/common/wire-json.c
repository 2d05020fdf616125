/* wire-json.c - messages that are JSON: the core's scanner checks them and finds what is in them. */
#include <string.h>

#include "common/wire.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct pb_span trim(struct pb_span text)
{
	const char *s = text.data, *end = s + text.len;
	while (s < end && is_space(*s))
		s++;
	while (s < end && is_space(end[-1]))
		end--;
	return (struct pb_span){ s, (size_t)(end - s) };
}

static enum wire_type type_of(struct pb_span raw)
{
	switch (*(const char *)raw.data) {
	case '{':
		return WIRE_MAP;
	case '[':
		return WIRE_LIST;
	case '"':
		return WIRE_TEXT;
	case 't':
	case 'f':
		return WIRE_BOOL;
	case 'n':
		return WIRE_NULL;
	default:
		return WIRE_NUMBER;
	}
}

static struct pb_span unquoted(struct pb_span key)
{
	return (struct pb_span){ (const char *)key.data + 1, key.len - 2 };
}

/* pb_each() looks into the one value it comes to as a whole, so once the message is a map of one it is
 * JSON throughout. */
bool wire_json_open(struct pb_span frame, struct pb_span *kind, struct wire_value *body, struct wire_fault *fault)
{
	struct pb_span rest = trim(frame), key, value;
	if (rest.len == 0 || *(const char *)rest.data != '{')
		return wire_fail(fault, "not a JSON object");
	if (!pb_each(&rest, &key, &value) || key.data == NULL)
		return wire_fail(fault, "not valid JSON, or an object without a member");
	rest = trim(rest);
	if (rest.len == 0 || *(const char *)rest.data != '}')
		return wire_fail(fault, "not valid JSON, or more than one member");
	if (rest.len > 1)
		return wire_fail(fault, "something behind the JSON object");
	*kind = unquoted(key);
	*body = (struct wire_value){ .format = WIRE_JSON, .type = type_of(value), .raw = value };
	return true;
}

bool wire_json_next(struct wire_cursor *c, struct pb_span *key, struct wire_value *to)
{
	struct pb_span value;
	if (!pb_each(&c->rest, key, &value))
		return false;
	if (key->data != NULL)
		*key = unquoted(*key);
	*to = (struct wire_value){ .format = WIRE_JSON, .type = type_of(value), .raw = value };
	return true;
}
