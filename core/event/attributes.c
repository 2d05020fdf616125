/* attributes.c - values find a place in the arena, or memory of their own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/span.h"
#include "event/attributes.h"
#include "event/event.h"

_Static_assert(EVENT_NAME_MAX + EVENT_VALUE_MAX + 2 <= UINT16_MAX, "room is 16 bits");

static const struct pb_span known_names[ATTRIBUTE_KNOWN] = {
	[ATTRIBUTE_ID] = { "id", 2 },
	[ATTRIBUTE_TYPE] = { "type", 4 },
	[ATTRIBUTE_SOURCE] = { "source", 6 },
	[ATTRIBUTE_SUBJECT] = { "subject", 7 },
	[ATTRIBUTE_CONTENT_TYPE] = { "datacontenttype", 15 },
};

static bool same(const void *a, size_t a_len, struct pb_span b)
{
	return a_len == b.len && memcmp(a, b.data, a_len) == 0;
}

/* No two of them are equally long. */
static enum attribute_known known_of(struct pb_span name)
{
	static const enum attribute_known by_length[] = {
		[2] = ATTRIBUTE_ID, [4] = ATTRIBUTE_TYPE, [6] = ATTRIBUTE_SOURCE,
		[7] = ATTRIBUTE_SUBJECT, [15] = ATTRIBUTE_CONTENT_TYPE,
	};
	enum attribute_known which;

	if (name.len >= sizeof by_length / sizeof *by_length)
		return ATTRIBUTE_KNOWN;
	which = by_length[name.len];
	return same(known_names[which].data, known_names[which].len, name) ? which : ATTRIBUTE_KNOWN;
}

bool attribute_name_ok(struct pb_span name)
{
	static const char *const reserved[] = { "specversion", "time", "data", "data_base64" };
	const char *s = name.data;

	if (name.len == 0 || name.len > EVENT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9') &&
		    s[i] != '_' && s[i] != '.' && s[i] != '-')
			return false;
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (span_is(name, reserved[i]))
			return false;
	return true;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Is it ASCII without control characters? Eight bytes at a time; some sound text may be told to be none. */
static bool plain(const unsigned char *s, size_t len)
{
	const uint64_t high = EACH_BYTE(0x80);
	uint64_t found = 0, w;

	for (; len >= sizeof w; s += sizeof w, len -= sizeof w) {
		memcpy(&w, s, sizeof w);
		/* Over 0x7f; below 0x20; 0x7f. */
		found |= w | (w - EACH_BYTE(0x20)) | ((w ^ EACH_BYTE(0x7f)) - EACH_BYTE(1));
	}
	for (; len > 0; s++, len--)
		found |= (uint64_t)(*s - ' ') | (uint64_t)(*s + 1);
	return (found & high) == 0;
}

/* CloudEvents 1.0, "String": neither U+0000 to U+001F nor U+007F to U+009F. */
bool attribute_value_ok(struct pb_span value, size_t max)
{
	const unsigned char *s = value.data;
	unsigned char high = 0;

	if (value.len > max)
		return false;
	if (plain(s, value.len))
		return true;
	for (size_t i = 0; i < value.len; i++) {
		if (s[i] < ' ' || s[i] == 0x7f)
			return false;
		if (s[i] < 0xa0 && i > 0 && s[i - 1] == 0xc2)
			return false;
		high |= s[i];
	}
	return high < 0x80 || utf8_valid(s, value.len);
}

size_t attribute_need(size_t name_len, size_t value_len)
{
	const size_t align = _Alignof(struct attribute);
	size_t size = sizeof(struct attribute) + name_len + value_len + 2;

	return (size + align - 1) / align * align;
}

static struct attribute *attribute_new(struct attributes *set, size_t name_len, size_t value_len)
{
	size_t size = attribute_need(name_len, value_len);
	bool heap = size > set->room - set->used;
	struct attribute *attr;

	attr = heap ? malloc(size) : (void *)(set->arena + set->used);
	if (attr == NULL)
		return NULL;
	*(heap ? &set->heap : &set->used) += size;
	attr->next = NULL;
	attr->room = (uint16_t)(size - sizeof *attr);
	attr->name_len = (uint16_t)name_len;
	attr->heap = heap;
	return attr;
}

static void attribute_free(struct attributes *set, struct attribute *attr)
{
	if (attr == NULL || !attr->heap)
		return;
	set->heap -= sizeof *attr + attr->room;
	free(attr);
}

/* The value may overlap what the attribute holds. */
static void attribute_write(struct attribute *attr, struct pb_span value)
{
	char *to = attr->text + attr->name_len + 1;

	if (value.len > 0)
		memmove(to, value.data, value.len);
	to[value.len] = '\0';
	attr->value_len = (uint16_t)value.len;
}

/* Put `value` in the place `*at`, which is NULL or holds the attribute so far. */
static int attribute_put(struct attributes *set, struct attribute **at, struct pb_span name,
			 struct pb_span value)
{
	struct attribute *old = *at, *attr = old;

	if (old == NULL || (size_t)old->name_len + value.len + 2 > old->room) {
		attr = attribute_new(set, name.len, value.len);
		if (attr == NULL)
			return -ENOMEM;
		if (name.len > 0)
			memcpy(attr->text, name.data, name.len);
		attr->text[name.len] = '\0';
	}
	attribute_write(attr, value);
	if (attr == old)
		return 0;
	if (old != NULL)
		attr->next = old->next;
	*at = attr;
	attribute_free(set, old);
	return 0;
}

static int set_known(struct attributes *set, enum attribute_known which, struct pb_span value)
{
	if (value.len > 0)
		return attribute_put(set, &set->known[which], SPAN_NONE, value);
	attribute_free(set, set->known[which]);
	set->known[which] = NULL;
	return 0;
}

/* Where the further attribute `name` is linked from; NULL is there when it is not set. */
static struct attribute **find(struct attributes *set, struct pb_span name)
{
	struct attribute **at = &set->further;

	while (*at != NULL && !same((*at)->text, (*at)->name_len, name))
		at = &(*at)->next;
	return at;
}

static int set_further(struct attributes *set, struct pb_span name, struct pb_span value)
{
	struct attribute **at = find(set, name), *old = *at;
	int rc;

	if (value.data == NULL) {
		if (old != NULL) {
			*at = old->next;
			attribute_free(set, old);
			set->count--;
		}
		return 0;
	}
	if (old == NULL && set->count == EVENT_ATTRS_MAX)
		return -EINVAL;
	rc = attribute_put(set, at, name, value);
	if (rc == 0 && old == NULL)
		set->count++;
	return rc;
}

void attributes_init(struct attributes *set, void *arena, size_t room)
{
	*set = (struct attributes){ .arena = arena, .room = room };
}

void attributes_free(struct attributes *set)
{
	struct attribute *next;

	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++)
		attribute_free(set, set->known[i]);
	for (struct attribute *attr = set->further; attr != NULL; attr = next) {
		next = attr->next;
		attribute_free(set, attr);
	}
}

int attributes_set_known(struct attributes *set, enum attribute_known which, struct pb_span value)
{
	if (value.data != NULL && !attribute_value_ok(value, which == ATTRIBUTE_ID ? EVENT_ID_MAX : EVENT_VALUE_MAX))
		return -EINVAL;
	return set_known(set, which, value);
}

int attributes_set(struct attributes *set, struct pb_span name, struct pb_span value)
{
	enum attribute_known which = known_of(name);

	if (which != ATTRIBUTE_KNOWN)
		return attributes_set_known(set, which, value);
	if (!attribute_name_ok(name) || (value.data != NULL && !attribute_value_ok(value, EVENT_VALUE_MAX)))
		return -EINVAL;
	return set_further(set, name, value);
}

const char *attributes_known(const struct attributes *set, enum attribute_known which)
{
	return set->known[which] == NULL ? "" : attribute_value(set->known[which]);
}

const char *attributes_get(const struct attributes *set, struct pb_span name)
{
	enum attribute_known which = known_of(name);
	const struct attribute *attr = set->further;

	if (which != ATTRIBUTE_KNOWN)
		attr = set->known[which];
	else
		while (attr != NULL && !same(attr->text, attr->name_len, name))
			attr = attr->next;
	return attr == NULL ? NULL : attribute_value(attr);
}

const struct attribute *attributes_at(const struct attributes *set, size_t i)
{
	const struct attribute *attr = set->further;

	while (attr != NULL && i-- > 0)
		attr = attr->next;
	return attr;
}

static int copy_one(struct attributes *to, struct attribute **at, const struct attribute *attr)
{
	return attribute_put(to, at, (struct pb_span){ attr->text, attr->name_len },
			     (struct pb_span){ attribute_value(attr), attr->value_len });
}

int attributes_copy(struct attributes *to, const struct attributes *from)
{
	struct attribute **at = &to->further;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ATTRIBUTE_KNOWN; i++)
		if (from->known[i] != NULL)
			rc = copy_one(to, &to->known[i], from->known[i]);
	for (const struct attribute *a = from->further; rc == 0 && a != NULL; a = a->next) {
		rc = copy_one(to, at, a);
		if (rc == 0)
			at = &(*at)->next;
	}
	to->count = from->count;
	return rc;
}

size_t attributes_need(const struct attributes *set)
{
	size_t need = 0;

	for (unsigned i = 0; i < ATTRIBUTE_KNOWN; i++)
		if (set->known[i] != NULL)
			need += attribute_need(0, set->known[i]->value_len);
	for (const struct attribute *attr = set->further; attr != NULL; attr = attr->next)
		need += attribute_need(attr->name_len, attr->value_len);
	return need;
}
