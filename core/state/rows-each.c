/* rows-each.c - walks over whole tables: for whoever looks at all of a store. */
#include "state/pack.h"
#include "state/rows.h"

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

struct each_kept {
	bool (*each)(void *arg, uint64_t seq, uint32_t rows, struct pb_span event);
	void *arg;
};

static bool each_kept(void *arg, struct pb_span key, struct pb_span value)
{
	const struct each_kept *walk = arg;
	uint32_t rows = unpack_u32(&value);
	if (key.len == 8 && value.data != NULL)
		return walk->each(walk->arg, get_be64(key.data), rows, value);
	row_malformed("kept");
	return true;
}

int rows_each_kept(struct state *s, uint64_t from,
		   bool (*each)(void *arg, uint64_t seq, uint32_t rows, struct pb_span event), void *arg)
{
	struct each_kept walk = { .each = each, .arg = arg };
	unsigned char key[8];
	put_be64(key, from);
	return state_scan(s, STATE_KEPT, span_of(key, sizeof key), each_kept, &walk);
}

struct each_mark {
	bool (*each)(void *arg, const struct mark_row *);
	void *arg;
};

static bool each_mark(void *arg, struct pb_span key, struct pb_span value)
{
	const struct each_mark *walk = arg;
	struct mark_row row = { .read_at = { .segment = unpack_u64(&value) } };
	row.read_at.offset = unpack_u64(&value);
	if (key.len < 4 || value.data == NULL) {
		row_malformed("marks");
		return true;
	}
	row.source = get_be32(key.data);
	row.key = span_of((const char *)key.data + 4, key.len - 4);
	row.value = value;
	return walk->each(walk->arg, &row);
}

int rows_each_mark(struct state *s, bool (*each)(void *arg, const struct mark_row *), void *arg)
{
	struct each_mark walk = { .each = each, .arg = arg };
	return state_scan(s, STATE_MARKS, SPAN_NONE, each_mark, &walk);
}
