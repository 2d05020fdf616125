/* marks.h - sources' positions as they stand in the journal: what one RECORD_MARK holds. */
#ifndef DISPATCH_MARKS_H
#define DISPATCH_MARKS_H

#include "base/buf.h"

#define MARK_KEY_MAX 480
#define MARK_VALUE_MAX 4096

struct mark {
	uint32_t source;	/* names table */
	struct pb_span key;
	struct pb_span value;	/* {NULL, 0}: the mark is removed */
};

/* Append one; the buffer's failure says whether it fit. */
void marks_add(struct buf *, const struct mark *);
/* Each in turn; *at begins at 0. False at the end, or where the bytes are no mark. */
bool marks_next(struct pb_span data, size_t *at, struct mark *);

#endif
