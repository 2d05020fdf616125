/* rows.c - names, lanes, kept events, marks and meta; rows-deliveries.c has the others. */
#include "state/rows.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "state/pack.h"

#define META_KEY "store"

void batch_put_buf(struct state_batch *b, enum state_table table, const struct pack_key *key,
		   struct buf *value)
{
	if (value->failed != 0) {
		log_error("out of memory");
		abort();
	}
	batch_put(b, table, key_span(key), buf_span(value));
	buf_free(value);
}

int row_malformed(const char *table)
{
	log_error("state: malformed row in %s", table);
	return -EBADMSG;
}

/* names */

static struct pack_key name_key(enum name_kind kind, const char *name)
{
	struct pack_key key = { .len = 0 };
	key_add(&key, span_of(&(char){ (char)kind }, 1));
	key_add(&key, span_str(name));
	return key;
}

void rows_put_name(struct state_batch *b, const struct name_row *row)
{
	struct pack_key key = name_key(row->kind, row->name);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u32(&value, row->number);
	batch_put_buf(b, STATE_NAMES, &key, &value);
}

void rows_del_name(struct state_batch *b, enum name_kind kind, const char *name)
{
	struct pack_key key = name_key(kind, name);
	batch_del(b, STATE_NAMES, key_span(&key));
}

struct each_name {
	bool (*each)(void *arg, const struct name_row *);
	void *arg;
};

static bool each_name(void *arg, struct pb_span key, struct pb_span value)
{
	const struct each_name *walk = arg;
	char name[STATE_KEY_MAX + 1];
	struct name_row row = { .kind = *(const char *)key.data, .name = name };
	row.number = unpack_u32(&value);
	if (value.data == NULL) {
		row_malformed("names");
		return true;
	}
	memcpy(name, (const char *)key.data + 1, key.len - 1);
	name[key.len - 1] = '\0';
	return walk->each(walk->arg, &row);
}

int rows_each_name(struct state *s, bool (*each)(void *arg, const struct name_row *), void *arg)
{
	struct each_name walk = { .each = each, .arg = arg };
	return state_scan(s, STATE_NAMES, SPAN_NONE, each_name, &walk);
}

/* lanes */

static struct pack_key number_key(uint32_t number)
{
	struct pack_key key = { .len = 0 };
	key_u32(&key, number);
	return key;
}

void rows_put_lane(struct state_batch *b, uint32_t lane, uint64_t watermark)
{
	struct pack_key key = number_key(lane);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u64(&value, watermark);
	batch_put_buf(b, STATE_LANES, &key, &value);
}

void rows_del_lane(struct state_batch *b, uint32_t lane)
{
	struct pack_key key = number_key(lane);
	batch_del(b, STATE_LANES, key_span(&key));
}

int rows_get_lane(struct state *s, uint32_t lane, uint64_t *watermark)
{
	struct pack_key key = number_key(lane);
	struct buf value = BUF_INIT(PACK_MAX);
	int r = state_get(s, STATE_LANES, key_span(&key), &value);
	struct pb_span left = buf_span(&value);
	if (r == 0) {
		*watermark = unpack_u64(&left);
		r = left.data == NULL ? row_malformed("lanes") : 0;
	}
	buf_free(&value);
	return r;
}

struct each_lane {
	bool (*each)(void *arg, uint32_t lane, uint64_t watermark);
	void *arg;
};

static bool each_lane(void *arg, struct pb_span key, struct pb_span value)
{
	const struct each_lane *walk = arg;
	uint64_t watermark = unpack_u64(&value);
	if (key.len == 4 && value.data != NULL)
		return walk->each(walk->arg, get_be32(key.data), watermark);
	row_malformed("lanes");
	return true;
}

int rows_each_lane(struct state *s, bool (*each)(void *arg, uint32_t lane, uint64_t watermark), void *arg)
{
	struct each_lane walk = { .each = each, .arg = arg };
	return state_scan(s, STATE_LANES, SPAN_NONE, each_lane, &walk);
}

/* kept */

static struct pack_key seq_key(uint64_t seq)
{
	struct pack_key key = { .len = 0 };
	key_u64(&key, seq);
	return key;
}

void rows_put_kept(struct state_batch *b, uint64_t seq, uint32_t rows, struct pb_span event)
{
	struct pack_key key = seq_key(seq);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u32(&value, rows);
	buf_add(&value, event.data, event.len);
	batch_put_buf(b, STATE_KEPT, &key, &value);
}

void rows_del_kept(struct state_batch *b, uint64_t seq)
{
	struct pack_key key = seq_key(seq);
	batch_del(b, STATE_KEPT, key_span(&key));
}

int rows_get_kept(struct state *s, uint64_t seq, uint32_t *rows, struct buf *event)
{
	struct pack_key key = seq_key(seq);
	struct buf value = BUF_INIT(PACK_MAX);
	int r = state_get(s, STATE_KEPT, key_span(&key), &value);
	struct pb_span left = buf_span(&value);
	if (r == 0) {
		uint32_t n = unpack_u32(&left);
		if (rows != NULL)
			*rows = n;
		if (left.data == NULL)
			r = row_malformed("kept");
		else if (event != NULL)
			r = buf_add(event, left.data, left.len);
	}
	buf_free(&value);
	return r;
}

/* marks */

static struct pack_key mark_key(uint32_t source, struct pb_span name)
{
	struct pack_key key = number_key(source);
	key_add(&key, name);
	return key;
}

void rows_put_mark(struct state_batch *b, uint32_t source, struct pb_span name, struct journal_pos read_at,
		   struct pb_span mark)
{
	struct pack_key key = mark_key(source, name);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u64(&value, read_at.segment);
	pack_u64(&value, read_at.offset);
	if (mark.len > 0)
		buf_add(&value, mark.data, mark.len);
	batch_put_buf(b, STATE_MARKS, &key, &value);
}

void rows_del_mark(struct state_batch *b, uint32_t source, struct pb_span name)
{
	struct pack_key key = mark_key(source, name);
	batch_del(b, STATE_MARKS, key_span(&key));
}

int rows_get_mark(struct state *s, uint32_t source, struct pb_span name, struct buf *mark)
{
	struct pack_key key = mark_key(source, name);
	struct buf value = BUF_INIT(PACK_MAX);
	int r = state_get(s, STATE_MARKS, key_span(&key), &value);
	struct pb_span left = buf_span(&value);
	if (r == 0) {
		unpack(&left, 16);
		r = left.data == NULL ? row_malformed("marks") : buf_add(mark, left.data, left.len);
	}
	buf_free(&value);
	return r;
}

/* meta */

void rows_put_meta(struct state_batch *b, const struct meta_row *meta)
{
	struct pack_key key = { .len = 0 };
	struct buf value = BUF_INIT(PACK_MAX);
	key_add(&key, span_str(META_KEY));
	pack_u64(&value, meta->applied_seq);
	pack_u64(&value, meta->applied.segment);
	pack_u64(&value, meta->applied.offset);
	pack_u64(&value, meta->kept_below);
	pack_u32(&value, meta->clean);
	pack_span(&value, span_str(meta->node));
	batch_put_buf(b, STATE_META, &key, &value);
}

static int unpack_meta(struct pb_span left, struct meta_row *meta)
{
	*meta = (struct meta_row){ .applied_seq = unpack_u64(&left) };
	meta->applied.segment = unpack_u64(&left);
	meta->applied.offset = unpack_u64(&left);
	meta->kept_below = unpack_u64(&left);
	meta->clean = unpack_u32(&left) != 0;
	struct pb_span node = unpack_span(&left);
	if (node.data == NULL || node.len >= sizeof meta->node)
		return row_malformed("meta");
	memcpy(meta->node, node.data, node.len);
	return 0;
}

int rows_get_meta(struct state *s, struct meta_row *meta)
{
	struct buf value = BUF_INIT(PACK_MAX);
	int r = state_get(s, STATE_META, span_str(META_KEY), &value);
	if (r == 0)
		r = unpack_meta(buf_span(&value), meta);
	buf_free(&value);
	return r;
}
