/* rows-sinks.c - what was decided of a sink, and how long it has failed. */
#include "state/pack.h"
#include "state/rows.h"

static struct pack_key sink_key(uint32_t sink)
{
	struct pack_key key = { .len = 0 };
	key_u32(&key, sink);
	return key;
}

const char *sink_mode_name(enum sink_mode mode)
{
	static const char *const names[] = { "enabled", "disabled", "draining" };
	size_t i = (size_t)mode;
	return i < sizeof names / sizeof *names ? names[i] : "unknown";
}

void rows_put_sink(struct state_batch *b, uint32_t sink, const struct sink_row *row)
{
	struct pack_key key = sink_key(sink);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u32(&value, row->mode);
	pack_u64(&value, (uint64_t)row->since_ms);
	pack_u64(&value, row->until_seq);
	pack_u64(&value, (uint64_t)row->failing_ms);
	pack_span(&value, row->why);
	batch_put_buf(b, STATE_SINKS, &key, &value);
}

void rows_del_sink(struct state_batch *b, uint32_t sink)
{
	struct pack_key key = sink_key(sink);
	batch_del(b, STATE_SINKS, key_span(&key));
}

static int unpack_sink(struct pb_span left, struct sink_row *row)
{
	*row = (struct sink_row){ .mode = unpack_u32(&left) };
	row->since_ms = (int64_t)unpack_u64(&left);
	row->until_seq = unpack_u64(&left);
	row->failing_ms = (int64_t)unpack_u64(&left);
	row->why = unpack_span(&left);
	return left.data == NULL || row->mode > SINK_DRAINING ? row_malformed("sinks") : 0;
}

int rows_get_sink(struct state *s, uint32_t sink, struct sink_row *row, struct buf *hold)
{
	struct pack_key key = sink_key(sink);
	size_t begin = hold->len;
	int r = state_get(s, STATE_SINKS, key_span(&key), hold);
	return r == 0 ? unpack_sink(span_of(hold->data + begin, hold->len - begin), row) : r;
}
