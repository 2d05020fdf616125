/* damaged.h - what a start makes of rows that are damaged. */
#ifndef DISPATCH_DAMAGED_H
#define DISPATCH_DAMAGED_H

#include "dispatch/lane.h"

/* Give each straggler of the lane whose row is damaged a new one, in the open batch: it is tried at once, as if for the first
 * time; its due row tells that it is there. `each` is told of the row as if it had been read. 0 or -errno. At start. */
int damaged_mend(struct lane *, bool (*each)(void *arg, struct delivery_key, const struct straggler_row *), void *arg);

#endif
