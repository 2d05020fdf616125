/* slot.c - the events that one delivery consists of, and which of them arrived. */
#include <limits.h>
#include <string.h>

#include "base/magic.h"
#include "base/memory.h"
#include "dispatch/lane.h"

/* `done` is the number of parts (le16), then a bit for each: bits of other parts are never taken for these. */
#define HEAD 2

static size_t bytes_for(size_t parts)
{
	return HEAD + (parts + CHAR_BIT - 1) / CHAR_BIT;
}

static bool bit(const unsigned char *done, size_t i)
{
	return (done[HEAD + i / CHAR_BIT] >> i % CHAR_BIT & 1) != 0;
}

size_t slot_parts(const struct slot *slot)
{
	return slot->parts.list != NULL ? slot->parts.n : 1;
}

const struct pb_event *slot_part(const struct slot *slot, size_t i)
{
	return slot->parts.list != NULL ? slot->parts.list[i] : slot->event;
}

bool slot_part_done(const struct slot *slot, size_t i)
{
	return slot->done != NULL && bit(slot->done, i);
}

void slot_part_delivered(struct slot *slot, size_t i)
{
	size_t n = slot_parts(slot);
	assert(i < n && n <= CHAIN_PARTS_MAX && !slot_part_done(slot, i));
	slot->n_done++;
	if (n == 1)
		return;		/* it is settled at once: no bits to keep */
	if (slot->done == NULL) {
		slot->done = xcalloc(bytes_for(n), 1);
		slot->done[0] = (unsigned char)n;
		slot->done[1] = (unsigned char)(n >> CHAR_BIT);
	}
	unsigned char *byte = &slot->done[HEAD + i / CHAR_BIT];
	*byte = (unsigned char)(*byte | 1u << i % CHAR_BIT);
}

void slot_restore_parts(struct slot *slot, struct pb_span bits)
{
	size_t n = slot_parts(slot);
	const unsigned char *from = bits.data;
	if (bits.len != bytes_for(n) || (from[0] | from[1] << CHAR_BIT) != (int)n)
		return;		/* filters make other parts of it now: all are sent */
	size_t delivered = 0;
	for (size_t i = 0; i < n; i++)
		delivered += bit(from, i);
	for (size_t i = 0; i < n && delivered < n; i++)	/* a row that says all would never end */
		if (bit(from, i))
			slot_part_delivered(slot, i);
}

struct pb_span slot_parts_bits(const struct slot *slot)
{
	if (slot->parts.list == NULL && slot->restored != NULL)
		return (struct pb_span){ slot->restored, slot->restored_len };
	if (slot->done == NULL)
		return (struct pb_span){ NULL, 0 };
	return (struct pb_span){ slot->done, bytes_for(slot_parts(slot)) };
}
