/* reply.h - the lines of an answer: objects of JSON, and what is in them. */
#ifndef CONTROL_REPLY_H
#define CONTROL_REPLY_H

#include <jansson.h>

#include "base/buf.h"

#define REPLY_TEXT_MAX 512

/* As a JSON string, cut to REPLY_TEXT_MAX; bytes that are not UTF-8 become '?'. NULL: out of memory. */
json_t *reply_text(const char *);
/* The same, of any length. */
json_t *reply_span(struct pb_span);
/* As RFC 3339. */
json_t *reply_date(int64_t wall_ms);
/* As an integer, at most INT64_MAX. */
json_t *reply_count(uint64_t);

/* Append one line of the answer. Takes `object` over; NULL, or short of memory, marks the buffer failed. */
void reply_line(struct buf *, json_t *object);
/* Append the last line of an answer that is whole. */
void reply_end(struct buf *);
/* Append the last line of one that failed: {"error":…,"code":…}. */
void reply_error(struct buf *, const char *code, const char *fmt, ...) PB_PRINTF(3, 4);

#endif
