/* pack.h - values of rows: numbers and byte strings one after another. For rows*.c only. */
#ifndef STATE_PACK_H
#define STATE_PACK_H

#include <assert.h>

#include "base/bytes.h"
#include "base/span.h"
#include "state/state.h"

#define PACK_MAX (PTRDIFF_MAX - 1)	/* of a value's buffer: memory is the limit */

/* A row's value being written; as long as it gets. Its failures show in batch_put_buf(). */
static inline void pack_u32(struct buf *to, uint32_t v)
{
	unsigned char bytes[4];
	put_le32(bytes, v);
	buf_add(to, bytes, sizeof bytes);
}

static inline void pack_u64(struct buf *to, uint64_t v)
{
	unsigned char bytes[8];
	put_le64(bytes, v);
	buf_add(to, bytes, sizeof bytes);
}

static inline void pack_span(struct buf *to, struct pb_span s)
{
	pack_u32(to, (uint32_t)s.len);
	if (s.len > 0)
		buf_add(to, s.data, s.len);
}

/* What is left of a value being read; `data` is NULL once something was missing. */
static inline struct pb_span unpack(struct pb_span *from, size_t len)
{
	if (from->data == NULL || from->len < len) {
		from->data = NULL;
		return SPAN_NONE;
	}
	struct pb_span taken = span_of(from->data, len);
	*from = span_of((const char *)from->data + len, from->len - len);
	return taken;
}

static inline uint32_t unpack_u32(struct pb_span *from)
{
	struct pb_span s = unpack(from, 4);
	return s.data == NULL ? 0 : get_le32(s.data);
}

static inline uint64_t unpack_u64(struct pb_span *from)
{
	struct pb_span s = unpack(from, 8);
	return s.data == NULL ? 0 : get_le64(s.data);
}

static inline struct pb_span unpack_span(struct pb_span *from)
{
	uint32_t len = unpack_u32(from);
	return unpack(from, len);
}

/* A key being written: at most STATE_KEY_MAX bytes, which the caller sees to. */
struct pack_key {
	unsigned char bytes[STATE_KEY_MAX];
	size_t len;
};

static inline void key_add(struct pack_key *key, struct pb_span s)
{
	assert(s.len <= sizeof key->bytes - key->len);
	if (s.len > 0)
		memcpy(key->bytes + key->len, s.data, s.len);
	key->len += s.len;
}

static inline void key_u32(struct pack_key *key, uint32_t v)
{
	unsigned char bytes[4];
	put_be32(bytes, v);
	key_add(key, span_of(bytes, sizeof bytes));
}

static inline void key_u64(struct pack_key *key, uint64_t v)
{
	unsigned char bytes[8];
	put_be64(bytes, v);
	key_add(key, span_of(bytes, sizeof bytes));
}

static inline struct pb_span key_span(const struct pack_key *key)
{
	return span_of(key->bytes, key->len);
}

/* Put what was packed, and free it. Short memory ends the process. */
void batch_put_buf(struct state_batch *, enum state_table, const struct pack_key *, struct buf *value);
/* Log a row whose value makes no sense. -EBADMSG. */
int row_malformed(const char *table);

#endif
