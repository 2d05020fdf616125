/* lock.h - one daemon a store. */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H

#include "base/error.h"

/* Lock `folder` (made 0700 when missing) against another process, before anything in it is opened: a descriptor that
 * holds the lock until it is closed or the process ends. -errno after error_add(); -EBUSY: another has it, the
 * message names its process. */
int store_lock(const char *folder, struct pb_error *);

/* Does a process hold the lock? Makes nothing; where there is no file `lock` nobody does. It is tried for a
 * moment, so a daemon that starts then tries again. 0 or -errno. */
int store_is_locked(const char *folder, bool *locked);

#endif
