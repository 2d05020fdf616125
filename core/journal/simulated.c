/*
 * simulated.c - the journal's files in memory, on a disk that dies like real ones do.
 *
 * Each file has what is on the medium and what is only in the cache, by sector: a crash keeps each
 * unsynced sector or not, and the old or the new length. Making, renaming and removing files that the
 * folder was not synced for happen in order up to some point. All from one seed.
 */
#include "journal/simulated.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "journal/segment.h"

#define DISK_MAGIC 0x4a73696du
#define SECTOR 512u

struct image {
	unsigned char *data;
	uint64_t len, cap;	/* what is between them is zero */
};

struct sim_file {
	char *name;		/* NULL: has none any more */
	char *synced_name;	/* after a crash; NULL: none */
	struct image cached, synced;
	unsigned open;
};

/* A change of names that is not durable yet. */
struct rename {
	struct sim_file *file;
	char *name;		/* NULL: removed */
};

struct journal_disk {
	unsigned magic;
	pthread_mutex_t lock;	/* guards all of it */
	struct files files;
	uint64_t random;
	uint64_t room;
	struct sim_file **all;
	size_t n;
	struct rename *renames;
	size_t n_renames;
	int fail;		/* what the next append fails with; 0: it does not */
	bool fail_written;
	unsigned die_in;	/* changes until the machine dies; 0: it does not */
	bool dead;		/* crashed: nothing changes any more until it is opened again */
};

static uint64_t random_next(struct journal_disk *d)
{
	uint64_t z = (d->random += UINT64_C(0x9e3779b97f4a7c15));	/* splitmix64 */
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* The disk, locked. */
static struct journal_disk *enter(struct files *f)
{
	struct journal_disk *d = CONTAINER_OF(f, struct journal_disk, files);
	CHECK_OBJ(d, DISK_MAGIC);
	pthread_mutex_lock(&d->lock);
	return d;
}

static int leave(struct journal_disk *d, int r)
{
	pthread_mutex_unlock(&d->lock);
	return r;
}

static void image_resize(struct image *image, uint64_t len)
{
	if (len > image->cap) {
		uint64_t cap = len + len / 2;
		image->data = xrealloc(image->data, (size_t)cap, 1);
		memset(image->data + image->cap, 0, (size_t)(cap - image->cap));
		image->cap = cap;
	}
	if (len < image->len)
		memset(image->data + len, 0, (size_t)(image->len - len));
	image->len = len;
}

static void image_copy(struct image *to, const struct image *from)
{
	image_resize(to, from->len);
	if (from->len > 0)
		memcpy(to->data, from->data, (size_t)from->len);
}

static int find(const struct journal_disk *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->name != NULL && strcmp(d->all[i]->name, name) == 0)
			return (int)i;
	return -ENOENT;
}

static void note_rename(struct journal_disk *d, struct sim_file *file, const char *name)
{
	d->renames = xrealloc(d->renames, d->n_renames + 1, sizeof *d->renames);
	d->renames[d->n_renames++] = (struct rename){ file, name == NULL ? NULL : xstrdup(name) };
	free(file->name);
	file->name = name == NULL ? NULL : xstrdup(name);
}

static void settle_rename(struct rename *rename)
{
	free(rename->file->synced_name);
	rename->file->synced_name = rename->name;
}

/* Some sectors of what is cached reach the medium, and perhaps the length does. */
static void write_back_some(struct journal_disk *d, struct sim_file *file)
{
	struct image *to = &file->synced, *from = &file->cached;
	if (random_next(d) % 2 == 0)
		image_resize(to, from->len);
	for (uint64_t at = 0; at < to->len && at < from->len; at += SECTOR) {
		uint64_t left = (to->len < from->len ? to->len : from->len) - at;
		if (random_next(d) % 2 == 0)
			memcpy(to->data + at, from->data + at, left < SECTOR ? (size_t)left : SECTOR);
	}
}

static void crash(struct journal_disk *d)
{
	size_t kept = d->n_renames == 0 ? 0 : random_next(d) % (d->n_renames + 1);
	for (size_t i = 0; i < d->n_renames; i++) {
		if (i < kept)
			settle_rename(&d->renames[i]);
		else
			free(d->renames[i].name);
	}
	d->n_renames = 0;
	for (size_t i = 0; i < d->n; i++)
		write_back_some(d, d->all[i]);
	d->die_in = 0;
	d->dead = true;
}

/* Every change passes here when all but its durability is done: 0, or -EIO from a dead machine. */
static int change(struct journal_disk *d)
{
	if (d->die_in > 0 && --d->die_in == 0)
		crash(d);
	return d->dead ? -EIO : 0;
}

static int sim_list(struct files *f, void (*each)(void *arg, const char *name), void *arg)
{
	struct journal_disk *d = enter(f);
	size_t n = d->n;
	char **names = xcalloc(n + 1, sizeof *names);
	for (size_t i = 0; i < n; i++)
		names[i] = d->all[i]->name == NULL ? NULL : xstrdup(d->all[i]->name);
	leave(d, 0);
	for (size_t i = 0; i < n; i++) {
		if (names[i] != NULL && strchr(names[i], '/') == NULL)
			each(arg, names[i]);
		free(names[i]);
	}
	free(names);
	return 0;
}

static struct sim_file *file_new(struct journal_disk *d, const char *name)
{
	struct sim_file *file = xcalloc(1, sizeof *file);
	d->all = xrealloc(d->all, d->n + 1, sizeof(struct sim_file *));
	d->all[d->n++] = file;
	note_rename(d, file, name);
	return file;
}

static int sim_create(struct files *f, const char *name)
{
	struct journal_disk *d = enter(f);
	if (d->dead || find(d, name) >= 0)
		return leave(d, d->dead ? -EIO : -EEXIST);
	struct sim_file *file = file_new(d, name);
	int r = change(d);
	if (r == 0)
		file->open++;
	return leave(d, r == 0 ? (int)(d->n - 1) : r);
}

static int sim_open(struct files *f, const char *name)
{
	struct journal_disk *d = enter(f);
	int i = find(d, name);
	if (i >= 0)
		d->all[i]->open++;
	return leave(d, i);
}

static int sim_size(struct files *f, int file, uint64_t *bytes)
{
	struct journal_disk *d = enter(f);
	*bytes = d->all[file]->cached.len;
	return leave(d, 0);
}

static int sim_read(struct files *f, int file, void *to, size_t len, uint64_t offset, size_t *got)
{
	struct journal_disk *d = enter(f);
	const struct image *image = &d->all[file]->cached;
	uint64_t left = offset < image->len ? image->len - offset : 0;
	*got = len < left ? len : (size_t)left;
	if (*got > 0)
		memcpy(to, image->data + offset, *got);
	return leave(d, 0);
}

static uint64_t used(const struct journal_disk *d)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->name != NULL)
			bytes += d->all[i]->cached.len;
	return bytes;
}

/* Take the failure that is due now, if one is. */
static int take_failure(struct journal_disk *d, bool written)
{
	if (d->fail == 0 || d->fail_written != written)
		return 0;
	int r = -d->fail;
	d->fail = 0;
	return r;
}

/* As much as there is room for. 0 or -ENOSPC. */
static int write_part(struct journal_disk *d, struct image *image, struct pb_span part, uint64_t offset)
{
	uint64_t end = offset + part.len, have = used(d);
	uint64_t more = end > image->len ? end - image->len : 0;
	uint64_t room = d->room > have ? d->room - have : 0;
	uint64_t short_by = more > room ? more - room : 0;
	size_t len = short_by < part.len ? part.len - (size_t)short_by : 0;
	if (offset + len > image->len)
		image_resize(image, offset + len);
	if (len > 0)
		memcpy(image->data + offset, part.data, len);
	return len == part.len ? 0 : -ENOSPC;
}

static int sim_write(struct files *f, int file, struct iovec *parts, size_t n, uint64_t offset)
{
	struct journal_disk *d = enter(f);
	if (d->dead)
		return leave(d, -EIO);
	int r = take_failure(d, false);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = write_part(d, &d->all[file]->cached, (struct pb_span){ parts[i].iov_base, parts[i].iov_len },
			       offset);
		offset += parts[i].iov_len;
	}
	int died = change(d);
	return leave(d, died != 0 ? died : r);
}

static int sim_sync(struct files *f, int file)
{
	struct journal_disk *d = enter(f);
	int r = change(d);
	if (r != 0)
		return leave(d, r);
	r = take_failure(d, true);
	if (r == 0)
		image_copy(&d->all[file]->synced, &d->all[file]->cached);
	else
		write_back_some(d, d->all[file]);
	return leave(d, r);
}

static int sim_truncate(struct files *f, int file, uint64_t len)
{
	struct journal_disk *d = enter(f);
	if (d->dead)
		return leave(d, -EIO);
	image_resize(&d->all[file]->cached, len);
	return leave(d, change(d));
}

static int sim_rename(struct files *f, const char *from, const char *to)
{
	struct journal_disk *d = enter(f);
	int i = find(d, from), over = find(d, to);
	if (d->dead || i < 0)
		return leave(d, d->dead ? -EIO : i);
	if (over >= 0)
		note_rename(d, d->all[over], NULL);
	note_rename(d, d->all[i], to);
	return leave(d, change(d));
}

static int sim_remove(struct files *f, const char *name)
{
	struct journal_disk *d = enter(f);
	int i = find(d, name);
	if (d->dead || i < 0)
		return leave(d, d->dead ? -EIO : i);
	note_rename(d, d->all[i], NULL);
	return leave(d, change(d));
}

/* A file that is gone for good needs no memory; its number stays taken. */
static void drop_content(struct sim_file *file)
{
	if (file->name != NULL || file->synced_name != NULL || file->open > 0)
		return;
	free(file->cached.data);
	free(file->synced.data);
	file->cached = file->synced = (struct image){ 0 };
}

static int sim_sync_folder(struct files *f)
{
	struct journal_disk *d = enter(f);
	int r = change(d);
	if (r != 0)
		return leave(d, r);
	for (size_t i = 0; i < d->n_renames; i++)
		settle_rename(&d->renames[i]);
	d->n_renames = 0;
	for (size_t i = 0; i < d->n; i++)
		drop_content(d->all[i]);
	return leave(d, 0);
}

static void sim_close_file(struct files *f, int file)
{
	struct journal_disk *d = enter(f);
	assert(d->all[file]->open > 0);
	d->all[file]->open--;
	leave(d, 0);
}

static void sim_close(struct files *f)
{
	(void)f;	/* the disk outlives the journal */
}

static const struct files_ops sim_ops = {
	.list = sim_list, .create = sim_create, .open = sim_open, .size = sim_size,
	.read = sim_read, .write = sim_write, .sync = sim_sync, .truncate = sim_truncate,
	.rename = sim_rename, .remove = sim_remove, .sync_folder = sim_sync_folder,
	.close_file = sim_close_file, .close = sim_close,
};

struct journal_disk *journal_disk_new(uint64_t seed)
{
	struct journal_disk *d = xcalloc(1, sizeof *d);
	*d = (struct journal_disk){
		.magic = DISK_MAGIC, .files = { &sim_ops }, .random = seed, .room = UINT64_MAX,
	};
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

static void file_free(struct sim_file *file)
{
	free(file->name);
	free(file->synced_name);
	free(file->cached.data);
	free(file->synced.data);
	free(file);
}

void journal_disk_free(struct journal_disk *d)
{
	if (d == NULL)
		return;
	CHECK_OBJ(d, DISK_MAGIC);
	for (size_t i = 0; i < d->n_renames; i++)
		free(d->renames[i].name);
	for (size_t i = 0; i < d->n; i++)
		file_free(d->all[i]);
	free(d->renames);
	free(d->all);
	pthread_mutex_destroy(&d->lock);
	d->magic = 0;
	free(d);
}

void journal_disk_fail(struct journal_disk *d, int error, bool written)
{
	enter(&d->files);
	d->fail = error;
	d->fail_written = written;
	leave(d, 0);
}

void journal_disk_room(struct journal_disk *d, uint64_t bytes)
{
	enter(&d->files);
	d->room = bytes;
	leave(d, 0);
}

void journal_disk_crash(struct journal_disk *d)
{
	enter(&d->files);
	crash(d);
	leave(d, 0);
}

void journal_disk_die(struct journal_disk *d, unsigned changes)
{
	enter(&d->files);
	d->die_in = changes;
	leave(d, 0);
}

void journal_disk_put(struct journal_disk *d, const char *name, struct pb_span content)
{
	enter(&d->files);
	struct sim_file *file = file_new(d, name);
	image_resize(&file->cached, content.len);
	if (content.len > 0)
		memcpy(file->cached.data, content.data, content.len);
	image_copy(&file->synced, &file->cached);
	leave(d, 0);
	sim_sync_folder(&d->files);
}

/* What is on the medium is all there is. Files without a name are gone. */
static void power_on(struct journal_disk *d)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n; i++) {
		struct sim_file *file = d->all[i];
		assert(file->open == 0);
		if (file->synced_name == NULL) {
			file_free(file);
			continue;
		}
		free(file->name);
		file->name = xstrdup(file->synced_name);
		image_copy(&file->cached, &file->synced);
		d->all[n++] = file;
	}
	d->n = n;
	d->fail = 0;
	d->dead = false;
}

struct journal *journal_simulated(struct journal_disk *d, const struct journal_options *options)
{
	enter(&d->files);
	if (d->dead)
		power_on(d);
	leave(d, 0);
	struct pb_error error;
	error_init(&error);
	struct journal *j = segmented_open(&d->files, "simulated", options, &error);
	if (j == NULL)
		log_error("%s", error_text(&error));
	error_free(&error);
	return j;
}
