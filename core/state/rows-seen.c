/* rows-seen.c - keys that were seen: by their hash, and in order. */
#include <errno.h>

#include "state/pack.h"
#include "state/rows.h"

#define BY_HASH "h"
#define IN_ORDER "o"
#define SECRET_KEY "secret"

static struct pack_key begin_key(const char *kind, uint32_t source)
{
	struct pack_key key = { .len = 0 };
	key_add(&key, span_str(kind));
	key_u32(&key, source);
	return key;
}

/* The newest sorts first. */
static struct pack_key hash_key(const struct seen_row *row)
{
	struct pack_key key = begin_key(BY_HASH, row->source);
	key_add(&key, span_of(row->hash, SEEN_HASH));
	key_u64(&key, ~row->seq);
	return key;
}

static struct pack_key order_key(uint32_t source, uint64_t seq)
{
	struct pack_key key = begin_key(IN_ORDER, source);
	key_u64(&key, seq);
	return key;
}

void rows_put_seen(struct state_batch *b, const struct seen_row *row)
{
	struct pack_key key = hash_key(row);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u64(&value, (uint64_t)row->at_ms);
	buf_add(&value, row->id.data, row->id.len);
	batch_put_buf(b, STATE_SEEN, &key, &value);
	key = order_key(row->source, row->seq);
	pack_u64(&value, (uint64_t)row->at_ms);
	buf_add(&value, row->hash, SEEN_HASH);
	batch_put_buf(b, STATE_SEEN, &key, &value);
}

void rows_del_seen(struct state_batch *b, const struct seen_row *row)
{
	struct pack_key key = hash_key(row);
	batch_del(b, STATE_SEEN, key_span(&key));
	key = order_key(row->source, row->seq);
	batch_del(b, STATE_SEEN, key_span(&key));
}

struct search {
	struct pb_span prefix;
	struct seen_row *row;
	struct buf *hold;
	int result;
};

static bool take_first(void *arg, struct pb_span key, struct pb_span value)
{
	struct search *s = arg;
	if (key.len != s->prefix.len + 8 || memcmp(key.data, s->prefix.data, s->prefix.len) != 0)
		return false;
	s->row->seq = ~get_be64((const char *)key.data + s->prefix.len);
	s->row->at_ms = (int64_t)unpack_u64(&value);
	s->result = value.data == NULL ? row_malformed("seen") : buf_add(s->hold, value.data, value.len);
	return false;
}

int rows_find_seen(struct state *state, uint32_t source, const unsigned char hash[static SEEN_HASH],
		   struct seen_row *row, struct buf *hold)
{
	struct pack_key key = begin_key(BY_HASH, source);
	struct search s = { .row = row, .hold = hold, .result = -ENOENT };
	size_t begin = hold->len;
	key_add(&key, span_of(hash, SEEN_HASH));
	s.prefix = key_span(&key);
	*row = (struct seen_row){ .source = source };
	memcpy(row->hash, hash, SEEN_HASH);
	int failed = state_scan(state, STATE_SEEN, s.prefix, take_first, &s);
	if (failed == 0 && s.result == 0)
		row->id = span_of(hold->data + begin, hold->len - begin);
	return failed < 0 ? failed : s.result;
}

struct walk {
	bool (*each)(void *arg, const struct seen_row *);
	void *arg;
};

static bool each_seen(void *arg, struct pb_span key, struct pb_span value)
{
	const struct walk *w = arg;
	const char *at = key.data;
	struct seen_row row = { .source = 0 };
	if (key.len != 13 || *at != *IN_ORDER)
		return false;
	row.source = get_be32(at + 1);
	row.seq = get_be64(at + 5);
	row.at_ms = (int64_t)unpack_u64(&value);
	struct pb_span hash = unpack(&value, SEEN_HASH);
	if (hash.data == NULL) {
		row_malformed("seen");
		return true;
	}
	memcpy(row.hash, hash.data, SEEN_HASH);
	return w->each(w->arg, &row);
}

int rows_each_seen(struct state *s, uint32_t source, uint64_t from,
		   bool (*each)(void *arg, const struct seen_row *), void *arg)
{
	struct pack_key key = order_key(source, from);
	struct walk w = { each, arg };
	return state_scan(s, STATE_SEEN, key_span(&key), each_seen, &w);
}

void rows_put_secret(struct state_batch *b, const unsigned char secret[static SEEN_SECRET])
{
	struct pack_key key = { .len = 0 };
	struct buf value = BUF_INIT(PACK_MAX);
	key_add(&key, span_str(SECRET_KEY));
	buf_add(&value, secret, SEEN_SECRET);
	batch_put_buf(b, STATE_META, &key, &value);
}

int rows_get_secret(struct state *s, unsigned char secret[static SEEN_SECRET])
{
	struct buf value = BUF_INIT(PACK_MAX);
	int r = state_get(s, STATE_META, span_str(SECRET_KEY), &value);
	if (r == 0 && value.len != SEEN_SECRET)
		r = row_malformed("meta");
	if (r == 0)
		memcpy(secret, value.data, SEEN_SECRET);
	buf_free(&value);
	return r;
}
