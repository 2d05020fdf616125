/* rows-routes.c - what a lane takes, and up to where it took something else. */
#include "state/pack.h"
#include "state/rows.h"

static struct pack_key route_key(uint32_t lane, uint64_t until)
{
	struct pack_key key = { .len = 0 };
	key_u32(&key, lane);
	key_u64(&key, until);
	return key;
}

void rows_put_route(struct state_batch *b, uint32_t lane, const struct route_row *row)
{
	struct pack_key key = route_key(lane, row->until);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_span(&value, row->from);
	pack_span(&value, row->globs);
	batch_put_buf(b, STATE_ROUTES, &key, &value);
}

void rows_del_route(struct state_batch *b, uint32_t lane, uint64_t until)
{
	struct pack_key key = route_key(lane, until);
	batch_del(b, STATE_ROUTES, key_span(&key));
}

struct each_route {
	bool (*each)(void *arg, uint32_t lane, const struct route_row *);
	void *arg;
};

static bool each_route(void *arg, struct pb_span key, struct pb_span value)
{
	const struct each_route *walk = arg;
	if (key.len != 12) {
		row_malformed("routes");
		return true;
	}
	struct route_row row = { .until = get_be64((const char *)key.data + 4) };
	row.from = unpack_span(&value);
	row.globs = unpack_span(&value);
	bool whole = value.data != NULL && row.from.len % 4 == 0 &&
		     (row.globs.len == 0 || ((const char *)row.globs.data)[row.globs.len - 1] == '\0');
	if (whole)
		return walk->each(walk->arg, get_be32(key.data), &row);
	row_malformed("routes");
	return true;
}

int rows_each_route(struct state *s, bool (*each)(void *arg, uint32_t lane, const struct route_row *), void *arg)
{
	struct each_route walk = { .each = each, .arg = arg };
	return state_scan(s, STATE_ROUTES, SPAN_NONE, each_route, &walk);
}
