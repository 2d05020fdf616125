/* lmdb.h - the LMDB state from within: for lmdb*.c only. */
#ifndef STATE_LMDB_H
#define STATE_LMDB_H

#include <lmdb.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "base/span.h"
#include "state/reserve.h"
#include "state/state.h"

#define LMDB_MAGIC 0x4c4d4442u

struct lmdb {
	unsigned magic;
	struct state state;
	char *folder;
	MDB_env *env;
	MDB_dbi tables[STATE_TABLES];
	struct reserve reserve;		/* the applying thread's */
	_Atomic uint64_t damaged;
	MDB_txn *snapshot;	/* what all is read in, of one that is only read; else NULL */
	struct state_reading reading;	/* likewise: who is told of damaged rows */
};

/* The one that `state` is part of. */
struct lmdb *lmdb_of(struct state *);
/* LMDB's errors are errno's, or its own, which are negative: 0 or -errno. */
int lmdb_errno(int error);
/* Put the value behind its checksum. 0 or LMDB's error. */
int lmdb_put_row(struct lmdb *, MDB_txn *, enum state_table, struct pb_span key, struct pb_span value);
/* Is the checksum right, and is that another row's? A damaged row is logged and counted. */
bool lmdb_row_is_whole(struct lmdb *, enum state_table, MDB_val key, MDB_val value);
/* What version is there? 0: ours, or nothing yet; -EPROTONOSUPPORT, -EBADMSG, -errno. Writes nothing. */
int lmdb_read_version(struct lmdb *);
/* Open the tables of a store that is not new; writes nothing. 0 or LMDB's error. */
int lmdb_open_old_tables(struct lmdb *);
/* Add what lmdb_read_version() found wrong. */
void lmdb_refuse(const struct lmdb *, int why, struct pb_error *);
/* A transaction to read in, and its end. 0 or LMDB's error. */
int lmdb_begin(struct lmdb *, MDB_txn **);
void lmdb_end(struct lmdb *, MDB_txn *);
/* state_scan() */
int lmdb_scan(struct state *, enum state_table, struct pb_span from,
	      bool (*each)(void *arg, struct pb_span key, struct pb_span value), void *arg);
/* state_close(), also of one that is only half open. */
void lmdb_close(struct state *);
extern const struct state_ops lmdb_ops;

static inline MDB_val lmdb_val(struct pb_span s)
{
	return (MDB_val){ .mv_size = s.len, .mv_data = (void *)s.data };
}

#endif
