/*
 * attributes.h - an event's attributes: named text in an arena that its owner gives.
 *
 * An attribute that finds no room in the arena is allocated by itself, so a pointer to
 * a value holds until that very attribute is set again. The five that CloudEvents knows
 * have places of their own; further ones keep the order in which they were set.
 * Knows nothing of events; one thread at a time may change a set.
 */
#ifndef EVENT_ATTRIBUTES_H
#define EVENT_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patchbay/plugin.h>

enum attribute_known {
	ATTRIBUTE_ID,
	ATTRIBUTE_TYPE,
	ATTRIBUTE_SOURCE,
	ATTRIBUTE_SUBJECT,
	ATTRIBUTE_CONTENT_TYPE,
	ATTRIBUTE_KNOWN		/* their number; also: none of them */
};

struct attribute {
	struct attribute *next;
	uint16_t room;		/* bytes of text[] */
	uint16_t name_len;	/* 0 for a known one */
	uint16_t value_len;
	bool heap;		/* not in the arena */
	char text[];		/* name, NUL, value, NUL */
};

struct attributes {
	struct attribute *known[ATTRIBUTE_KNOWN];
	struct attribute *further;
	size_t count;		/* of further ones */
	char *arena;
	size_t used, room;
	size_t heap;		/* bytes allocated beside the arena */
};

/* No attributes; `arena`, aligned for a pointer, outlives them. It must not move. */
void attributes_init(struct attributes *, void *arena, size_t room);
/* Give back what was allocated beside the arena. */
void attributes_free(struct attributes *);
/* Set one (both spans are copied and may point into this set), or remove it with a value of
 * {NULL, 0}; an empty value removes a known one. 0, -ENOMEM, or -EINVAL: a name that is not
 * [a-z0-9_.-] or is reserved, a value that is not UTF-8 without control characters, over the
 * limits in event.h. */
int attributes_set(struct attributes *, struct pb_span name, struct pb_span value);
/* The same for a known one. */
int attributes_set_known(struct attributes *, enum attribute_known, struct pb_span value);
/* Is it [a-z0-9_.-], short enough and not reserved? */
bool attribute_name_ok(struct pb_span name);
/* Is it UTF-8 without control characters, of at most `max` bytes? */
bool attribute_value_ok(struct pb_span value, size_t max);
/* The value, or NULL when not set. */
const char *attributes_get(const struct attributes *, struct pb_span name);
/* A known one's value, "" when not set. */
const char *attributes_known(const struct attributes *, enum attribute_known);
/* The i-th further one, or NULL past the last. */
const struct attribute *attributes_at(const struct attributes *, size_t i);
/* The same attributes in an empty set. 0 or -ENOMEM: the set then holds some of them. */
int attributes_copy(struct attributes *to, const struct attributes *from);
/* The bytes of arena that these take, packed anew. */
size_t attributes_need(const struct attributes *);
/* The bytes of arena for one further attribute of these lengths. */
size_t attribute_need(size_t name_len, size_t value_len);

static inline const char *attribute_value(const struct attribute *attr)
{
	return attr->text + attr->name_len + 1;
}

#endif
