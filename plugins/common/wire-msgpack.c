/* wire-msgpack.c - messages that are msgpack, read in place once every length was checked. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/wire.h"

/* What stands at a place: its type, the bytes of its head and of its content, the items inside it. */
struct item {
	enum wire_type type;
	size_t head, content, items;
};

static uint64_t number_at(const unsigned char *s, size_t width)
{
	uint64_t n = 0;
	while (width-- > 0)
		n = n << 8 | *s++;
	return n;
}

/* For 0xc0 to 0xdf: the type, how wide its length is, else how long its content. */
static const struct {
	unsigned char type, width, content;
} kinds[32] = {
	[0x00] = { WIRE_NULL, 0, 0 }, [0x02] = { WIRE_BOOL, 0, 0 }, { WIRE_BOOL, 0, 0 },
	[0x04] = { WIRE_BYTES, 1, 0 }, { WIRE_BYTES, 2, 0 }, { WIRE_BYTES, 4, 0 },
	[0x0a] = { WIRE_NUMBER, 0, 4 }, { WIRE_NUMBER, 0, 8 },
	[0x0c] = { WIRE_NUMBER, 0, 1 }, { WIRE_NUMBER, 0, 2 }, { WIRE_NUMBER, 0, 4 }, { WIRE_NUMBER, 0, 8 },
	[0x10] = { WIRE_NUMBER, 0, 1 }, { WIRE_NUMBER, 0, 2 }, { WIRE_NUMBER, 0, 4 }, { WIRE_NUMBER, 0, 8 },
	[0x19] = { WIRE_TEXT, 1, 0 }, { WIRE_TEXT, 2, 0 }, { WIRE_TEXT, 4, 0 },
	[0x1c] = { WIRE_LIST, 2, 0 }, { WIRE_LIST, 4, 0 },
	[0x1e] = { WIRE_MAP, 2, 0 }, { WIRE_MAP, 4, 0 },
};

static void item_small(unsigned char byte, struct item *item)
{
	*item = (struct item){ .type = WIRE_NUMBER, .head = 1 };
	if (byte >= 0x80 && byte < 0x90)
		*item = (struct item){ .type = WIRE_MAP, .head = 1, .items = 2 * (byte & 0x0fu) };
	else if (byte >= 0x90 && byte < 0xa0)
		*item = (struct item){ .type = WIRE_LIST, .head = 1, .items = byte & 0x0fu };
	else if (byte >= 0xa0 && byte < 0xc0)
		*item = (struct item){ .type = WIRE_TEXT, .head = 1, .content = byte & 0x1fu };
}

/* False: it is cut off, or of no type of ours (extensions). */
static bool item_at(const unsigned char *s, size_t left, struct item *item)
{
	if (left == 0)
		return false;
	if (*s < 0xc0 || *s >= 0xe0) {
		item_small(*s, item);
	} else {
		unsigned i = *s & 0x1fu, width = kinds[i].width;
		if (kinds[i].type == WIRE_ABSENT || left <= width)
			return false;
		*item = (struct item){ .type = kinds[i].type, .head = 1 + width, .content = kinds[i].content };
		size_t n = (size_t)number_at(s + 1, width);
		if (item->type == WIRE_LIST || item->type == WIRE_MAP)
			item->items = item->type == WIRE_MAP ? 2 * n : n;
		else if (width > 0)
			item->content = n;
	}
	return item->content <= left - item->head && item->items <= left - item->head;
}

/* One value fills all of it, no deeper than it may be. */
static bool is_whole(struct pb_span data)
{
	size_t open[WIRE_NESTING_MAX + 1] = { 1 }, depth = 1;
	const unsigned char *s = data.data;
	size_t left = data.len;
	while (depth > 0) {
		struct item item;
		if (open[depth - 1] == 0) {
			depth--;
			continue;
		}
		if (!item_at(s, left, &item))
			return false;
		s += item.head + item.content;
		left -= item.head + item.content;
		open[depth - 1]--;
		if (item.items > 0) {
			if (depth > WIRE_NESTING_MAX)
				return false;
			open[depth++] = item.items;
		}
	}
	return left == 0;
}

/* The value at the front of what is left, which is_whole() has passed. */
static struct wire_value take(struct pb_span *rest)
{
	const unsigned char *s = rest->data;
	struct wire_value value = { .format = WIRE_MSGPACK, .raw = { s, 0 } };
	size_t wanted = 1, left = rest->len;
	for (bool first = true; wanted > 0; wanted--, first = false) {
		struct item item;
		item_at(s, left, &item);
		if (first)
			value.type = item.type;
		s += item.head + item.content;
		left -= item.head + item.content;
		wanted += item.items;
	}
	value.raw.len = rest->len - left;
	*rest = (struct pb_span){ s, left };
	return value;
}

bool wire_msgpack_open(struct pb_span frame, struct pb_span *kind, struct wire_value *body, struct wire_fault *fault)
{
	if (!is_whole(frame))
		return wire_fail(fault, "not one whole msgpack value, or of a type that is none of ours");
	struct wire_value whole = take(&(struct pb_span){ frame.data, frame.len });
	struct wire_cursor c;
	wire_begin(&c, &whole);
	if (whole.type != WIRE_MAP || c.left != 1)
		return wire_fail(fault, "not a msgpack map of one member");
	if (!wire_msgpack_next(&c, kind, body))
		return wire_fail(fault, "its key is no text");
	return true;
}

void wire_msgpack_begin(struct wire_cursor *c)
{
	const unsigned char *s = c->in.raw.data;
	struct item item;
	item_at(s, c->in.raw.len, &item);
	c->left = c->in.type == WIRE_MAP ? item.items / 2 : item.items;
	c->rest = (struct pb_span){ s + item.head, c->in.raw.len - item.head };
}

bool wire_msgpack_next(struct wire_cursor *c, struct pb_span *key, struct wire_value *to)
{
	*key = (struct pb_span){ NULL, 0 };
	if (c->left == 0)
		return false;
	c->left--;
	if (c->in.type == WIRE_MAP) {
		struct wire_value name = take(&c->rest);
		*key = name.type == WIRE_TEXT ? wire_msgpack_content(&name) : (struct pb_span){ "\\", 1 };
	}
	*to = take(&c->rest);
	return true;
}

struct pb_span wire_msgpack_content(const struct wire_value *value)
{
	struct item item;
	const unsigned char *s = value->raw.data;
	item_at(s, value->raw.len, &item);
	return (struct pb_span){ s + item.head, item.content };
}

bool wire_msgpack_int(const struct wire_value *value, int64_t *to)
{
	const unsigned char *s = value->raw.data;
	if (*s < 0x80 || *s >= 0xe0) {
		*to = (int8_t)*s;
		return true;
	}
	size_t width = value->raw.len - 1;
	uint64_t n = number_at(s + 1, width);
	if (*s >= 0xcc && *s <= 0xcf) {
		*to = (int64_t)n;
		return n <= INT64_MAX;
	}
	unsigned unused = (unsigned)(64 - 8 * width);
	*to = (int64_t)(n << unused) >> unused;
	return *s >= 0xd0 && *s <= 0xd3;
}

int wire_msgpack_number(const struct wire_value *value, char *to, size_t size)
{
	const unsigned char *s = value->raw.data;
	int64_t n;
	if (wire_msgpack_int(value, &n))
		return snprintf(to, size, "%" PRId64, n);
	uint64_t bits = number_at(s + 1, value->raw.len - 1);
	if (*s == 0xcf)
		return snprintf(to, size, "%" PRIu64, bits);
	double real = 0;
	float single;
	uint32_t half = (uint32_t)bits;
	if (*s == 0xca) {
		memcpy(&single, &half, sizeof single);
		real = (double)single;
	} else {
		memcpy(&real, &bits, sizeof real);
	}
	return snprintf(to, size, "%.17g", real);
}
