/*
 * history-files.h - the files that take turns: for the history alone.
 *
 * FOLDER/0123456789abcdef.history: the number counts up, and the oldest go so that the whole keeps within its
 * limit. Whoever deletes them, or the folder, is served as well.
 */
#ifndef STATE_HISTORY_FILES_H
#define STATE_HISTORY_FILES_H

#include <stddef.h>

#include "base/clock.h"
#include "state/history.h"

struct history_files {
	char *path;
	int fd;			/* the one that is written, -1: none is */
	uint64_t number;	/* its, or the last one's */
	uint64_t salt;
	uint64_t size;		/* of the one that is written */
	uint64_t max, file_max;	/* bytes of all, and of one */
	const struct clock *clock;
	int64_t again_ms;	/* monotonic: not tried before, after a failure */
	bool failing;		/* it is said */
	uint64_t missed;	/* entries that are to be said to be missing */
};

/* Find what is in the folder, and go on after the last valid chunk of the newest file. The highest event number in
 * it is *last. */
void history_files_open(struct history_files *, const char *path, uint64_t max, const struct clock *, uint64_t *last);
void history_files_close(struct history_files *);
/* Remove them all. */
void history_files_forget(struct history_files *);
/* Append whole chunks, and say first that `dropped` entries before them are missing; how many entries of them are not
 * written. */
uint64_t history_files_write(struct history_files *, struct pb_span chunks, uint64_t dropped);
/* The bytes of all files. */
uint64_t history_files_bytes(const char *path);

/* The numbers of the files in the folder, ascending; the list is the caller's to free. 0, -errno. */
int history_files_list(const char *path, uint64_t **numbers, size_t *n);
/* "FOLDER/0123456789abcdef.history", the caller's to free. */
char *history_files_name(const char *path, uint64_t number);

#endif
