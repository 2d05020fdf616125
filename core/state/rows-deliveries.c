/* rows-deliveries.c - stragglers with their due rows, and the dead. */
#include <errno.h>

#include "state/pack.h"
#include "state/rows.h"

static struct pack_key delivery_key(struct delivery_key d)
{
	struct pack_key key = { .len = 0 };
	key_u32(&key, d.lane);
	key_u64(&key, d.seq);
	return key;
}

/* Lane, time, sequence number; the time's sign bit turned round, so that times before 1970 sort first. */
static struct pack_key due_key(int64_t due_ms, struct delivery_key d)
{
	struct pack_key key = { .len = 0 };
	key_u32(&key, d.lane);
	key_u64(&key, (uint64_t)due_ms ^ UINT64_C(1) << 63);
	key_u64(&key, d.seq);
	return key;
}

/* Rows of one lane are together: the first of another ends it. */
static bool is_wanted(uint32_t lane, uint32_t of)
{
	return lane == LANE_ANY || lane == of;
}

bool rows_read_delivery_key(struct pb_span key, struct delivery_key *d)
{
	if (key.len != 12)
		return false;
	*d = (struct delivery_key){
		.lane = get_be32(key.data), .seq = get_be64((const char *)key.data + 4),
	};
	return true;
}

void rows_del_due(struct state_batch *b, struct delivery_key d, int64_t due_ms)
{
	struct pack_key key = due_key(due_ms, d);
	batch_del(b, STATE_DUE, key_span(&key));
}

void rows_put_due(struct state_batch *b, struct delivery_key d, int64_t due_ms)
{
	struct pack_key key = due_key(due_ms, d);
	batch_put(b, STATE_DUE, key_span(&key), SPAN_NONE);
}

/* stragglers */

void rows_put_straggler(struct state_batch *b, struct delivery_key d, const struct straggler_row *row,
			int64_t old_due_ms)
{
	struct pack_key key = delivery_key(d);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u32(&value, row->attempts);
	pack_u64(&value, (uint64_t)row->first_ms);
	pack_u64(&value, (uint64_t)row->due_ms);
	pack_u64(&value, (uint64_t)row->wait_ms);
	pack_u64(&value, row->key);
	pack_u64(&value, (uint64_t)row->after_ms);
	pack_u32(&value, row->bytes);
	pack_span(&value, row->parts);
	pack_span(&value, row->error);
	pack_span(&value, row->response);
	batch_put_buf(b, STATE_STRAGGLERS, &key, &value);
	if (old_due_ms >= 0 && old_due_ms != row->due_ms) {
		key = due_key(old_due_ms, d);
		batch_del(b, STATE_DUE, key_span(&key));
	}
	key = due_key(row->due_ms, d);
	batch_put(b, STATE_DUE, key_span(&key), SPAN_NONE);
}

void rows_del_straggler(struct state_batch *b, struct delivery_key d, int64_t due_ms)
{
	struct pack_key key = delivery_key(d);
	batch_del(b, STATE_STRAGGLERS, key_span(&key));
	key = due_key(due_ms, d);
	batch_del(b, STATE_DUE, key_span(&key));
}

static int unpack_straggler(struct pb_span left, struct straggler_row *row)
{
	*row = (struct straggler_row){ .attempts = unpack_u32(&left) };
	row->first_ms = (int64_t)unpack_u64(&left);
	row->due_ms = (int64_t)unpack_u64(&left);
	row->wait_ms = (int64_t)unpack_u64(&left);
	row->key = unpack_u64(&left);
	row->after_ms = (int64_t)unpack_u64(&left);
	row->bytes = unpack_u32(&left);
	row->parts = unpack_span(&left);
	row->error = unpack_span(&left);
	row->response = unpack_span(&left);
	return left.data == NULL ? row_malformed("stragglers") : 0;
}

int rows_get_straggler(struct state *s, struct delivery_key d, struct straggler_row *row, struct buf *hold)
{
	struct pack_key key = delivery_key(d);
	size_t begin = hold->len;
	int r = state_get(s, STATE_STRAGGLERS, key_span(&key), hold);
	return r == 0 ? unpack_straggler(span_of(hold->data + begin, hold->len - begin), row) : r;
}

struct each_due {
	uint32_t lane;
	bool (*each)(void *arg, int64_t due_ms, struct delivery_key);
	void *arg;
};

static bool each_due(void *arg, struct pb_span key, struct pb_span value)
{
	const struct each_due *walk = arg;
	const char *bytes = key.data;
	(void)value;
	if (key.len != 20) {
		row_malformed("due");
		return true;
	}
	struct delivery_key d = { .lane = get_be32(bytes), .seq = get_be64(bytes + 12) };
	int64_t due_ms = (int64_t)(get_be64(bytes + 4) ^ UINT64_C(1) << 63);
	return is_wanted(walk->lane, d.lane) && walk->each(walk->arg, due_ms, d);
}

int rows_each_due(struct state *s, uint32_t lane, int64_t from_due_ms,
		  bool (*each)(void *arg, int64_t due_ms, struct delivery_key), void *arg)
{
	struct each_due walk = { .lane = lane, .each = each, .arg = arg };
	assert(lane != LANE_ANY || from_due_ms == DUE_FIRST);
	struct pack_key key = due_key(from_due_ms, (struct delivery_key){ lane, 0 });
	return state_scan(s, STATE_DUE, key_span(&key), each_due, &walk);
}

struct each_parked {
	uint32_t lane;
	int64_t due_ms;
	bool (*each)(void *arg, uint64_t seq);
	void *arg;
};

static bool each_parked(void *arg, int64_t due_ms, struct delivery_key key)
{
	const struct each_parked *walk = arg;
	return due_ms == walk->due_ms && key.lane == walk->lane && walk->each(walk->arg, key.seq);
}

int rows_each_parked(struct state *s, uint32_t lane, uint64_t park_key, uint64_t from,
		     bool (*each)(void *arg, uint64_t seq), void *arg)
{
	struct each_parked parked = { .lane = lane, .due_ms = due_parked(park_key), .each = each, .arg = arg };
	struct each_due walk = { .lane = lane, .each = each_parked, .arg = &parked };
	struct pack_key key = due_key(parked.due_ms, (struct delivery_key){ lane, from });
	return state_scan(s, STATE_DUE, key_span(&key), each_due, &walk);
}

struct each_straggler {
	uint32_t lane;
	bool (*each)(void *arg, struct delivery_key, const struct straggler_row *);
	void *arg;
};

static bool each_straggler(void *arg, struct pb_span key, struct pb_span value)
{
	const struct each_straggler *walk = arg;
	struct delivery_key d;
	struct straggler_row row;
	if (!rows_read_delivery_key(key, &d) || unpack_straggler(value, &row) != 0)
		return true;
	return is_wanted(walk->lane, d.lane) && walk->each(walk->arg, d, &row);
}

int rows_each_straggler(struct state *s, uint32_t lane, uint64_t from,
			bool (*each)(void *arg, struct delivery_key, const struct straggler_row *), void *arg)
{
	struct each_straggler walk = { .lane = lane, .each = each, .arg = arg };
	struct pack_key key = delivery_key((struct delivery_key){ lane, from });
	return state_scan(s, STATE_STRAGGLERS, key_span(&key), each_straggler, &walk);
}

/* dead */

const char *dead_reason_name(enum dead_reason reason)
{
	static const char *const names[] = {
		[DEAD_REJECTED] = "rejected", [DEAD_EXHAUSTED] = "exhausted", [DEAD_EXPIRED] = "expired",
		[DEAD_OVERFLOW] = "overflow", [DEAD_FILTER] = "filter", [DEAD_REMOVED] = "removed",
	};
	size_t i = (size_t)reason;
	return i < sizeof names / sizeof *names && names[i] != NULL ? names[i] : "unknown";
}

enum dead_reason dead_reason_find(const char *name)
{
	for (enum dead_reason reason = DEAD_REJECTED; reason <= DEAD_REMOVED; reason++)
		if (strcmp(dead_reason_name(reason), name) == 0)
			return reason;
	return 0;
}

void rows_put_dead(struct state_batch *b, struct delivery_key d, const struct dead_row *row)
{
	struct pack_key key = delivery_key(d);
	struct buf value = BUF_INIT(PACK_MAX);
	pack_u32(&value, row->reason);
	pack_u32(&value, row->attempts);
	pack_u64(&value, (uint64_t)row->first_ms);
	pack_u64(&value, (uint64_t)row->dead_ms);
	pack_u32(&value, row->bytes);
	pack_span(&value, row->parts);
	pack_span(&value, row->error);
	pack_span(&value, row->response);
	batch_put_buf(b, STATE_DEAD, &key, &value);
}

void rows_del_dead(struct state_batch *b, struct delivery_key d)
{
	struct pack_key key = delivery_key(d);
	batch_del(b, STATE_DEAD, key_span(&key));
}

static int unpack_dead(struct pb_span left, struct dead_row *row)
{
	*row = (struct dead_row){ .reason = unpack_u32(&left) };
	row->attempts = unpack_u32(&left);
	row->first_ms = (int64_t)unpack_u64(&left);
	row->dead_ms = (int64_t)unpack_u64(&left);
	row->bytes = unpack_u32(&left);
	row->parts = unpack_span(&left);
	row->error = unpack_span(&left);
	row->response = unpack_span(&left);
	return left.data == NULL ? row_malformed("dead") : 0;
}

int rows_get_dead(struct state *s, struct delivery_key d, struct dead_row *row, struct buf *hold)
{
	struct pack_key key = delivery_key(d);
	size_t begin = hold->len;
	int r = state_get(s, STATE_DEAD, key_span(&key), hold);
	return r == 0 ? unpack_dead(span_of(hold->data + begin, hold->len - begin), row) : r;
}

struct scan_dead {
	bool one_lane;
	uint32_t lane;
	bool (*each)(void *arg, struct delivery_key, const struct dead_row *);
	void *arg;
};

static bool scan_dead(void *arg, struct pb_span key, struct pb_span value)
{
	const struct scan_dead *walk = arg;
	struct delivery_key d;
	struct dead_row row;
	if (!rows_read_delivery_key(key, &d) || unpack_dead(value, &row) != 0)
		return true;
	return (!walk->one_lane || d.lane == walk->lane) && walk->each(walk->arg, d, &row);
}

static int scan_dead_rows(struct state *s, uint64_t from, struct scan_dead *walk)
{
	struct pack_key key = delivery_key((struct delivery_key){ walk->lane, from });
	return state_scan(s, STATE_DEAD, key_span(&key), scan_dead, walk);
}

int rows_scan_dead(struct state *s, struct delivery_key from,
		   bool (*each)(void *arg, struct delivery_key, const struct dead_row *), void *arg)
{
	return scan_dead_rows(s, from.seq, &(struct scan_dead){ false, from.lane, each, arg });
}

int rows_each_dead(struct state *s, uint32_t lane, uint64_t from,
		   bool (*each)(void *arg, struct delivery_key, const struct dead_row *), void *arg)
{
	return scan_dead_rows(s, from, &(struct scan_dead){ true, lane, each, arg });
}
