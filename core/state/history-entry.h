/* history-entry.h - the bytes of entries and chunks: for the history alone. doc/store-format.md describes them. */
#ifndef STATE_HISTORY_ENTRY_H
#define STATE_HISTORY_ENTRY_H

#include <stddef.h>

#include "state/history.h"

#define ENTRY_MAX 1024		/* bytes of one entry, packed */

/* Pack it into `to`; how many bytes. */
size_t entry_pack(const struct history_entry *, unsigned char to[static ENTRY_MAX]);
/* The entry at *at of `len` bytes, which moves on past it; kinds that are not known are passed over. Its spans point into
 * `from`. False: there is no further one that is whole. */
bool entry_unpack(const unsigned char *from, size_t len, size_t *at, struct history_entry *);

#define FILE_HEAD 32		/* bytes */
#define CHUNK_HEAD 28
#define CHUNK_MAX (64u << 10)	/* bytes of a chunk with its header */

/* A file's header: the salt is the same in all files of a history. */
void file_head_pack(uint64_t salt, unsigned char to[static FILE_HEAD]);
bool file_head_unpack(const unsigned char from[static FILE_HEAD], uint64_t *salt);

/* The header of a chunk whose entries follow it. */
void chunk_head_pack(unsigned char *chunk, size_t len, uint64_t salt, uint32_t entries);
/* The length of the valid chunk at `from`, with its header, or 0: there is none. */
size_t chunk_length(const unsigned char *from, size_t len, uint64_t salt);
/* What a chunk says of itself, which is known to be valid. */
size_t chunk_size(const unsigned char *chunk);
uint32_t chunk_entries(const unsigned char *chunk);
/* Where the next chunk may begin after `at`, or `len`. */
size_t chunk_search(const unsigned char *from, size_t len, size_t at, uint64_t salt);

#endif
