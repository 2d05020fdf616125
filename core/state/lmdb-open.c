/* lmdb-open.c - open or make the environment; what another version wrote is left as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/step.h"
#include "state/lmdb.h"

#define FORMAT_KEY "format"
#define MAP_SPARE (UINT64_C(1) << 30)
#define READERS_MAX 256

/* What version is there? 0: ours, or nothing yet; -EPROTONOSUPPORT, -EBADMSG, MDB_*. Writes nothing. */
static int check_version(struct lmdb *l, MDB_txn *txn)
{
	MDB_dbi meta;
	MDB_val k = lmdb_val(span_str(FORMAT_KEY)), v;
	int r = mdb_dbi_open(txn, state_table_name(STATE_META), 0, &meta);
	if (r == MDB_NOTFOUND)
		return 0;
	if (r == 0)
		r = mdb_get(txn, meta, &k, &v);
	if (r == 0 && !lmdb_row_is_whole(l, STATE_META, k, v))
		return -EBADMSG;
	if (r != 0)
		return lmdb_errno(r);
	return v.mv_size == 8 && get_le32((char *)v.mv_data + 4) == STATE_FORMAT ? 0 : -EPROTONOSUPPORT;
}

int lmdb_read_version(struct lmdb *l)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (r != 0)
		return lmdb_errno(r);
	r = check_version(l, txn);
	mdb_txn_abort(txn);
	return r;
}

/* Writing nothing, it can be opened on a full disk. */
int lmdb_open_old_tables(struct lmdb *l)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < STATE_TABLES; i++)
		r = mdb_dbi_open(txn, state_table_name((enum state_table)i), 0, &l->tables[i]);
	if (r == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return r;
}

static int make_tables(struct lmdb *l)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(l->env, NULL, 0, &txn);
	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < STATE_TABLES; i++)
		r = mdb_dbi_open(txn, state_table_name((enum state_table)i), MDB_CREATE, &l->tables[i]);
	if (r == 0) {
		unsigned char version[4];
		put_le32(version, STATE_FORMAT);
		r = lmdb_put_row(l, txn, STATE_META, span_str(FORMAT_KEY), span_of(version, sizeof version));
	}
	if (r == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return r;
}

/* LMDB syncs its file but not that file's name; and the folder may be as new. */
static int sync_name(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = above < 0 || fsync(fd) != 0 || fsync(above) != 0 ? errno : 0;
	if (above >= 0)
		close(above);
	close(fd);
	return r;
}

static int open_tables(struct lmdb *l)
{
	int r = lmdb_open_old_tables(l);
	if (r == MDB_NOTFOUND)
		r = make_tables(l);
	step_at("state: tables opened, folder not synced");
	return lmdb_errno(r != 0 ? r : sync_name(l->folder));
}

static int open_env(struct lmdb *l, uint64_t max_size)
{
	uint64_t map = max_size < SIZE_MAX / 4 ? 2 * max_size + MAP_SPARE : SIZE_MAX / 2;
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

void lmdb_refuse(const struct lmdb *l, int why, struct pb_error *error)
{
	if (why == -EPROTONOSUPPORT)
		error_add(error, NULL, "state: %s/data.mdb: another format version; this program reads version %d",
			  l->folder, STATE_FORMAT);
	else if (why == -ENOENT || why == -EBADMSG)
		error_add(error, NULL, "state: %s/data.mdb: its format version is missing or damaged", l->folder);
	else
		error_add(error, NULL, "state: %s/data.mdb: %s", l->folder, strerror(-why));
}

static int open_all(struct lmdb *l, uint64_t max_size, struct pb_error *error)
{
	int r = open_env(l, max_size);
	if (r != 0) {
		error_add(error, NULL, "%s/data.mdb: %s", l->folder, mdb_strerror(r));
		return -EIO;
	}
	step_at("state: environment opened");
	int dead;
	mdb_reader_check(l->env, &dead);
	r = lmdb_read_version(l);
	if (r == 0)
		r = open_tables(l);
	if (r != 0)
		lmdb_refuse(l, r, error);
	return r;
}

struct state *state_open(const char *folder, uint64_t max_size, struct pb_error *error)
{
	if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
		error_add(error, NULL, "%s: %s", folder, strerror(errno));
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
