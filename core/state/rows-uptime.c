/* rows-uptime.c - how long daemons have run on this store, and when events were accepted, counted so. */
#include "state/pack.h"
#include "state/rows.h"

#define KEY "uptime"

bool rows_is_uptime(struct pb_span key)
{
	return key.len == sizeof KEY - 1 && memcmp(key.data, KEY, key.len) == 0;
}

void rows_put_uptime(struct state_batch *b, const struct uptime_row *row)
{
	struct pack_key key = { .len = 0 };
	struct buf value = BUF_INIT(PACK_MAX);
	key_add(&key, span_str(KEY));
	pack_u64(&value, (uint64_t)row->ms);
	pack_u64(&value, row->next_seq);
	pack_u64(&value, row->begin_seq);
	pack_u64(&value, (uint64_t)row->begin_ms);
	for (size_t i = 0; i < row->n; i++) {
		pack_u64(&value, row->points[i].seq);
		pack_u64(&value, (uint64_t)row->points[i].ms);
	}
	batch_put_buf(b, STATE_META, &key, &value);
}

static int unpack_uptime(struct pb_span left, struct uptime_row *row, struct uptime_point points[], size_t most)
{
	*row = (struct uptime_row){ .ms = (int64_t)unpack_u64(&left), .points = points };
	row->next_seq = unpack_u64(&left);
	row->begin_seq = unpack_u64(&left);
	row->begin_ms = (int64_t)unpack_u64(&left);
	while (left.data != NULL && left.len > 0 && row->n < most) {
		points[row->n].seq = unpack_u64(&left);
		points[row->n++].ms = (int64_t)unpack_u64(&left);
	}
	return left.data == NULL ? row_malformed("meta") : 0;
}

int rows_get_uptime(struct state *s, struct uptime_row *row, struct uptime_point points[], size_t most)
{
	struct buf value = BUF_INIT(PACK_MAX);
	int r = state_get(s, STATE_META, span_str(KEY), &value);
	if (r == 0)
		r = unpack_uptime(buf_span(&value), row, points, most);
	buf_free(&value);
	return r;
}
