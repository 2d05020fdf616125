/* lmdb-scan.c - rows in order, by read transactions that never last long: LMDB keeps pages for the oldest reader. */
#include <assert.h>

#include "base/clock.h"
#include "state/lmdb.h"

#define SCAN_ROWS 256		/* rows, or … */
#define SCAN_MS 50		/* … time of a read transaction, whichever comes first */

struct scan {
	bool (*each)(void *arg, struct pb_span key, struct pb_span value);
	void *arg;
	unsigned char key[STATE_KEY_MAX];	/* the last row's */
	size_t key_len;
	bool resumed, done;
};

static bool hand_out(struct lmdb *l, enum state_table table, struct scan *scan, MDB_val k, MDB_val v)
{
	if (!lmdb_row_is_whole(l, table, k, v))
		return true;
	return scan->each(scan->arg, span_of(k.mv_data, k.mv_size),
			  span_of((char *)v.mv_data + 4, v.mv_size - 4));
}

/* Rows for the length of one short transaction; where it ended is kept as a key, since rows may change before the
 * next one. */
static int scan_rows(struct lmdb *l, MDB_cursor *cursor, enum state_table table, struct scan *scan)
{
	MDB_val k = { .mv_size = scan->key_len, .mv_data = scan->key }, v;
	int r = mdb_cursor_get(cursor, &k, &v, scan->key_len > 0 ? MDB_SET_RANGE : MDB_FIRST);
	if (r == 0 && scan->resumed && k.mv_size == scan->key_len && memcmp(k.mv_data, scan->key, k.mv_size) == 0)
		r = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	int64_t until = clock_mono(&clock_system) + SCAN_MS;
	for (unsigned n = 1; r == 0; n++) {
		scan->done = !hand_out(l, table, scan, k, v);
		if (scan->done)
			return 0;
		if (n >= SCAN_ROWS || (n % 16 == 0 && clock_mono(&clock_system) >= until)) {
			memcpy(scan->key, k.mv_data, k.mv_size);
			scan->key_len = k.mv_size;
			scan->resumed = true;
			return 0;
		}
		r = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	scan->done = true;
	return r == MDB_NOTFOUND ? 0 : r;
}

static int scan_chunk(struct lmdb *l, enum state_table table, struct scan *scan)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	int r = lmdb_begin(l, &txn);
	if (r != 0)
		return lmdb_errno(r);
	r = mdb_cursor_open(txn, l->tables[table], &cursor);
	if (r == 0) {
		r = scan_rows(l, cursor, table, scan);
		mdb_cursor_close(cursor);
	}
	lmdb_end(l, txn);
	return lmdb_errno(r);
}

int lmdb_scan(struct state *s, enum state_table table, struct pb_span from,
		     bool (*each)(void *arg, struct pb_span key, struct pb_span value), void *arg)
{
	assert(from.len <= STATE_KEY_MAX);
	struct scan scan = { .each = each, .arg = arg, .key_len = from.len };
	if (from.len > 0)
		memcpy(scan.key, from.data, from.len);
	int r = 0;
	while (r == 0 && !scan.done)
		r = scan_chunk(lmdb_of(s), table, &scan);
	return r;
}
