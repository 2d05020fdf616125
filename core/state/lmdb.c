/*
 * lmdb.c - the state in an LMDB environment: a named database a table.
 *
 * Without DUPSORT and WRITEMAP. A value is a crc32c over table, key and bytes, then the bytes. The map is
 * address space only; what may be used is the caller's matter (max_size). A file `reserve` holds disk
 * space that is given up when the disk is full, so that what frees space can still be written.
 */
#include "state/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"

#define ROOM_PROBE 65536	/* bytes */

struct lmdb *lmdb_of(struct state *s)
{
	struct lmdb *l = CONTAINER_OF(s, struct lmdb, state);
	CHECK_OBJ(l, LMDB_MAGIC);
	return l;
}

const char *state_table_name(enum state_table table)
{
	static const char *const names[STATE_TABLES] = {
		[STATE_NAMES] = "names", [STATE_LANES] = "lanes", [STATE_STRAGGLERS] = "stragglers",
		[STATE_DUE] = "due", [STATE_DEAD] = "dead", [STATE_KEPT] = "kept", [STATE_MARKS] = "marks",
		[STATE_SEEN] = "seen", [STATE_SINKS] = "sinks", [STATE_META] = "meta",
		[STATE_ROUTES] = "routes",
	};
	return names[table];
}

int lmdb_errno(int r)
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
	case MDB_PANIC:
		return -ENOTRECOVERABLE;
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

bool lmdb_row_is_whole(struct lmdb *l, enum state_table table, MDB_val key, MDB_val value)
{
	const char *bytes = value.mv_data;
	if (value.mv_size >= 4 && get_le32(bytes) == row_crc(table, key, bytes + 4, value.mv_size - 4))
		return true;
	uint64_t met = atomic_fetch_add_explicit(&l->damaged, 1, memory_order_relaxed) + 1;
	if (l->reading.damaged != NULL) {
		l->reading.damaged(l->reading.arg, table, span_of(key.mv_data, key.mv_size));
		return false;
	}
	if ((met & (met - 1)) == 0)	/* each is met again and again */
		log_error("state: %s: damaged row in %s; damaged rows were met %llu times; `patchbay store repair` mends "
			  "them", l->folder, state_table_name(table), (unsigned long long)met);
	return false;
}

int lmdb_put_row(struct lmdb *l, MDB_txn *txn, enum state_table table, struct pb_span key, struct pb_span value)
{
	MDB_val k = lmdb_val(key), room = { .mv_size = value.len + 4 };
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
		MDB_val k = lmdb_val(key);
		if (value.data != NULL)
			r = lmdb_put_row(l, txn, table, key, value);
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
		return lmdb_errno(r);
	r = write_ops(l, txn, b);
	if (r == 0)
		r = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return lmdb_errno(r);
}

/* A write that was cut short by a full disk, quota or limit is EIO to LMDB; so ask the disk itself. */
static bool has_room(struct lmdb *l, const struct state_batch *b)
{
	mdb_filehandle_t fd;
	struct stat st;
	struct statvfs fs;
	struct rlimit limit;
	if (mdb_env_get_fd(l->env, &fd) != 0 || fstat(fd, &st) != 0 || fstatvfs(fd, &fs) != 0 ||
	    getrlimit(RLIMIT_FSIZE, &limit) != 0)
		return true;
	uint64_t need = b->ops.len + b->n * fs.f_frsize + ROOM_PROBE;
	if (fs.f_bavail * fs.f_frsize < need || limit.rlim_cur < (uint64_t)st.st_size + need)
		return false;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, ROOM_PROBE) == 0)
		return true;
	return errno != ENOSPC && errno != EDQUOT && errno != EFBIG;
}

/* Until a commit has written its last page, the rows before it are whole: it may be tried again. */
static int apply_or_full(struct lmdb *l, const struct state_batch *b)
{
	int r = apply_once(l, b);
	return r == -EIO && !has_room(l, b) ? -ENOSPC : r;
}

static int lmdb_apply(struct state *s, const struct state_batch *b)
{
	struct lmdb *l = lmdb_of(s);
	if (b->n == 0)
		return 0;
	int r = apply_or_full(l, b);
	if (r == -ENOSPC && reserve_release(&l->reserve)) {
		log_warn("state: %s: no space; the reserve is given up", l->folder);
		r = apply_or_full(l, b);
	}
	if (r == 0)
		reserve_renew(&l->reserve);
	else if (r != -ENOSPC)
		log_error("state: %s: cannot save: %s", l->folder, strerror(-r));
	return r;
}

int lmdb_begin(struct lmdb *l, MDB_txn **txn)
{
	*txn = l->snapshot;
	return *txn != NULL ? 0 : mdb_txn_begin(l->env, NULL, MDB_RDONLY, txn);
}

void lmdb_end(struct lmdb *l, MDB_txn *txn)
{
	if (txn != l->snapshot)
		mdb_txn_abort(txn);
}

static int lmdb_get(struct state *s, enum state_table table, struct pb_span key, struct buf *value)
{
	struct lmdb *l = lmdb_of(s);
	MDB_txn *txn;
	MDB_val k = lmdb_val(key), v;
	int r = lmdb_begin(l, &txn);
	if (r != 0)
		return lmdb_errno(r);
	r = lmdb_errno(mdb_get(txn, l->tables[table], &k, &v));
	if (r == 0 && !lmdb_row_is_whole(l, table, k, v))
		r = -EBADMSG;
	if (r == 0)
		r = buf_add(value, (char *)v.mv_data + 4, v.mv_size - 4);
	lmdb_end(l, txn);
	return r;
}

static uint64_t lmdb_bytes(struct state *s)
{
	struct lmdb *l = lmdb_of(s);
	MDB_txn *txn;
	uint64_t bytes = 0;
	if (lmdb_begin(l, &txn) != 0)
		return 0;
	for (size_t i = 0; i < STATE_TABLES; i++) {
		MDB_stat st;
		if (mdb_stat(txn, l->tables[i], &st) == 0)
			bytes += st.ms_psize * (uint64_t)(st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages);
	}
	lmdb_end(l, txn);
	return bytes;
}

static uint64_t lmdb_damaged(struct state *s)
{
	return atomic_load_explicit(&lmdb_of(s)->damaged, memory_order_relaxed);
}

void lmdb_close(struct state *s)
{
	struct lmdb *l = lmdb_of(s);
	if (l->snapshot != NULL)
		mdb_txn_abort(l->snapshot);
	if (l->env != NULL)
		mdb_env_close(l->env);
	reserve_close(&l->reserve);
	free(l->folder);
	l->magic = 0;
	free(l);
}

const struct state_ops lmdb_ops = {
	.apply = lmdb_apply, .get = lmdb_get, .scan = lmdb_scan, .bytes = lmdb_bytes,
	.damaged = lmdb_damaged, .close = lmdb_close,
};

