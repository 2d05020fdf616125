/*
 * mend.h - what an operator may do to a journal that is not open: for the offline tool.
 *
 * Each call is durable when it returns. 0 or -errno. The caller holds the store's lock.
 */
#ifndef JOURNAL_MEND_H
#define JOURNAL_MEND_H

#include <stdint.h>

/* Write the segment's header anew, as its first block tells it. */
int journal_mend_header(const char *folder, uint64_t segment);
/* Move a file that only has a segment's name to damaged/. */
int journal_set_segment_aside(const char *folder, uint64_t segment);
/* Where a segment is missing make one without a block, whose events would have begun with `first_seq`. */
int journal_fill_gap(const char *folder, uint64_t segment, uint64_t first_seq);

#endif
