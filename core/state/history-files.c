/* history-files.c - chunks to files. */
#include "state/history-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "state/history-entry.h"
#include "state/history-read.h"

#define FILES_MIN 8		/* so that an old one's end takes only an eighth */
#define FILE_MAX (8u << 20)
#define SUFFIX ".history"
#define DIGITS 16
#define SPARE (8u << 20)	/* bytes of the disk that are others' */
#define LOST_MAX (CHUNK_HEAD + 2 * ENTRY_MAX)	/* bytes of a chunk that says what is missing */
#define PAUSE 10000		/* ms until a disk that failed is tried again */

char *history_files_name(const char *path, uint64_t number)
{
	return xasprintf("%s/%016" PRIx64 SUFFIX, path, number);
}

/* The number of a file of that name, 0: it is none. */
static uint64_t number_of(const char *name)
{
	if (strspn(name, "0123456789abcdef") != DIGITS || strcmp(name + DIGITS, SUFFIX) != 0)
		return 0;
	return strtoull(name, NULL, 16);
}

static int ascending(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

int history_files_list(const char *path, uint64_t **numbers, size_t *n)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	*numbers = NULL;
	*n = 0;
	if (dir == NULL)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)) != NULL) {
		uint64_t number = number_of(entry->d_name);
		if (number == 0)
			continue;
		if (*n % 64 == 0)
			*numbers = xrealloc(*numbers, *n + 64, sizeof **numbers);
		(*numbers)[(*n)++] = number;
	}
	closedir(dir);
	if (*n > 0)
		qsort(*numbers, *n, sizeof **numbers, ascending);
	return 0;
}

uint64_t history_files_bytes(const char *path)
{
	uint64_t *numbers, bytes = 0;
	size_t n;
	history_files_list(path, &numbers, &n);
	for (size_t i = 0; i < n; i++) {
		struct stat st;
		char *name = history_files_name(path, numbers[i]);
		bytes += stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
		free(name);
	}
	free(numbers);
	return bytes;
}

/* The oldest go until there is room for `more` bytes. */
static void make_room(const struct history_files *f, uint64_t more)
{
	uint64_t *numbers, bytes = history_files_bytes(f->path);
	size_t n;
	history_files_list(f->path, &numbers, &n);
	for (size_t i = 0; i < n && bytes + more > f->max; i++) {
		struct stat st;
		char *name = history_files_name(f->path, numbers[i]);
		if (stat(name, &st) == 0 && unlink(name) == 0)
			bytes -= (uint64_t)st.st_size;
		step_at("history: the oldest file removed");
		free(name);
	}
	free(numbers);
}

void history_files_forget(struct history_files *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	make_room(f, f->max);
}

/* Go on with the newest file after its last valid chunk; without one that can be gone on with, the next is new. */
static void take_up(struct history_files *f, uint64_t *last)
{
	char *name = history_files_name(f->path, f->number);
	uint64_t end = 0;
	if (history_file_look(name, &f->salt, &end, last) == 0 && end < f->file_max)
		f->fd = open(name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd >= 0 && (ftruncate(f->fd, (off_t)end) != 0 || lseek(f->fd, (off_t)end, SEEK_SET) < 0)) {
		close(f->fd);
		f->fd = -1;
	}
	f->size = end;
	free(name);
}

void history_files_open(struct history_files *f, const char *path, uint64_t max, const struct clock *clock,
			uint64_t *last)
{
	uint64_t *numbers, file_max = max / FILES_MIN < FILE_MAX ? max / FILES_MIN : FILE_MAX;
	size_t n;
	*f = (struct history_files){
		.path = xstrdup(path), .fd = -1, .max = max, .file_max = file_max, .clock = clock,
	};
	*last = 0;
	make_room(f, 0);
	history_files_list(path, &numbers, &n);
	if (n > 0) {
		f->number = numbers[n - 1];
		take_up(f, last);
	}
	free(numbers);
	if (f->salt == 0 && getrandom(&f->salt, sizeof f->salt, 0) != sizeof f->salt)
		f->salt = (uint64_t)clock_wall(clock) | 1;
}

void history_files_close(struct history_files *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
}

/* Write it all, or nothing: what came of it is cut off again. */
static int append(struct history_files *f, const void *data, size_t len)
{
	for (size_t done = 0; done < len; ) {
		ssize_t got = write(f->fd, (const char *)data + done, len - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			int why = got < 0 ? -errno : -EIO;
			if (ftruncate(f->fd, (off_t)f->size) != 0 ||
			    lseek(f->fd, (off_t)f->size, SEEK_SET) < 0) {
				close(f->fd);
				f->fd = -1;
			}
			return why;
		}
		done += (size_t)got;
	}
	f->size += len;
	return 0;
}

static int next_file(struct history_files *f)
{
	unsigned char head[FILE_HEAD];
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (mkdir(f->path, 0700) != 0 && errno != EEXIST)
		return -errno;
	make_room(f, f->file_max);
	char *name = history_files_name(f->path, ++f->number);
	f->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int failed = f->fd < 0 ? -errno : 0;
	free(name);
	if (failed < 0)
		return failed;
	step_at("history: file made, empty");
	f->size = 0;
	file_head_pack(f->salt, head);
	return append(f, head, sizeof head);
}

/* Others need the last of the disk more. */
static bool disk_is_full(const struct history_files *f)
{
	struct statvfs fs;
	return fstatvfs(f->fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < SPARE;
}

/* A file that the next `len` bytes go to. */
static int ready_file(struct history_files *f, size_t len)
{
	struct stat st;
	bool there = f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_nlink > 0;
	int failed = there && f->size + len <= f->file_max ? 0 : next_file(f);
	if (failed == 0 && disk_is_full(f))
		failed = -ENOSPC;
	return failed;
}

static void note_failed(struct history_files *f, int why)
{
	if (!f->failing)
		log_warn("history: cannot write to %s: %s; what happens now will be missing there, and "
			 "nothing else", f->path, strerror(-why));
	f->failing = true;
	f->again_ms = clock_mono(f->clock) + PAUSE;
}

static void note_works(struct history_files *f)
{
	if (f->failing)
		log_info("history: written again; %" PRIu64 " entries are missing", f->missed);
	f->failing = false;
	f->missed = 0;
}

/* As many chunks as fit into the present file, one at least. */
static size_t fitting(const struct history_files *f, const unsigned char *data, size_t len, uint32_t *entries)
{
	size_t n = 0;
	*entries = 0;
	while (n < len) {
		size_t size = chunk_size(data + n);
		if (n > 0 && f->size + n + size + LOST_MAX > f->file_max)
			break;
		*entries += chunk_entries(data + n);
		n += size;
	}
	return n;
}

/* A chunk that says how much is missing before the next. */
static int append_lost(struct history_files *f)
{
	unsigned char chunk[LOST_MAX];
	size_t len = CHUNK_HEAD;
	len += entry_pack(&(struct history_entry){ .kind = HISTORY_TIME, .at_ms = clock_wall(f->clock) },
			  chunk + len);
	len += entry_pack(&(struct history_entry){ .kind = HISTORY_LOST, .count = f->missed }, chunk + len);
	chunk_head_pack(chunk, len, f->salt, 0);
	return append(f, chunk, len);
}

static int write_some(struct history_files *f, const unsigned char *data, size_t len)
{
	if (clock_mono(f->clock) < f->again_ms)
		return -EAGAIN;
	int failed = ready_file(f, len + LOST_MAX);
	if (failed == 0 && f->missed > 0)
		failed = append_lost(f);
	if (failed == 0)
		note_works(f);
	return failed == 0 ? append(f, data, len) : failed;
}

uint64_t history_files_write(struct history_files *f, struct pb_span chunks, uint64_t dropped)
{
	const unsigned char *data = chunks.data;
	uint64_t lost = 0;
	f->missed += dropped;
	for (size_t at = 0, n; at < chunks.len; at += n) {
		uint32_t entries;
		n = fitting(f, data + at, chunks.len - at, &entries);
		int failed = write_some(f, data + at, n);
		if (failed == 0)
			continue;
		lost += entries;
		f->missed += entries;
		if (failed != -EAGAIN)
			note_failed(f, failed);
	}
	return lost;
}
