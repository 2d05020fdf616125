/* batch.c - puts and deletes, one after another in a buffer. */
#include "state/state.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/span.h"

#define OP_HEADER 8	/* table, put or delete, key's length, value's length */

enum { OP_PUT = 1, OP_DEL };

void batch_init(struct state_batch *b)
{
	*b = (struct state_batch){ .ops = BUF_INIT(PTRDIFF_MAX - 1) };
}

void batch_free(struct state_batch *b)
{
	buf_free(&b->ops);
	b->n = 0;
}

void batch_reset(struct state_batch *b)
{
	buf_reset(&b->ops);
	b->n = 0;
}

static void batch_add(struct state_batch *b, enum state_table table, unsigned op, struct pb_span key,
		      struct pb_span value)
{
	assert(table < STATE_TABLES && key.len > 0 && key.len <= STATE_KEY_MAX);
	assert(value.len <= UINT32_MAX);
	unsigned char head[OP_HEADER] = {
		(unsigned char)table, (unsigned char)op,
		(unsigned char)key.len, (unsigned char)(key.len >> 8),
	};
	put_le32(head + 4, (uint32_t)value.len);
	buf_add(&b->ops, head, sizeof head);
	buf_add(&b->ops, key.data, key.len);
	if (value.len > 0)
		buf_add(&b->ops, value.data, value.len);
	if (b->ops.failed != 0) {
		log_error("out of memory");
		abort();
	}
	b->n++;
}

void batch_put(struct state_batch *b, enum state_table table, struct pb_span key, struct pb_span value)
{
	batch_add(b, table, OP_PUT, key, value);
}

void batch_del(struct state_batch *b, enum state_table table, struct pb_span key)
{
	batch_add(b, table, OP_DEL, key, SPAN_NONE);
}

bool batch_next(const struct state_batch *b, size_t *at, enum state_table *table, struct pb_span *key,
		struct pb_span *value)
{
	if (*at >= b->ops.len)
		return false;
	const unsigned char *op = (const unsigned char *)b->ops.data + *at;
	*table = (enum state_table)op[0];
	*key = span_of(op + OP_HEADER, (size_t)op[2] | (size_t)op[3] << 8);
	*value = span_of(op + OP_HEADER + key->len, get_le32(op + 4));
	*at += OP_HEADER + key->len + value->len;
	if (op[1] == OP_DEL)
		*value = SPAN_NONE;
	return true;
}
