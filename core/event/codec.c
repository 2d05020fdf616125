/*
 * codec.c - an event as msgpack.
 *
 * Written and read by hand since its shape is known: msgpack-c calls back for each few bytes, and makes a tree of what
 * it reads, with memory of its own, at four times the cost; a backlog is read as fast as this.
 */
#include <errno.h>
#include <string.h>

#include "base/span.h"
#include "event/attributes.h"
#include "event/codec.h"

/* Version, origin, five known attributes (numbered like enum attribute_known), time, further ones, body. */
#define PLACES (5 + ATTRIBUTE_KNOWN)

#define NESTING_MAX 8	/* ours is 3 */
#define HEADER_MAX 9	/* bytes before a value, or a number as a whole */

static struct pb_span known_value(const struct attributes *set, unsigned i)
{
	const struct attribute *attr = set->known[i];

	return attr == NULL ? span_of("", 0) : span_of(attribute_value(attr), attr->value_len);
}

static size_t packed_max(const struct attributes *set, struct pb_span body)
{
	size_t max = PLACES * HEADER_MAX + HEADER_MAX + body.len;

	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++)
		max += known_value(set, i).len;
	for (const struct attribute *a = set->further; a != NULL; a = a->next)
		max += 2 * HEADER_MAX + (size_t)a->name_len + a->value_len;
	return max;
}

/* A kind's byte and `n` behind it, in 2^`log` bytes. */
static char *put_long(char *to, unsigned kind, uint64_t n, unsigned log)
{
	*to++ = (char)kind;
	for (unsigned shift = 8u << log; shift > 0; shift -= 8)
		*to++ = (char)(n >> (shift - 8));
	return to;
}

static unsigned log_width(uint64_t n)
{
	return n <= UINT8_MAX ? 0 : n <= UINT16_MAX ? 1 : n <= UINT32_MAX ? 2 : 3;
}

static char *put_number(char *to, uint64_t n)
{
	if (n >= 0x80)
		return put_long(to, 0xcc + log_width(n), n, log_width(n));
	*to = (char)n;
	return to + 1;
}

static char *put_signed(char *to, int64_t n)
{
	unsigned log = n >= INT8_MIN ? 0 : n >= INT16_MIN ? 1 : n >= INT32_MIN ? 2 : 3;

	if (n >= 0)
		return put_number(to, (uint64_t)n);
	if (n < -32)
		return put_long(to, 0xd0 + log, (uint64_t)n, log);
	*to = (char)n;
	return to + 1;
}

static char *put_bytes(char *to, struct pb_span bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.data, bytes.len);
	return to + bytes.len;
}

static char *put_text(char *to, struct pb_span text)
{
	if (text.len < 32)
		*to++ = (char)(0xa0 + text.len);
	else
		to = put_long(to, 0xd9 + log_width(text.len), text.len, log_width(text.len));
	return put_bytes(to, text);
}

static char *put_further(char *to, const struct attributes *set)
{
	if (set->count < 16)
		*to++ = (char)(0x80 + set->count);
	else
		to = put_long(to, 0xde, set->count, 1);
	for (const struct attribute *a = set->further; a != NULL; a = a->next) {
		to = put_text(to, span_of(a->text, a->name_len));
		to = put_text(to, span_of(attribute_value(a), a->value_len));
	}
	return to;
}

int codec_pack(struct buf *to, const struct pb_event *ev)
{
	const struct attributes *set = event_attributes(ev);
	struct pb_span body = event_body(ev);
	char *at;
	int rc;

	if (body.len > UINT32_MAX)
		return -EMSGSIZE;
	rc = buf_reserve(to, packed_max(set, body));
	if (rc < 0)
		return rc;
	at = to->data + to->len;
	*at++ = (char)(0x90 + PLACES);
	at = put_number(at, CODEC_VERSION);
	at = put_number(at, event_origin(ev));
	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++)
		at = put_text(at, known_value(set, i));
	at = put_further(put_signed(at, event_time(ev)), set);
	at = put_bytes(put_long(at, 0xc4 + log_width(body.len), body.len, log_width(body.len)), body);
	*at = '\0';
	to->len = (size_t)(at - to->data);
	return 0;
}

/* How much put_text() writes. */
static size_t text_size(size_t len)
{
	return (len < 32 ? 1 : 1 + ((size_t)1 << log_width(len))) + len;
}

size_t codec_size(const struct pb_event *ev)
{
	const struct attributes *set = event_attributes(ev);
	size_t body = event_body(ev).len;
	char number[HEADER_MAX];
	size_t size = 1 + 1 + (size_t)(put_number(number, event_origin(ev)) - number) +
		      (size_t)(put_signed(number, event_time(ev)) - number) + (set->count < 16 ? 1 : 3) +
		      1 + ((size_t)1 << log_width(body)) + body;

	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++)
		size += text_size(known_value(set, i).len);
	for (const struct attribute *a = set->further; a != NULL; a = a->next)
		size += text_size(a->name_len) + text_size(a->value_len);
	return size;
}

/* What the item at `s` needs after its first byte: bytes of its own, then items inside. */
struct item {
	size_t bytes, items;
};

static size_t read_length(const unsigned char *s, size_t width)
{
	size_t n = 0;

	while (width-- > 0)
		n = n << 8 | *s++;
	return n;
}

/* For 0xc0 to 0xdf: how wide the length is, and the bytes besides what it counts. */
static const struct {
	unsigned char width, fixed, inside;
} kinds[32] = {
	[0xc4 - 0xc0] = { 1, 0, 0 }, { 2, 0, 0 }, { 4, 0, 0 },		/* bin */
	[0xc7 - 0xc0] = { 1, 1, 0 }, { 2, 1, 0 }, { 4, 1, 0 },		/* ext */
	[0xca - 0xc0] = { 0, 4, 0 }, { 0, 8, 0 },			/* float */
	[0xcc - 0xc0] = { 0, 1, 0 }, { 0, 2, 0 }, { 0, 4, 0 }, { 0, 8, 0 },
	[0xd0 - 0xc0] = { 0, 1, 0 }, { 0, 2, 0 }, { 0, 4, 0 }, { 0, 8, 0 },
	[0xd4 - 0xc0] = { 0, 2, 0 }, { 0, 3, 0 }, { 0, 5, 0 }, { 0, 9, 0 }, { 0, 17, 0 },
	[0xd9 - 0xc0] = { 1, 0, 0 }, { 2, 0, 0 }, { 4, 0, 0 },		/* str */
	[0xdc - 0xc0] = { 2, 0, 1 }, { 4, 0, 1 },			/* array */
	[0xde - 0xc0] = { 2, 0, 2 }, { 4, 0, 2 },			/* map */
};

static bool item_at(const unsigned char *s, size_t left, struct item *item)
{
	unsigned char byte = *s, i = byte & 0x1f;

	*item = (struct item){ 0, 0 };
	if (byte >= 0x80 && byte < 0x90) {
		item->items = 2 * (byte & 0x0fu);
	} else if (byte >= 0x90 && byte < 0xa0) {
		item->items = byte & 0x0fu;
	} else if (byte >= 0xa0 && byte < 0xc0) {
		item->bytes = byte & 0x1fu;
	} else if (byte >= 0xc0 && byte < 0xe0) {
		size_t counted;

		if (byte == 0xc1 || left <= kinds[i].width)	/* 0xc1 is never used */
			return false;
		counted = read_length(s + 1, kinds[i].width);
		item->items = counted * kinds[i].inside;
		item->bytes = (size_t)kinds[i].width + kinds[i].fixed +
			      (kinds[i].inside == 0 ? counted : 0);
	}
	return true;
}

/* Every length is matched by bytes that are there, and one value fills them all. */
static bool lengths_hold(struct pb_span data)
{
	size_t open[NESTING_MAX] = { 1 };	/* items still to come, by level */
	size_t depth = 1, left = data.len, wanted = 1;
	const unsigned char *s = data.data;
	struct item item;

	while (depth > 0) {
		if (open[depth - 1] == 0) {
			depth--;
			continue;
		}
		if (wanted > left || !item_at(s, left, &item) || item.bytes > left - 1)
			return false;
		s += 1 + item.bytes;
		left -= 1 + item.bytes;
		wanted += item.items;
		wanted--;
		open[depth - 1]--;
		if (item.items > 0) {
			if (depth == NESTING_MAX)
				return false;
			open[depth++] = item.items;
		}
	}
	return left == 0;
}

enum value_kind { VALUE_OTHER, VALUE_NUMBER, VALUE_NEGATIVE, VALUE_TEXT, VALUE_BYTES, VALUE_ARRAY, VALUE_MAP };

struct value {
	enum value_kind kind;
	uint64_t number;	/* as int64_t when VALUE_NEGATIVE */
	size_t items;		/* of VALUE_ARRAY, VALUE_MAP: those that follow */
	struct pb_span bytes;	/* of VALUE_TEXT, VALUE_BYTES */
};

/* Kind and width of what begins with 0xc0 to 0xdf. */
static const struct {
	unsigned char kind, width;
} long_values[32] = {
	[0xc4 - 0xc0] = { VALUE_BYTES, 1 }, { VALUE_BYTES, 2 }, { VALUE_BYTES, 4 },
	[0xcc - 0xc0] = { VALUE_NUMBER, 1 }, { VALUE_NUMBER, 2 }, { VALUE_NUMBER, 4 }, { VALUE_NUMBER, 8 },
	[0xd0 - 0xc0] = { VALUE_NEGATIVE, 1 }, { VALUE_NEGATIVE, 2 }, { VALUE_NEGATIVE, 4 }, { VALUE_NEGATIVE, 8 },
	[0xd9 - 0xc0] = { VALUE_TEXT, 1 }, { VALUE_TEXT, 2 }, { VALUE_TEXT, 4 },
	[0xdc - 0xc0] = { VALUE_ARRAY, 2 }, { VALUE_ARRAY, 4 },
	[0xde - 0xc0] = { VALUE_MAP, 2 }, { VALUE_MAP, 4 },
};

/* What is left to read. */
struct reader {
	const unsigned char *at;
	size_t left;
};

static bool read_bytes(struct reader *r, struct value *v, size_t n)
{
	if (n > r->left)
		return false;
	v->bytes = span_of(r->at, n);
	r->at += n;
	r->left -= n;
	return true;
}

/* What begins with 0xc0 to 0xdf; of it the first byte is read. */
static bool read_long(struct reader *r, struct value *v, unsigned char byte)
{
	unsigned char kind = long_values[byte & 0x1f].kind, width = long_values[byte & 0x1f].width;
	uint64_t n;

	if (width == 0 || width > r->left)
		return false;
	n = read_length(r->at, width);
	r->at += width;
	r->left -= width;
	*v = (struct value){ .kind = kind, .number = n, .items = kind == VALUE_MAP ? 2 * n : n };
	if (kind == VALUE_TEXT || kind == VALUE_BYTES)
		return read_bytes(r, v, n);
	if (kind == VALUE_NEGATIVE) {
		unsigned unused = 64 - 8 * (unsigned)width;

		v->number = (uint64_t)((int64_t)(n << unused) >> unused);
		v->kind = (int64_t)v->number < 0 ? VALUE_NEGATIVE : VALUE_NUMBER;
	}
	return true;
}

/* The value here, without what is in it. False: it is cut, or of a kind that no event has. */
static bool read_value(struct reader *r, struct value *v)
{
	unsigned char byte;

	if (r->left == 0)
		return false;
	byte = *r->at++;
	r->left--;
	if (byte >= 0xa0 && byte < 0xc0) {
		v->kind = VALUE_TEXT;
		return read_bytes(r, v, byte & 0x1fu);
	}
	if (byte >= 0xc0 && byte < 0xe0)
		return read_long(r, v, byte);
	if (byte < 0x80)
		*v = (struct value){ .kind = VALUE_NUMBER, .number = byte };
	else if (byte >= 0xe0)
		*v = (struct value){ .kind = VALUE_NEGATIVE, .number = (uint64_t)(int64_t)(signed char)byte };
	else if (byte >= 0x90)
		*v = (struct value){ .kind = VALUE_ARRAY, .items = byte & 0x0fu };
	else
		*v = (struct value){ .kind = VALUE_MAP, .items = 2 * (byte & 0x0fu) };
	return true;
}

static bool read_text(struct reader *r, struct value *v)
{
	return read_value(r, v) && v->kind == VALUE_TEXT;
}

/* The places of an event, and what is in its map. */
struct places {
	struct value origin, known[ATTRIBUTE_KNOWN], time, body;
	size_t further_items;
	struct reader further;
	size_t room;		/* that the attributes need */
};

static bool read_known(struct reader *r, struct places *p)
{
	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++) {
		if (!read_text(r, &p->known[i]))
			return false;
		p->room += attribute_need(0, p->known[i].bytes.len);
	}
	return true;
}

static bool read_further(struct reader *r, struct places *p)
{
	struct value map, name, value;

	if (!read_value(r, &map) || map.kind != VALUE_MAP || map.items > 2 * EVENT_ATTRS_MAX)
		return false;
	p->further_items = map.items;
	p->further = *r;
	for (size_t i = 0; i < map.items; i += 2) {
		if (!read_text(r, &name) || !read_text(r, &value))
			return false;
		p->room += attribute_need(name.bytes.len, value.bytes.len);
	}
	return true;
}

static bool read_origin(struct reader *r, struct value *v)
{
	return read_value(r, v) && v->kind == VALUE_NUMBER && v->number <= UINT32_MAX;
}

static bool read_time(struct reader *r, struct value *v)
{
	return read_value(r, v) && (v->kind == VALUE_NEGATIVE || (v->kind == VALUE_NUMBER && v->number <= INT64_MAX));
}

static bool read_body(struct reader *r, struct value *v)
{
	return read_value(r, v) && v->kind == VALUE_BYTES;
}

static int read_places(struct pb_span data, struct places *p)
{
	struct reader r = { data.data, data.len };
	struct value array, version;

	if (!read_value(&r, &array) || array.kind != VALUE_ARRAY || array.items == 0 ||
	    !read_value(&r, &version) || version.kind != VALUE_NUMBER)
		return -EBADMSG;
	if (version.number != CODEC_VERSION)
		return lengths_hold(data) ? -EPROTONOSUPPORT : -EBADMSG;
	if (array.items < PLACES || !read_origin(&r, &p->origin) || !read_known(&r, p) ||
	    !read_time(&r, &p->time) || !read_further(&r, p) || !read_body(&r, &p->body))
		return -EBADMSG;
	/* Places that a later version may add. */
	return (array.items == PLACES ? r.left == 0 : lengths_hold(data)) ? 0 : -EBADMSG;
}

static int set_attributes(struct pb_event *ev, struct places *p)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ATTRIBUTE_KNOWN; i++)
		if (p->known[i].bytes.len > 0)
			rc = event_set_known(ev, (enum attribute_known)i, p->known[i].bytes);
	for (size_t i = 0; rc == 0 && i < p->further_items; i += 2) {
		struct value name, value;

		if (!read_text(&p->further, &name) || !read_text(&p->further, &value))
			return -EBADMSG;
		rc = event_set_span(ev, name.bytes, value.bytes);
	}
	return rc == -EINVAL ? -EBADMSG : rc;
}

static int unpack(struct pb_span data, struct pb_event **ev)
{
	struct places p;
	int rc;

	p.room = 0;
	rc = read_places(data, &p);
	if (rc < 0)
		return rc;
	*ev = event_new_room(p.body.bytes, (int64_t)p.time.number, p.room);
	if (*ev == NULL)
		return -ENOMEM;
	event_set_origin(*ev, (uint32_t)p.origin.number);
	rc = set_attributes(*ev, &p);
	if (rc < 0) {
		event_unref(*ev);
		*ev = NULL;
	}
	return rc;
}

struct pb_event *codec_unpack(struct pb_span data)
{
	struct pb_event *ev = NULL;
	int rc = unpack(data, &ev);

	if (rc < 0)
		errno = -rc;
	return ev;
}
