/* history-read.c - the history read from its files: what is valid, past what is not. */
#include "state/history-read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "state/history-entry.h"
#include "state/history-files.h"

#define FILE_READ_MAX (64u << 20)	/* bytes: none of ours is as large */
#define TYPES_MAX 4096			/* in a chunk, which has no room for more */

/* A file in memory, at work on. */
struct piece {
	unsigned char *data;
	size_t len, at;		/* the next chunk */
	uint64_t salt;
};

static int read_all(int fd, struct piece *p)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return -errno;
	size_t size = st.st_size < FILE_READ_MAX ? (size_t)st.st_size : FILE_READ_MAX;
	p->data = malloc(size + 1);
	if (p->data == NULL)
		return -ENOMEM;
	while (p->len < size) {
		ssize_t got = pread(fd, p->data + p->len, size - p->len, (off_t)p->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		p->len += (size_t)got;
	}
	return 0;
}

/* 0; -EBADMSG: it has no valid header; -errno. piece_close() in any case. */
static int piece_open(struct piece *p, const char *name)
{
	*p = (struct piece){ .data = NULL };
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int failed = read_all(fd, p);
	close(fd);
	p->at = FILE_HEAD;
	if (failed == 0 && (p->len < FILE_HEAD || !file_head_unpack(p->data, &p->salt)))
		failed = -EBADMSG;
	return failed;
}

static void piece_close(struct piece *p)
{
	free(p->data);
}

/* The entries of the next valid chunk; false: there is none. */
static bool piece_next(struct piece *p, struct pb_span *entries, uint64_t *damaged)
{
	while (p->at < p->len) {
		size_t size = chunk_length(p->data + p->at, p->len - p->at, p->salt);
		if (size > 0) {
			*entries = span_of(p->data + p->at + CHUNK_HEAD, size - CHUNK_HEAD);
			p->at += size;
			return true;
		}
		++*damaged;
		p->at = chunk_search(p->data, p->len, p->at + 1, p->salt);
	}
	return false;
}

/* What a chunk's entries refer to. */
struct context {
	int64_t at_ms;
	size_t n_types;
	struct { uint64_t origin; struct pb_span type, sender; } types[TYPES_MAX];
};

/* Complete the entry. False: it is of this folder's own. */
static bool complete(struct context *c, struct history_entry *e)
{
	if (e->kind == HISTORY_TIME) {
		c->at_ms = e->at_ms;
		return false;
	}
	if (e->kind == HISTORY_TYPE) {
		if (e->type_number == c->n_types + 1 && c->n_types < TYPES_MAX) {
			c->types[c->n_types].origin = e->origin;
			c->types[c->n_types].sender = e->sender;
			c->types[c->n_types++].type = e->type;
		}
		return false;
	}
	e->at_ms = c->at_ms;
	if (e->type_number > 0 && e->type_number <= c->n_types) {
		e->origin = c->types[e->type_number - 1].origin;
		e->type = c->types[e->type_number - 1].type;
		e->sender = c->types[e->type_number - 1].sender;
	}
	return true;
}

struct reading {
	bool (*each)(void *arg, const struct history_entry *);
	void *arg;
	struct history_found *found;
	struct context context;
};

static bool read_chunk(struct reading *r, struct pb_span entries)
{
	struct history_entry e;
	r->context.at_ms = 0;
	r->context.n_types = 0;
	for (size_t at = 0; entry_unpack(entries.data, entries.len, &at, &e); ) {
		if (!complete(&r->context, &e))
			continue;
		r->found->entries++;
		if (r->found->begins_ms == 0)
			r->found->begins_ms = e.at_ms;
		if (e.kind == HISTORY_LOST)
			r->found->lost += e.count;
		if (!r->each(r->arg, &e))
			return false;
	}
	return true;
}

/* 0: on to the next file; 1: enough; -errno. */
static int read_file(struct reading *r, const char *name)
{
	struct piece p;
	struct pb_span entries;
	bool more = true;
	int failed = piece_open(&p, name);
	if (failed == 0 || failed == -EBADMSG) {
		r->found->files++;
		r->found->bytes += p.len;
	}
	if (failed == -EBADMSG)
		r->found->damaged++;
	while (failed == 0 && more && piece_next(&p, &entries, &r->found->damaged))
		more = read_chunk(r, entries);
	piece_close(&p);
	if (failed == -ENOENT || failed == -EBADMSG)	/* it has just had its turn; or is for nobody */
		return 0;
	return failed < 0 ? failed : !more;
}

int history_read(const char *folder, bool (*each)(void *arg, const struct history_entry *), void *arg,
		 struct history_found *found)
{
	struct reading *r = xcalloc(1, sizeof *r);
	uint64_t *numbers;
	size_t n;
	*r = (struct reading){ .each = each, .arg = arg, .found = found };
	*found = (struct history_found){ 0 };
	int result = history_files_list(folder, &numbers, &n);
	for (size_t i = 0; i < n && result == 0; i++) {
		char *name = history_files_name(folder, numbers[i]);
		result = read_file(r, name);
		free(name);
	}
	free(numbers);
	free(r);
	return result < 0 ? result : 0;
}

int history_file_look(const char *name, uint64_t *salt, uint64_t *end, uint64_t *last)
{
	struct piece p;
	struct pb_span entries;
	struct history_entry e;
	uint64_t damaged = 0;
	int failed = piece_open(&p, name);
	*end = p.at;
	while (failed == 0 && piece_next(&p, &entries, &damaged)) {
		*end = p.at;
		for (size_t at = 0; entry_unpack(entries.data, entries.len, &at, &e); )
			if ((e.kind == HISTORY_ACCEPTED || e.kind == HISTORY_FOUND) && e.seq > *last)
				*last = e.seq;
	}
	*salt = p.salt;
	piece_close(&p);
	return failed;
}
