/* window.h - a stretch of a segment in memory: reading headers one after another costs one pread for many. */
#ifndef JOURNAL_WINDOW_H
#define JOURNAL_WINDOW_H

#include "journal/segment.h"

struct window {
	unsigned char *data;
	size_t cap;
	uint64_t segment, offset;	/* what `data` begins with */
	size_t len;
};

/* `len` committed bytes of the segment from `offset` on, borrowed until the next call: *at. 0; -EBADMSG: the file ends
 * before its committed end; -ENOMEM, -errno. */
int window_need(struct window *, struct segmented *, const struct view *, uint64_t offset, size_t len,
		const unsigned char **at);
void window_free(struct window *);

#endif
