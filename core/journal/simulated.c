/*
 * simulated.c - the journal's files in memory, on a disk that dies like real ones do.
 *
 * Each file has what is on the medium and what is only in the cache, by sector: a crash keeps each
 * unsynced sector or not, and the old or the new length. Making, renaming and removing files that the
 * folder was not synced for happen in order up to some point. All from one seed.
 */
#include "journal/simulated.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "journal/medium.h"
#include "journal/segment.h"

#define DISK_MAGIC 0x4a73696du

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

static int sim_create(struct files *f, const char *name)
{
	struct journal_disk *d = enter(f);
	if (d->dead || medium_find(d, name) >= 0)
		return leave(d, d->dead ? -EIO : -EEXIST);
	int file = medium_file(d, name);
	int r = medium_change(d);
	if (r == 0)
		d->all[file]->open++;
	return leave(d, r == 0 ? file : r);
}

static int sim_open(struct files *f, const char *name)
{
	struct journal_disk *d = enter(f);
	int i = medium_find(d, name);
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
	uint64_t end = offset + part.len, have = medium_used(d);
	uint64_t more = end > image->len ? end - image->len : 0;
	uint64_t room = d->room > have ? d->room - have : 0;
	uint64_t short_by = more > room ? more - room : 0;
	size_t len = short_by < part.len ? part.len - (size_t)short_by : 0;
	if (offset + len > image->len)
		medium_resize(image, offset + len);
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
		medium_written(d->all[file], offset, offset + parts[i].iov_len);
		offset += parts[i].iov_len;
	}
	int died = medium_change(d);
	return leave(d, died != 0 ? died : r);
}

static int sim_sync(struct files *f, int file)
{
	struct journal_disk *d = enter(f);
	int r = medium_change(d);
	if (r != 0)
		return leave(d, r);
	r = take_failure(d, true);
	if (r == 0)
		medium_sync(d->all[file]);
	else
		medium_sync_failed(d, d->all[file]);
	return leave(d, r);
}

static int sim_truncate(struct files *f, int file, uint64_t len)
{
	struct journal_disk *d = enter(f);
	if (d->dead)
		return leave(d, -EIO);
	medium_resize(&d->all[file]->cached, len);
	return leave(d, medium_change(d));
}

static int sim_rename(struct files *f, const char *from, const char *to)
{
	struct journal_disk *d = enter(f);
	int i = medium_find(d, from), over = medium_find(d, to);
	if (d->dead || i < 0)
		return leave(d, d->dead ? -EIO : i);
	if (over >= 0)
		medium_rename(d, d->all[over], NULL);
	medium_rename(d, d->all[i], to);
	return leave(d, medium_change(d));
}

static int sim_remove(struct files *f, const char *name)
{
	struct journal_disk *d = enter(f);
	int i = medium_find(d, name);
	if (d->dead || i < 0)
		return leave(d, d->dead ? -EIO : i);
	medium_rename(d, d->all[i], NULL);
	return leave(d, medium_change(d));
}

static int sim_sync_folder(struct files *f)
{
	struct journal_disk *d = enter(f);
	int r = medium_change(d);
	if (r != 0)
		return leave(d, r);
	medium_settle_names(d);
	return leave(d, 0);
}

static int sim_space(struct files *f, uint64_t *bytes)
{
	struct journal_disk *d = enter(f);
	uint64_t used = medium_used(d);
	*bytes = d->room == UINT64_MAX ? UINT64_MAX : d->room > used ? d->room - used : 0;
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
	.space = sim_space, .close_file = sim_close_file, .close = sim_close,
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

void journal_disk_free(struct journal_disk *d)
{
	if (d == NULL)
		return;
	CHECK_OBJ(d, DISK_MAGIC);
	medium_free(d);
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
	medium_crash(d);
	leave(d, 0);
}

void journal_disk_die(struct journal_disk *d, unsigned changes)
{
	enter(&d->files);
	d->die_in = changes;
	leave(d, 0);
}

bool journal_disk_dead(struct journal_disk *d)
{
	enter(&d->files);
	bool dead = d->dead;
	leave(d, 0);
	return dead;
}

void journal_disk_watch(struct journal_disk *d, void (*died)(void *arg), void *arg)
{
	enter(&d->files);
	d->died = died;
	d->died_arg = arg;
	leave(d, 0);
}

void journal_disk_put(struct journal_disk *d, const char *name, struct pb_span content)
{
	enter(&d->files);
	int number = medium_file(d, name);
	struct sim_file *file = d->all[number];
	medium_resize(&file->cached, content.len);
	if (content.len > 0)
		memcpy(file->cached.data, content.data, content.len);
	medium_copy(&file->synced, &file->cached);
	leave(d, 0);
	sim_sync_folder(&d->files);
}

struct journal *journal_simulated(struct journal_disk *d, const struct journal_options *options)
{
	enter(&d->files);
	if (d->dead)
		medium_power_on(d);
	leave(d, 0);
	struct pb_error error;
	error_init(&error);
	struct journal *j = segmented_open(&d->files, "simulated", options, &error);
	if (j == NULL)
		log_error("%s", error_text(&error));
	error_free(&error);
	return j;
}
