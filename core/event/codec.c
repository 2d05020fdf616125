/* codec.c - written by msgpack-c in one go; read by it once every length has been checked. */
#include <errno.h>
#include <string.h>

#include <msgpack/pack.h>
#include <msgpack/unpack.h>

#include "base/span.h"
#include "event/attributes.h"
#include "event/codec.h"

/* The places in the array. The five known attributes are numbered like enum attribute_known. */
enum {
	AT_VERSION,
	AT_ORIGIN,
	AT_KNOWN,
	AT_TIME = AT_KNOWN + ATTRIBUTE_KNOWN,
	AT_FURTHER,
	AT_BODY,
	PLACES
};

#define NESTING_MAX 8	/* ours is 3; msgpack-c ends at 32 */
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

/* msgpack-c's writer. There is room: packed_max() was reserved. */
static int append(void *data, const char *bytes, size_t len)
{
	struct buf *to = data;

	if (len > 0)
		memcpy(to->data + to->len, bytes, len);
	to->len += len;
	return 0;
}

static void pack_further(msgpack_packer *pk, const struct attributes *set)
{
	msgpack_pack_map(pk, set->count);
	for (const struct attribute *a = set->further; a != NULL; a = a->next) {
		msgpack_pack_str_with_body(pk, a->text, a->name_len);
		msgpack_pack_str_with_body(pk, attribute_value(a), a->value_len);
	}
}

static void pack_event(msgpack_packer *pk, const struct pb_event *ev)
{
	const struct attributes *set = event_attributes(ev);
	struct pb_span body = event_body(ev);

	msgpack_pack_array(pk, PLACES);
	msgpack_pack_unsigned_int(pk, CODEC_VERSION);
	msgpack_pack_uint32(pk, event_origin(ev));
	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++) {
		struct pb_span value = known_value(set, i);

		msgpack_pack_str_with_body(pk, value.data, value.len);
	}
	msgpack_pack_int64(pk, event_time(ev));
	pack_further(pk, set);
	msgpack_pack_bin_with_body(pk, body.data, body.len);
}

int codec_pack(struct buf *to, const struct pb_event *ev)
{
	struct pb_span body = event_body(ev);
	msgpack_packer pk;
	int rc;

	if (body.len > UINT32_MAX)
		return -EMSGSIZE;
	rc = buf_reserve(to, packed_max(event_attributes(ev), body));
	if (rc < 0)
		return rc;
	msgpack_packer_init(&pk, to, append);
	pack_event(&pk, ev);
	to->data[to->len] = '\0';
	return 0;
}

static int count(void *data, const char *bytes, size_t len)
{
	(void)bytes;
	*(size_t *)data += len;
	return 0;
}

size_t codec_size(const struct pb_event *ev)
{
	size_t size = 0;
	msgpack_packer pk;

	msgpack_packer_init(&pk, &size, count);
	pack_event(&pk, ev);
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

		if (left <= kinds[i].width)
			return false;
		counted = read_length(s + 1, kinds[i].width);
		item->items = counted * kinds[i].inside;
		item->bytes = (size_t)kinds[i].width + kinds[i].fixed +
			      (kinds[i].inside == 0 ? counted : 0);
	}
	return true;
}

/* Every length is matched by bytes that are there, and one value fills them all. msgpack-c
 * allocates by what a length says and calls too deep a nesting short memory, so this comes
 * before it. */
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

static struct pb_span text(const msgpack_object *o)
{
	return span_of(o->via.str.ptr, o->via.str.size);
}

static bool attributes_ok(const msgpack_object *at)
{
	const msgpack_object_map *map = &at[AT_FURTHER].via.map;

	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++)
		if (at[AT_KNOWN + i].type != MSGPACK_OBJECT_STR)
			return false;
	if (at[AT_FURTHER].type != MSGPACK_OBJECT_MAP || map->size > EVENT_ATTRS_MAX)
		return false;
	for (uint32_t i = 0; i < map->size; i++)
		if (map->ptr[i].key.type != MSGPACK_OBJECT_STR ||
		    map->ptr[i].val.type != MSGPACK_OBJECT_STR)
			return false;
	return true;
}

static bool shape_ok(const msgpack_object *at)
{
	return at[AT_ORIGIN].type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
	       at[AT_ORIGIN].via.u64 <= UINT32_MAX &&
	       (at[AT_TIME].type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
		(at[AT_TIME].type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
		 at[AT_TIME].via.u64 <= INT64_MAX)) &&
	       attributes_ok(at) && at[AT_BODY].type == MSGPACK_OBJECT_BIN;
}

static size_t attributes_room(const msgpack_object *at)
{
	const msgpack_object_map *map = &at[AT_FURTHER].via.map;
	size_t room = 0;

	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++)
		room += attribute_need(0, at[AT_KNOWN + i].via.str.size);
	for (uint32_t i = 0; i < map->size; i++)
		room += attribute_need(map->ptr[i].key.via.str.size, map->ptr[i].val.via.str.size);
	return room;
}

static int set_attributes(struct pb_event *ev, const msgpack_object *at)
{
	static const char *const known[ATTRIBUTE_KNOWN] = {
		"id", "type", "source", "subject", "datacontenttype"
	};
	const msgpack_object_map *map = &at[AT_FURTHER].via.map;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ATTRIBUTE_KNOWN; i++)
		rc = event_set_span(ev, span_str(known[i]), text(&at[AT_KNOWN + i]));
	for (uint32_t i = 0; rc == 0 && i < map->size; i++)
		rc = event_set_span(ev, text(&map->ptr[i].key), text(&map->ptr[i].val));
	return rc == -EINVAL ? -EBADMSG : rc;
}

static int build(const msgpack_object *root, struct pb_event **ev)
{
	const msgpack_object *at, *body;
	int rc;

	if (root->type != MSGPACK_OBJECT_ARRAY || root->via.array.size == 0)
		return -EBADMSG;
	at = root->via.array.ptr;
	if (at[AT_VERSION].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return -EBADMSG;
	if (at[AT_VERSION].via.u64 != CODEC_VERSION)
		return -EPROTONOSUPPORT;
	if (root->via.array.size < PLACES || !shape_ok(at))
		return -EBADMSG;
	body = &at[AT_BODY];
	*ev = event_new_room(span_of(body->via.bin.ptr, body->via.bin.size),
			     at[AT_TIME].via.i64, attributes_room(at));
	if (*ev == NULL)
		return -ENOMEM;
	event_set_origin(*ev, (uint32_t)at[AT_ORIGIN].via.u64);
	rc = set_attributes(*ev, at);
	if (rc < 0) {
		event_unref(*ev);
		*ev = NULL;
	}
	return rc;
}

static int unpack(struct pb_span data, struct pb_event **ev)
{
	msgpack_unpacked unpacked;
	int rc = -EBADMSG;

	if (!lengths_hold(data))
		return -EBADMSG;
	msgpack_unpacked_init(&unpacked);
	switch (msgpack_unpack_next(&unpacked, data.data, data.len, NULL)) {
	case MSGPACK_UNPACK_SUCCESS:
		rc = build(&unpacked.data, ev);
		break;
	case MSGPACK_UNPACK_NOMEM_ERROR:
		rc = -ENOMEM;
		break;
	default:
		break;
	}
	msgpack_unpacked_destroy(&unpacked);
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
