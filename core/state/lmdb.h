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
};

/* The one that `state` is part of. */
struct lmdb *lmdb_of(struct state *);
/* The name of a table's database. */
const char *lmdb_table_name(enum state_table);
/* LMDB's errors are errno's, or its own, which are negative: 0 or -errno. */
int lmdb_errno(int error);
/* Put the value behind its checksum. 0 or LMDB's error. */
int lmdb_put_row(struct lmdb *, MDB_txn *, enum state_table, struct pb_span key, struct pb_span value);
/* Is the checksum right, and is that another row's? A damaged row is logged and counted. */
bool lmdb_row_is_whole(struct lmdb *, enum state_table, MDB_val key, MDB_val value);
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
