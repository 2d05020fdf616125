/* schedule.h - when a failed delivery is tried again. */
#ifndef DISPATCH_SCHEDULE_H
#define DISPATCH_SCHEDULE_H

#include "base/id.h"
#include "config/retry.h"

/* The wait in ms after the `attempts`-th attempt (from 1), jittered by 20 %, and not below `after` (what the
 * receiver asked for), which counts up to `max_after`. -1: there is no further attempt. */
int64_t schedule_wait(const struct retry *, unsigned attempts, int64_t after, int64_t max_after,
		      struct id_gen *);

#endif
