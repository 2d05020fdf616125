/* lmdb-read.c - the state as it lies: a snapshot, a trial reading, a copy. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "state/lmdb.h"

static bool has_file(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	bool has = access(path, F_OK) == 0;
	free(path);
	return has;
}

/* Readers are known to the daemon by lock.mdb. Where that is missing there is no daemon, and none is made: it could
 * come to belong to whoever only looks. */
static int open_env(struct lmdb *l)
{
	unsigned flags = MDB_RDONLY | MDB_NOTLS | (has_file(l->folder, "lock.mdb") ? 0 : MDB_NOLOCK);
	int r = mdb_env_create(&l->env);
	if (r == 0)
		r = mdb_env_set_maxdbs(l->env, STATE_TABLES);
	return r == 0 ? mdb_env_open(l->env, l->folder, flags, 0600) : r;
}

static int open_snapshot(struct lmdb *l, struct pb_error *error)
{
	if (!has_file(l->folder, "data.mdb")) {
		error_add(error, NULL, "state: %s: there is no data.mdb", l->folder);
		return -ENOENT;
	}
	int r = open_env(l);
	if (r != 0) {
		error_add(error, NULL, "state: %s/data.mdb: %s", l->folder, mdb_strerror(r));
		return r == EACCES || r == EPERM ? -EACCES : -EBADMSG;
	}
	r = lmdb_read_version(l);
	bool another = r == -EPROTONOSUPPORT || r == -EBADMSG;
	if (r == 0)
		r = lmdb_errno(lmdb_open_old_tables(l));
	if (r == 0)
		r = lmdb_errno(mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->snapshot));
	if (r != 0)
		lmdb_refuse(l, r, error);
	return another ? -EPROTONOSUPPORT : r == -ENOENT ? -EBADMSG : r;
}

struct state *state_open_read(const char *folder, const struct state_reading *reading, struct pb_error *error)
{
	struct lmdb *l = xcalloc(1, sizeof *l);
	*l = (struct lmdb){ .magic = LMDB_MAGIC, .state = { &lmdb_ops }, .folder = xstrdup(folder) };
	l->reading = *reading;
	int r = open_snapshot(l, error);
	if (r == 0)
		return &l->state;
	lmdb_close(&l->state);
	errno = -r;
	return NULL;
}

static void no_matter(void *arg, enum state_table table, struct pb_span key)
{
	(void)arg;
	(void)table;
	(void)key;
}

/* Damaged pages can send a cursor round in circles; keys that do not ascend tell. */
static int try_table(MDB_txn *txn, MDB_dbi table)
{
	MDB_cursor *cursor;
	MDB_val last = { .mv_size = 0 }, k, v;
	volatile unsigned sum = 0;
	int r = mdb_cursor_open(txn, table, &cursor);
	if (r != 0)
		return r;
	while ((r = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
		if (last.mv_size > 0 && mdb_cmp(txn, table, &last, &k) >= 0)
			return MDB_CORRUPTED;
		for (size_t i = 0; i < v.mv_size; i += 4096)
			sum = sum + ((const unsigned char *)v.mv_data)[i];
		last = k;
	}
	mdb_cursor_close(cursor);
	return r == MDB_NOTFOUND ? 0 : r;
}

static int try_all(struct lmdb *l)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < STATE_TABLES; i++)
		r = try_table(l->snapshot, l->tables[i]);
	return r;
}

/* What a probe's process tells. */
struct probe {
	int result;		/* -errno */
	char text[500];
};

/* In a process of its own: whatever LMDB does to it, nobody is told but by `to`. */
static _Noreturn void probe_run(const char *folder, int to)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct pb_error error;
	struct probe p = { .result = 0 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	dup2(null, STDERR_FILENO);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_DFL);
	error_init(&error);
	struct state *s = state_open_read(folder, &(struct state_reading){ .damaged = no_matter }, &error);
	p.result = s == NULL ? -errno : 0;
	snprintf(p.text, sizeof p.text, "%s", error_text(&error));
	int r = s == NULL ? 0 : try_all(lmdb_of(s));
	if (r != 0) {
		p.result = -EBADMSG;
		snprintf(p.text, sizeof p.text, "state: %s/data.mdb: %s", folder, mdb_strerror(r));
	}
	_exit(write(to, &p, sizeof p) == (ssize_t)sizeof p ? 0 : 1);
}

static int probe_wait(const char *folder, pid_t pid, int from, struct pb_error *error)
{
	struct probe p;
	ssize_t n = read(from, &p, sizeof p);
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof p) {
		error_add(error, NULL, "state: %s/data.mdb: reading it ends a process (%s)", folder,
			  WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "for an unknown reason");
		return -EBADMSG;
	}
	p.text[sizeof p.text - 1] = '\0';
	if (p.result != 0 && p.result != -ENOENT)
		error_add(error, NULL, "%s", p.text);
	return p.result;
}

int state_probe(const char *folder, struct pb_error *error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		probe_run(folder, ends[1]);
	int r = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (r == 0)
		r = probe_wait(folder, pid, ends[0], error);
	else
		error_add(error, NULL, "state: cannot start a process: %s", strerror(-r));
	close(ends[0]);
	return r;
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) != 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

int state_copy(const char *folder, const char *to)
{
	struct lmdb l = { .magic = LMDB_MAGIC, .folder = (char *)folder };
	char *path = xasprintf("%s/data.mdb", to);
	int r = open_env(&l);
	if (r == 0)
		r = mdb_env_copy(l.env, to);
	if (l.env != NULL)
		mdb_env_close(l.env);
	r = lmdb_errno(r);
	if (r == 0)
		r = sync_file(path);
	if (r == 0)
		r = sync_file(to);
	free(path);
	return r;
}
