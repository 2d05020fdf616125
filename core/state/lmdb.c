/*
 * lmdb.c - the state in an LMDB environment: a named database a table.
 *
 * Without DUPSORT and WRITEMAP. A value is a crc32c over table, key and bytes, then the bytes. The map is
 * address space only; what may be used is the caller's matter (max_size). A file `reserve` holds disk
 * space that is given up when the disk is full, so that what frees space can still be written.
 */
#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "state/reserve.h"
#include "state/state.h"

#define LMDB_MAGIC 0x4c4d4442u
#define FORMAT_VERSION 1
#define FORMAT_KEY "format"
#define MAP_SPARE (UINT64_C(1) << 30)
#define READERS_MAX 256
#define SCAN_ROWS 256		/* rows, or … */
#define SCAN_MS 50		/* … time of a read transaction, whichever comes first */

static const char *const table_names[STATE_TABLES] = {
	[STATE_NAMES] = "names", [STATE_LANES] = "lanes", [STATE_STRAGGLERS] = "stragglers",
	[STATE_DUE] = "due", [STATE_DEAD] = "dead", [STATE_KEPT] = "kept", [STATE_MARKS] = "marks",
	[STATE_SEEN] = "seen", [STATE_SINKS] = "sinks", [STATE_META] = "meta",
};

struct lmdb {
	unsigned magic;
	struct state state;
	char *folder;
	MDB_env *env;
	MDB_dbi tables[STATE_TABLES];
	struct reserve reserve;		/* the applying thread's */
	_Atomic uint64_t damaged;
};

static struct lmdb *lmdb_of(struct state *s)
{
	struct lmdb *l = CONTAINER_OF(s, struct lmdb, state);
	CHECK_OBJ(l, LMDB_MAGIC);
	return l;
}

/* LMDB's errors are errno's or its own, which are negative. */
static int as_errno(int r)
{
	switch (r) {
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
	case EDQUOT:
	case EFBIG:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EAGAIN;
	default:
		return r < 0 ? -EIO : -r;
	}
}

static uint32_t row_crc(enum state_table table, MDB_val key, const void *bytes, size_t len)
{
	unsigned char number = (unsigned char)table;
	uint32_t crc = crc32c(0, &number, 1);
	crc = crc32c(crc, key.mv_data, key.mv_size);
	return crc32c(crc, bytes, len);
}

static MDB_val val_of(struct pb_span s)
{
	return (MDB_val){ .mv_size = s.len, .mv_data = (void *)s.data };
}

static bool row_is_whole(struct lmdb *l, enum state_table table, MDB_val key, MDB_val value)
{
	if (value.mv_size >= 4 && get_le32(value.mv_data) == row_crc(table, key, (char *)value.mv_data + 4, value.mv_size - 4))
		return true;
	atomic_fetch_add_explicit(&l->damaged, 1, memory_order_relaxed);
	log_error("state: %s: damaged row in %s", l->folder, table_names[table]);
	return false;
}

static int put_row(struct lmdb *l, MDB_txn *txn, enum state_table table, struct pb_span key, struct pb_span value)
{
	MDB_val k = val_of(key), room = { .mv_size = value.len + 4 };
	int r = mdb_put(txn, l->tables[table], &k, &room, MDB_RESERVE);
	if (r != 0)
		return r;
	put_le32(room.mv_data, row_crc(table, k, value.data, value.len));
	if (value.len > 0)
		memcpy((char *)room.mv_data + 4, value.data, value.len);
	return 0;
}

static int write_ops(struct lmdb *l, MDB_txn *txn, const struct state_batch *b)
{
	enum state_table table;
	struct pb_span key, value;
	size_t at = 0;
	int r = 0;
	while (r == 0 && batch_next(b, &at, &table, &key, &value)) {
		MDB_val k = val_of(key);
		if (value.data != NULL)
			r = put_row(l, txn, table, key, value);
		else
			r = mdb_del(txn, l->tables[table], &k, NULL);
		if (r == MDB_NOTFOUND)
			r = 0;
	}
	return r;
}

static int apply_once(struct lmdb *l, const struct state_batch *b)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(l->env, NULL, 0, &txn);
	if (r != 0)
		return as_errno(r);
	r = write_ops(l, txn, b);
	if (r == 0)
		r = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return as_errno(r);
}

static int lmdb_apply(struct state *s, const struct state_batch *b)
{
	struct lmdb *l = lmdb_of(s);
	if (b->n == 0)
		return 0;
	int r = apply_once(l, b);
	if (r == -ENOSPC && reserve_release(&l->reserve)) {
		log_warn("state: %s: no space; the reserve is given up", l->folder);
		r = apply_once(l, b);
	}
	if (r == 0)
		reserve_renew(&l->reserve);
	else
		log_error("state: %s: cannot save: %s", l->folder, strerror(-r));
	return r;
}

static int lmdb_get(struct state *s, enum state_table table, struct pb_span key, struct buf *value)
{
	struct lmdb *l = lmdb_of(s);
	MDB_txn *txn;
	MDB_val k = val_of(key), v;
	int r = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (r != 0)
		return as_errno(r);
	r = as_errno(mdb_get(txn, l->tables[table], &k, &v));
	if (r == 0)
		r = row_is_whole(l, table, k, v) ? buf_add(value, (char *)v.mv_data + 4, v.mv_size - 4) : -EBADMSG;
	mdb_txn_abort(txn);
	return r;
}

struct scan {
	bool (*each)(void *arg, struct pb_span key, struct pb_span value);
	void *arg;
	unsigned char key[STATE_KEY_MAX];	/* the last row's */
	size_t key_len;
	bool resumed, done;
};

static bool hand_out(struct lmdb *l, enum state_table table, struct scan *scan, MDB_val k, MDB_val v)
{
	if (!row_is_whole(l, table, k, v))
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
	int r = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (r != 0)
		return as_errno(r);
	r = mdb_cursor_open(txn, l->tables[table], &cursor);
	if (r == 0) {
		r = scan_rows(l, cursor, table, scan);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return as_errno(r);
}

static int lmdb_scan(struct state *s, enum state_table table, struct pb_span from,
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

static uint64_t lmdb_bytes(struct state *s)
{
	struct lmdb *l = lmdb_of(s);
	MDB_txn *txn;
	uint64_t bytes = 0;
	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	for (size_t i = 0; i < STATE_TABLES; i++) {
		MDB_stat st;
		if (mdb_stat(txn, l->tables[i], &st) == 0)
			bytes += st.ms_psize * (uint64_t)(st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages);
	}
	mdb_txn_abort(txn);
	return bytes;
}

static uint64_t lmdb_damaged(struct state *s)
{
	return atomic_load_explicit(&lmdb_of(s)->damaged, memory_order_relaxed);
}

static void lmdb_close(struct state *s)
{
	struct lmdb *l = lmdb_of(s);
	if (l->env != NULL)
		mdb_env_close(l->env);
	reserve_close(&l->reserve);
	free(l->folder);
	l->magic = 0;
	free(l);
}

static const struct state_ops lmdb_ops = {
	.apply = lmdb_apply, .get = lmdb_get, .scan = lmdb_scan, .bytes = lmdb_bytes,
	.damaged = lmdb_damaged, .close = lmdb_close,
};

/* What version is there? 0: ours, or nothing yet; -EPROTONOSUPPORT, -EBADMSG, MDB_*. Writes nothing. */
static int check_version(struct lmdb *l, MDB_txn *txn)
{
	MDB_dbi meta;
	MDB_val k = val_of(span_str(FORMAT_KEY)), v;
	int r = mdb_dbi_open(txn, table_names[STATE_META], 0, &meta);
	if (r == MDB_NOTFOUND)
		return 0;
	if (r == 0)
		r = mdb_get(txn, meta, &k, &v);
	if (r == 0 && !row_is_whole(l, STATE_META, k, v))
		return -EBADMSG;
	if (r != 0)
		return as_errno(r);
	return v.mv_size == 8 && get_le32((char *)v.mv_data + 4) == FORMAT_VERSION ? 0 : -EPROTONOSUPPORT;
}

static int read_version(struct lmdb *l)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (r != 0)
		return as_errno(r);
	r = check_version(l, txn);
	mdb_txn_abort(txn);
	return r;
}

static int open_tables(struct lmdb *l)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(l->env, NULL, 0, &txn);
	for (size_t i = 0; r == 0 && i < STATE_TABLES; i++)
		r = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &l->tables[i]);
	if (r == 0) {
		unsigned char version[4];
		put_le32(version, FORMAT_VERSION);
		r = put_row(l, txn, STATE_META, span_str(FORMAT_KEY), span_of(version, sizeof version));
	}
	if (r == 0)
		return as_errno(mdb_txn_commit(txn));
	if (txn != NULL)
		mdb_txn_abort(txn);
	return as_errno(r);
}

static int open_env(struct lmdb *l, uint64_t max_size)
{
	uint64_t map = max_size + (max_size / 2 > MAP_SPARE ? max_size / 2 : MAP_SPARE);
	map -= map % 65536;
	int r = mdb_env_create(&l->env);
	if (r == 0)
		r = mdb_env_set_mapsize(l->env, (size_t)map);
	if (r == 0)
		r = mdb_env_set_maxdbs(l->env, STATE_TABLES);
	if (r == 0)
		r = mdb_env_set_maxreaders(l->env, READERS_MAX);
	if (r == 0)
		r = mdb_env_open(l->env, l->folder, MDB_NOTLS, 0600);
	return r;
}

static int open_all(struct lmdb *l, uint64_t max_size, struct pb_error *error)
{
	int r = open_env(l, max_size);
	if (r != 0) {
		error_add(error, NULL, "state: %s/data.mdb: %s", l->folder, mdb_strerror(r));
		return -EIO;
	}
	int dead;
	mdb_reader_check(l->env, &dead);
	r = read_version(l);
	if (r == -EPROTONOSUPPORT)
		error_add(error, NULL, "state: %s/data.mdb: another format version; this program reads version %d",
			  l->folder, FORMAT_VERSION);
	else if (r == -ENOENT || r == -EBADMSG)
		error_add(error, NULL, "state: %s/data.mdb: its format version is missing or damaged", l->folder);
	else if (r != 0 || (r = open_tables(l)) != 0)
		error_add(error, NULL, "state: %s/data.mdb: %s", l->folder, strerror(-r));
	return r;
}

struct state *state_open(const char *folder, uint64_t max_size, struct pb_error *error)
{
	if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
		error_add(error, NULL, "state: %s: %s", folder, strerror(errno));
		return NULL;
	}
	struct lmdb *l = xcalloc(1, sizeof *l);
	*l = (struct lmdb){ .magic = LMDB_MAGIC, .state = { &lmdb_ops }, .folder = xstrdup(folder) };
	reserve_open(&l->reserve, folder);
	if (open_all(l, max_size, error) == 0) {
		reserve_renew(&l->reserve);
		return &l->state;
	}
	lmdb_close(&l->state);
	return NULL;
}
