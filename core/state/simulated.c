/* simulated.c - the state's tables as sorted arrays in memory. */
#include "state/simulated.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"

#define DISK_MAGIC 0x5373696du
#define PAGE 4096u

struct row {
	struct pb_span key, value;	/* both in `bytes` */
	unsigned char bytes[];
};

struct table {
	struct row **rows;	/* ascending by key */
	size_t n, cap;
};

struct state_disk {
	unsigned magic;
	pthread_mutex_t lock;	/* guards all of it */
	struct state state;
	struct table tables[STATE_TABLES];
	uint64_t bytes;
	int fail;		/* what the next apply fails with; 0: it does not */
	bool fail_applied;
	bool full;		/* no apply finds space */
	bool dies;		/* … when that one is done, and fails */
	bool dead;		/* crashed, and not opened again yet */
};

static struct state_disk *enter(struct state *s)
{
	struct state_disk *d = CONTAINER_OF(s, struct state_disk, state);
	CHECK_OBJ(d, DISK_MAGIC);
	pthread_mutex_lock(&d->lock);
	return d;
}

static int leave(struct state_disk *d, int r)
{
	pthread_mutex_unlock(&d->lock);
	return r;
}

static int compare_keys(struct pb_span a, struct pb_span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The first row at or after the key. */
static size_t find(const struct table *t, struct pb_span key)
{
	size_t low = 0, high = t->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare_keys(t->rows[mid]->key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(const struct table *t, size_t i, struct pb_span key)
{
	return i < t->n && compare_keys(t->rows[i]->key, key) == 0;
}

static uint64_t row_size(const struct row *row)
{
	return row->key.len + row->value.len;
}

static struct row *row_new(struct pb_span key, struct pb_span value)
{
	struct row *row = xcalloc(1, sizeof *row + key.len + value.len);
	row->key = span_of(row->bytes, key.len);
	row->value = span_of(row->bytes + key.len, value.len);
	memcpy(row->bytes, key.data, key.len);
	if (value.len > 0)
		memcpy(row->bytes + key.len, value.data, value.len);
	return row;
}

static void del(struct state_disk *d, struct table *t, struct pb_span key)
{
	size_t i = find(t, key);
	if (!is_at(t, i, key))
		return;
	d->bytes -= row_size(t->rows[i]);
	free(t->rows[i]);
	t->n--;
	memmove(t->rows + i, t->rows + i + 1, (t->n - i) * sizeof(struct row *));
}

static void put(struct state_disk *d, struct table *t, struct pb_span key, struct pb_span value)
{
	struct row *row = row_new(key, value);
	del(d, t, key);
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 16 : t->cap * 2;
		t->rows = xrealloc(t->rows, t->cap, sizeof(struct row *));
	}
	size_t i = find(t, key);
	memmove(t->rows + i + 1, t->rows + i, (t->n - i) * sizeof(struct row *));
	t->rows[i] = row;
	t->n++;
	d->bytes += row_size(row);
}

static void write_ops(struct state_disk *d, const struct state_batch *b)
{
	enum state_table table;
	struct pb_span key, value;
	size_t at = 0;
	while (batch_next(b, &at, &table, &key, &value)) {
		if (value.data != NULL)
			put(d, &d->tables[table], key, value);
		else
			del(d, &d->tables[table], key);
	}
}

static int sim_apply(struct state *s, const struct state_batch *b)
{
	struct state_disk *d = enter(s);
	if (d->dead)
		return leave(d, -EIO);
	if (d->full)
		return leave(d, -ENOSPC);
	int r = -d->fail;
	d->fail = 0;
	if (r == 0 || d->fail_applied)
		write_ops(d, b);
	d->dead = d->dies;
	d->dies = d->fail_applied = false;
	return leave(d, r);
}

static int sim_get(struct state *s, enum state_table table, struct pb_span key, struct buf *value)
{
	struct state_disk *d = enter(s);
	const struct table *t = &d->tables[table];
	size_t i = find(t, key);
	if (!is_at(t, i, key))
		return leave(d, -ENOENT);
	return leave(d, buf_add(value, t->rows[i]->value.data, t->rows[i]->value.len));
}

static int sim_scan(struct state *s, enum state_table table, struct pb_span from,
		    bool (*each)(void *arg, struct pb_span key, struct pb_span value), void *arg)
{
	struct state_disk *d = enter(s);
	const struct table *t = &d->tables[table];
	for (size_t i = find(t, from); i < t->n; i++)
		if (!each(arg, t->rows[i]->key, t->rows[i]->value))
			break;
	return leave(d, 0);
}

/* In whole pages, as a disk would have it. */
static uint64_t sim_bytes(struct state *s)
{
	struct state_disk *d = enter(s);
	uint64_t bytes = (d->bytes + PAGE - 1) / PAGE * PAGE;
	leave(d, 0);
	return bytes;
}

static uint64_t sim_damaged(struct state *s)
{
	leave(enter(s), 0);
	return 0;
}

static void sim_close(struct state *s)
{
	leave(enter(s), 0);	/* the disk outlives it */
}

static const struct state_ops sim_ops = {
	.apply = sim_apply, .get = sim_get, .scan = sim_scan, .bytes = sim_bytes,
	.damaged = sim_damaged, .close = sim_close,
};

struct state_disk *state_disk_new(void)
{
	struct state_disk *d = xcalloc(1, sizeof *d);
	*d = (struct state_disk){ .magic = DISK_MAGIC, .state = { &sim_ops } };
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

void state_disk_free(struct state_disk *d)
{
	if (d == NULL)
		return;
	CHECK_OBJ(d, DISK_MAGIC);
	for (size_t i = 0; i < STATE_TABLES; i++) {
		while (d->tables[i].n > 0)
			free(d->tables[i].rows[--d->tables[i].n]);
		free(d->tables[i].rows);
	}
	pthread_mutex_destroy(&d->lock);
	d->magic = 0;
	free(d);
}

struct state *state_simulated(struct state_disk *d)
{
	enter(&d->state);
	d->dead = d->dies = false;
	d->fail = 0;
	leave(d, 0);
	return &d->state;
}

void state_disk_fail(struct state_disk *d, int error, bool applied)
{
	enter(&d->state);
	d->fail = error;
	d->fail_applied = applied;
	d->dies = false;
	leave(d, 0);
}

void state_disk_die(struct state_disk *d, bool applied)
{
	state_disk_fail(d, EIO, applied);
	enter(&d->state);
	d->dies = true;
	leave(d, 0);
}

bool state_disk_dead(struct state_disk *d)
{
	enter(&d->state);
	bool dead = d->dead;
	leave(d, 0);
	return dead;
}

void state_disk_full(struct state_disk *d, bool full)
{
	enter(&d->state);
	d->full = full;
	leave(d, 0);
}

void state_disk_crash(struct state_disk *d)
{
	enter(&d->state);
	d->dead = true;
	leave(d, 0);
}
