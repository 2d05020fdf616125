/* backup.h - a consistent copy of a store, perhaps beside its daemon. */
#ifndef STATE_BACKUP_H
#define STATE_BACKUP_H

#include <stdint.h>

#include "base/error.h"

struct backup {
	void (*progress)(void *arg, uint64_t done, uint64_t total);	/* bytes of the journal; may be NULL */
	void *arg;
};

/* Copy the store in `folder` to `to`, which is made, or is an empty folder. The state is of one moment;
 * the journal has all that the state needs, and what came until it was copied. Durable. What is in `to`
 * after a failure is no store. 0, or -errno after error_add(). */
int backup_run(const char *folder, const char *to, const struct backup *, struct pb_error *);

#endif
