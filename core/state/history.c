/* history.c - entries to chunks on the router's thread, chunks to files on another. */
#include "state/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "base/step.h"
#include "base/thread.h"
#include "state/history-entry.h"
#include "state/history-files.h"

#define HISTORY_MAGIC 0x48697374u
#define WAITING_MAX (1u << 20)	/* bytes of chunks that the files have not taken yet */
#define SEEN 256		/* types, each of a source and sender, that are remembered in a chunk */

struct seen_type {
	uint64_t hash;		/* of type, source and sender; 0: none */
	uint32_t number;
};

struct history {
	unsigned magic;
	char *folder;
	uint64_t last;
	/* The router's. */
	struct buf open;		/* the chunk at work on; empty: none */
	uint32_t entries;		/* in it */
	int64_t at_ms;			/* the time that its last entry has */
	struct seen_type seen[SEEN];
	uint32_t types;			/* numbers given in it */
	/* The thread's. */
	struct history_files files;
	struct buf writing;
	/* Shared. */
	pthread_mutex_t lock;		/* guards all below */
	pthread_cond_t wake, written;
	struct buf waiting;
	uint64_t dropped;		/* entries that found no room there, since the last look */
	uint64_t lost;
	bool busy;			/* `writing` is being written */
	bool stopping, started;
	pthread_t thread;
};

uint64_t history_hash(const char *id)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
	return hash != 0 ? hash : 1;
}

struct history *history_open(const char *folder, uint64_t max, const struct clock *clock)
{
	if (max < HISTORY_MIN)
		return NULL;
	struct history *h = xcalloc(1, sizeof *h);
	*h = (struct history){
		.magic = HISTORY_MAGIC, .folder = xstrdup(folder), .open = BUF_INIT(CHUNK_MAX),
		.waiting = BUF_INIT(WAITING_MAX), .writing = BUF_INIT(WAITING_MAX),
	};
	pthread_mutex_init(&h->lock, NULL);
	cond_init(&h->wake);
	cond_init(&h->written);
	history_files_open(&h->files, folder, max, clock, &h->last);
	return h;
}

uint64_t history_last(const struct history *h)
{
	return h == NULL ? 0 : h->last;
}

void history_forget(struct history *h)
{
	history_files_forget(&h->files);
	h->last = 0;
}

const char *history_folder(const struct history *h)
{
	return h->folder;
}

/* Append to the chunk at work on, in which there is room. */
static void put(struct history *h, const struct history_entry *e)
{
	unsigned char bytes[ENTRY_MAX];
	buf_add(&h->open, bytes, entry_pack(e, bytes));
}

static void begin(struct history *h)
{
	static const unsigned char head[CHUNK_HEAD];
	buf_add(&h->open, head, sizeof head);
	memset(h->seen, 0, sizeof h->seen);
	h->types = h->entries = 0;
	h->at_ms = INT64_MIN;
}

/* Hand the chunk over. */
static void seal(struct history *h)
{
	if (h->open.failed != 0)
		h->open.len = 0;	/* short of memory */
	else
		chunk_head_pack((unsigned char *)h->open.data, h->open.len, h->files.salt, h->entries);
	pthread_mutex_lock(&h->lock);
	if (h->open.failed != 0 || buf_add(&h->waiting, h->open.data, h->open.len) != 0) {
		h->waiting.failed = 0;
		h->dropped += h->entries;
		h->lost += h->entries;
	}
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	buf_reset(&h->open);
}

static uint64_t hash_on(uint64_t hash, struct pb_span text)
{
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ ((const unsigned char *)text.data)[i]) * UINT64_C(0x100000001b3);
	return (hash ^ 0xff) * UINT64_C(0x100000001b3);		/* no text has that: "ab", "c" is not "a", "bc" */
}

/* The number that stands for type, source and sender in this chunk. */
static uint32_t number_of(struct history *h, const struct history_entry *e)
{
	uint64_t hash = hash_on(hash_on(UINT64_C(0xcbf29ce484222325) ^ e->origin, e->type), e->sender);
	struct seen_type *seen = &h->seen[(hash ^ hash >> 32) % SEEN];
	if (seen->hash != hash) {
		*seen = (struct seen_type){ hash, ++h->types };
		put(h, &(struct history_entry){ .kind = HISTORY_TYPE, .type_number = seen->number, .origin = e->origin,
						.type = e->type, .sender = e->sender });
	}
	return seen->number;
}

void history_add(struct history *h, const struct history_entry *e)
{
	if (h == NULL)
		return;
	CHECK_OBJ(h, HISTORY_MAGIC);
	struct history_entry packed = *e;
	if (h->open.len > CHUNK_MAX - 3 * ENTRY_MAX)	/* a time, a type, the entry */
		seal(h);
	if (h->open.len == 0)
		begin(h);
	if (e->at_ms != h->at_ms)
		put(h, &(struct history_entry){ .kind = HISTORY_TIME, .at_ms = e->at_ms });
	h->at_ms = e->at_ms;
	if (e->type.len > 0)
		packed.type_number = number_of(h, e);
	put(h, &packed);
	h->entries++;
}

void history_flush(struct history *h)
{
	if (h != NULL && h->open.len > 0)
		seal(h);
}

bool history_step(struct history *h)
{
	if (h == NULL)
		return false;
	pthread_mutex_lock(&h->lock);
	struct buf taken = h->waiting;
	bool any = taken.len > 0;
	uint64_t dropped = h->dropped;
	h->waiting = h->writing;
	h->writing = taken;
	h->busy = any;
	pthread_mutex_unlock(&h->lock);
	if (!any)
		return false;
	step_at("history: to be written");
	uint64_t lost = history_files_write(&h->files, buf_span(&h->writing), dropped);
	step_at("history: written");
	buf_reset(&h->writing);
	pthread_mutex_lock(&h->lock);
	h->dropped -= dropped;
	h->lost += lost;
	h->busy = false;
	pthread_cond_broadcast(&h->written);
	pthread_mutex_unlock(&h->lock);
	return true;
}

static void *run(void *arg)
{
	struct history *h = arg;
	for (bool ended = false; !ended; ) {
		if (history_step(h))
			continue;
		pthread_mutex_lock(&h->lock);
		ended = h->stopping && h->waiting.len == 0;
		if (!ended && h->waiting.len == 0)
			pthread_cond_wait(&h->wake, &h->lock);
		pthread_mutex_unlock(&h->lock);
	}
	return NULL;
}

int history_start(struct history *h)
{
	if (h == NULL)
		return 0;
	int failed = thread_start(&h->thread, "history", run, h);
	h->started = failed == 0;
	return failed;
}

bool history_sync(struct history *h, int64_t ms)
{
	if (h == NULL)
		return true;
	pthread_mutex_lock(&h->lock);
	bool late = false;
	while (h->started && (h->busy || h->waiting.len > 0) && !late)
		late = !cond_wait_ms(&h->written, &h->lock, ms);
	bool done = !h->busy && h->waiting.len == 0;
	pthread_mutex_unlock(&h->lock);
	return done;
}

void history_stat(struct history *h, struct history_stat *st)
{
	*st = (struct history_stat){ 0 };
	if (h == NULL)
		return;
	pthread_mutex_lock(&h->lock);
	st->lost = h->lost;
	pthread_mutex_unlock(&h->lock);
	st->bytes = history_files_bytes(h->folder);
}

void history_close(struct history *h)
{
	if (h == NULL)
		return;
	CHECK_OBJ(h, HISTORY_MAGIC);
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	if (h->started)
		pthread_join(h->thread, NULL);
	else
		history_step(h);
	history_files_close(&h->files);
	buf_free(&h->open);
	buf_free(&h->waiting);
	buf_free(&h->writing);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->wake);
	pthread_cond_destroy(&h->written);
	h->magic = 0;
	free(h->folder);
	free(h);
}
