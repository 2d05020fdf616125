/* index.h - where blocks begin in a segment: about one entry for each INDEX_STEP bytes, in memory only. */
#ifndef JOURNAL_INDEX_H
#define JOURNAL_INDEX_H

#include <stddef.h>
#include <stdint.h>

#define INDEX_STEP 65536

struct index_entry {
	uint64_t seq, offset;	/* a block's first */
};

struct index {
	struct index_entry *entries;	/* ascending in both */
	size_t n, cap;
};

/* Tell of a block; kept when no other entry is near. */
void index_add(struct index *, uint64_t seq, uint64_t offset);
/* The last known block whose first sequence number is at most `seq`: where it begins; `none` when there is none. */
uint64_t index_by_seq(const struct index *, uint64_t seq, uint64_t none);
/* The last known block that begins at or before `offset`; `none` when there is none. */
uint64_t index_by_offset(const struct index *, uint64_t offset, uint64_t none);
void index_free(struct index *);

#endif
