/* medium.c - files in memory, each twice: as the process sees it and as it is after a crash. */
#include "journal/medium.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SECTOR 512u

static uint64_t random_next(struct journal_disk *d)
{
	uint64_t z = (d->random += UINT64_C(0x9e3779b97f4a7c15));	/* splitmix64 */
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void medium_resize(struct image *image, uint64_t len)
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

void medium_copy(struct image *to, const struct image *from)
{
	medium_resize(to, from->len);
	if (from->len > 0)
		memcpy(to->data, from->data, (size_t)from->len);
}

int medium_find(const struct journal_disk *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->name != NULL && strcmp(d->all[i]->name, name) == 0)
			return (int)i;
	return -ENOENT;
}

void medium_rename(struct journal_disk *d, struct sim_file *file, const char *name)
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

int medium_file(struct journal_disk *d, const char *name)
{
	size_t i = 0;
	while (i < d->n && !d->all[i]->gone)
		i++;
	if (i == d->n) {
		d->all = xrealloc(d->all, d->n + 1, sizeof(struct sim_file *));
		d->all[d->n++] = xcalloc(1, sizeof(struct sim_file));
	}
	d->all[i]->gone = false;
	medium_rename(d, d->all[i], name);
	return (int)i;
}

uint64_t medium_used(const struct journal_disk *d)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->name != NULL)
			bytes += d->all[i]->cached.len;
	return bytes;
}

static bool is_lost(const struct sim_file *file, uint64_t at)
{
	return at / SECTOR < file->n_lost && file->lost[at / SECTOR];
}

void medium_written(struct sim_file *file, uint64_t from, uint64_t to)
{
	for (uint64_t i = from / SECTOR; i < file->n_lost && i * SECTOR < to; i++)
		file->lost[i] = false;
}

void medium_sync(struct sim_file *file)
{
	struct image *to = &file->synced, *from = &file->cached;
	medium_resize(to, from->len);
	for (uint64_t at = 0; at < from->len; at += SECTOR) {
		uint64_t left = from->len - at;
		if (!is_lost(file, at))
			memcpy(to->data + at, from->data + at, left < SECTOR ? (size_t)left : SECTOR);
	}
}

void medium_sync_failed(struct journal_disk *d, struct sim_file *file)
{
	struct image *to = &file->synced, *from = &file->cached;
	medium_write_back(d, file);
	size_t n = (size_t)((from->len + SECTOR - 1) / SECTOR);
	file->lost = xrealloc(file->lost, n > file->n_lost ? n : file->n_lost + 1, sizeof *file->lost);
	for (; file->n_lost < n; file->n_lost++)
		file->lost[file->n_lost] = false;
	for (size_t i = 0; i < n; i++) {
		uint64_t at = (uint64_t)i * SECTOR, end = at + SECTOR < from->len ? at + SECTOR : from->len;
		if (to->len < end || memcmp(to->data + at, from->data + at, (size_t)(end - at)) != 0)
			file->lost[i] = true;
	}
}

void medium_write_back(struct journal_disk *d, struct sim_file *file)
{
	struct image *to = &file->synced, *from = &file->cached;
	if (random_next(d) % 2 == 0)
		medium_resize(to, from->len);
	for (uint64_t at = 0; at < to->len && at < from->len; at += SECTOR) {
		uint64_t left = (to->len < from->len ? to->len : from->len) - at;
		if (random_next(d) % 2 == 0 && !is_lost(file, at))
			memcpy(to->data + at, from->data + at, left < SECTOR ? (size_t)left : SECTOR);
	}
}

void medium_crash(struct journal_disk *d)
{
	if (d->dead)
		return;
	size_t kept = d->n_renames == 0 ? 0 : random_next(d) % (d->n_renames + 1);
	for (size_t i = 0; i < d->n_renames; i++) {
		if (i < kept)
			settle_rename(&d->renames[i]);
		else
			free(d->renames[i].name);
	}
	d->n_renames = 0;
	for (size_t i = 0; i < d->n; i++)
		medium_write_back(d, d->all[i]);
	d->die_in = 0;
	d->dead = true;
	if (d->died != NULL)
		d->died(d->died_arg);
}

int medium_change(struct journal_disk *d)
{
	if (d->die_in > 0 && --d->die_in == 0)
		medium_crash(d);
	return d->dead ? -EIO : 0;
}

static void drop_content(struct sim_file *file)
{
	if (file->name != NULL || file->synced_name != NULL || file->open > 0)
		return;
	free(file->cached.data);
	free(file->synced.data);
	free(file->lost);
	*file = (struct sim_file){ .gone = true };
}

void medium_settle_names(struct journal_disk *d)
{
	for (size_t i = 0; i < d->n_renames; i++)
		settle_rename(&d->renames[i]);
	d->n_renames = 0;
	for (size_t i = 0; i < d->n; i++)
		drop_content(d->all[i]);
}

static void file_free(struct sim_file *file)
{
	free(file->name);
	free(file->synced_name);
	free(file->cached.data);
	free(file->synced.data);
	free(file->lost);
	free(file);
}

void medium_power_on(struct journal_disk *d)
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
		medium_copy(&file->cached, &file->synced);
		file->n_lost = 0;
		d->all[n++] = file;
	}
	d->n = n;
	d->fail = 0;
	d->dead = false;
}

void medium_free(struct journal_disk *d)
{
	for (size_t i = 0; i < d->n_renames; i++)
		free(d->renames[i].name);
	for (size_t i = 0; i < d->n; i++)
		file_free(d->all[i]);
	free(d->renames);
	free(d->all);
}
