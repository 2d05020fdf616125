/* index.c - a sorted array; blocks mostly come in order, so that adding is appending. */
#include "journal/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* How many entries begin at or before `offset`. */
static size_t count_to_offset(const struct index *index, uint64_t offset)
{
	size_t low = 0, high = index->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (index->entries[mid].offset <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t count_to_seq(const struct index *index, uint64_t seq)
{
	size_t low = 0, high = index->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (index->entries[mid].seq <= seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void index_add(struct index *index, uint64_t seq, uint64_t offset)
{
	size_t at = count_to_offset(index, offset);
	if (at > 0 && offset - index->entries[at - 1].offset < INDEX_STEP)
		return;
	if (at < index->n && index->entries[at].offset - offset < INDEX_STEP)
		return;
	if (index->n == index->cap) {
		index->cap = index->cap == 0 ? 16 : index->cap * 2;
		index->entries = xrealloc(index->entries, index->cap, sizeof *index->entries);
	}
	memmove(index->entries + at + 1, index->entries + at,
		(index->n - at) * sizeof *index->entries);
	index->entries[at] = (struct index_entry){ .seq = seq, .offset = offset };
	index->n++;
}

uint64_t index_by_seq(const struct index *index, uint64_t seq, uint64_t none)
{
	size_t n = count_to_seq(index, seq);
	return n == 0 ? none : index->entries[n - 1].offset;
}

uint64_t index_by_offset(const struct index *index, uint64_t offset, uint64_t none)
{
	size_t n = count_to_offset(index, offset);
	return n == 0 ? none : index->entries[n - 1].offset;
}

void index_free(struct index *index)
{
	free(index->entries);
	*index = (struct index){ 0 };
}
