/* slot.c - the events that one delivery consists of, and which of them arrived. */
#include <limits.h>
#include <string.h>

#include "base/magic.h"
#include "base/memory.h"
#include "dispatch/lane.h"

static size_t bytes_for(size_t bits)
{
	return (bits + CHAR_BIT - 1) / CHAR_BIT;
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
	return slot->done != NULL && (slot->done[i / CHAR_BIT] >> i % CHAR_BIT & 1) != 0;
}

void slot_part_delivered(struct slot *slot, size_t i)
{
	size_t n = slot_parts(slot);
	assert(i < n && !slot_part_done(slot, i));
	slot->n_done++;
	if (n == 1)
		return;		/* it is settled at once: no bits to keep */
	if (slot->done == NULL)
		slot->done = xcalloc(bytes_for(n), 1);
	slot->done[i / CHAR_BIT] = (unsigned char)(slot->done[i / CHAR_BIT] | 1u << i % CHAR_BIT);
}

void slot_restore_parts(struct slot *slot, struct pb_span bits)
{
	size_t n = slot_parts(slot);
	const unsigned char *from = bits.data;
	for (size_t i = 0; i < n && i / CHAR_BIT < bits.len && n > 1; i++)
		if ((from[i / CHAR_BIT] >> i % CHAR_BIT & 1) != 0)
			slot_part_delivered(slot, i);
}

struct pb_span slot_parts_bits(const struct slot *slot)
{
	if (slot->done == NULL)
		return (struct pb_span){ NULL, 0 };
	return (struct pb_span){ slot->done, bytes_for(slot_parts(slot)) };
}
