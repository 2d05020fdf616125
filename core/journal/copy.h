/*
 * copy.h - copies of all segments, perhaps beside the daemon that appends to them.
 *
 * What is there at journal_copy_open() is held, so that a state copied after it finds all of its
 * events even if the daemon gives segments up meanwhile; journal_copy_run() takes along what has come since.
 */
#ifndef JOURNAL_COPY_H
#define JOURNAL_COPY_H

#include <stdint.h>

struct journal_copy;

/* Hold the segments in `folder`. NULL: *error is -errno. */
struct journal_copy *journal_copy_open(const char *folder, int *error);
/* Copy them and those that are new to the existing folder `to`, durable. `progress` is told bytes done and of all, often.
 * 0 or -errno. */
int journal_copy_run(struct journal_copy *, const char *to,
		     void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg);
void journal_copy_close(struct journal_copy *);

#endif
