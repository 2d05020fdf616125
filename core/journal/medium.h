/*
 * medium.h - the simulated disk's matter: what is cached, what is durable, and what a crash makes of it.
 * For simulated.c, which holds its lock.
 */
#ifndef JOURNAL_MEDIUM_H
#define JOURNAL_MEDIUM_H

#include <pthread.h>

#include "journal/files.h"

struct image {
	unsigned char *data;
	uint64_t len, cap;	/* what is between them is zero */
};

struct sim_file {
	char *name;		/* NULL: has none any more */
	char *synced_name;	/* after a crash; NULL: none */
	struct image cached, synced;
	bool *lost;		/* by sector: a sync failed, and the cache takes it for clean all the same */
	size_t n_lost;
	unsigned open;
	bool gone;		/* for good: its place may be another's */
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
	void (*died)(void *arg);	/* told when it crashes; NULL: nobody */
	void *died_arg;
};

/* A new length; what is added is zero. */
void medium_resize(struct image *, uint64_t len);
void medium_copy(struct image *to, const struct image *from);
/* The number of the file of that name, or -ENOENT. */
int medium_find(const struct journal_disk *, const char *name);
/* Make a file, not durable yet: its number. */
int medium_file(struct journal_disk *, const char *name);
/* Another name, or NULL: none; not durable yet. */
void medium_rename(struct journal_disk *, struct sim_file *, const char *name);
/* All names are durable as they are. */
void medium_settle_names(struct journal_disk *);
/* Bytes of all files. */
uint64_t medium_used(const struct journal_disk *);
/* Some sectors of what is cached become durable, and perhaps the length does. */
void medium_write_back(struct journal_disk *, struct sim_file *);
/* A sync fails: of what is not durable by now nothing becomes so until it is written again. */
void medium_sync_failed(struct journal_disk *, struct sim_file *);
/* All becomes durable but what a failed sync has lost. */
void medium_sync(struct sim_file *);
/* These bytes were written: they are not lost any more. */
void medium_written(struct sim_file *, uint64_t from, uint64_t to);
/* The machine dies. */
void medium_crash(struct journal_disk *);
/* Every change passes here when all but its durability is done: 0, or -EIO from a dead machine. */
int medium_change(struct journal_disk *);
/* After a crash: what is durable is all there is. No file is open. */
void medium_power_on(struct journal_disk *);
/* Free all files. */
void medium_free(struct journal_disk *);

#endif
