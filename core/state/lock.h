/* lock.h - one daemon a store. */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H

#include "base/error.h"

/* Lock `folder` (made 0700 when missing) against another process, before anything in it is opened: a descriptor that
 * holds the lock until it is closed or the process ends. -errno after error_add(); -EBUSY: another has it, the
 * message names its process. */
int store_lock(const char *folder, struct pb_error *);

#endif
