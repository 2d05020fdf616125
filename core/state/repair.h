/*
 * repair.h - a store that no daemon has open, made whole again as far as that can be done.
 *
 * What verify.h finds is mended so that nothing that can still be delivered is lost: when in doubt a
 * delivery is made again. What is broken is set aside by name, never deleted; only rows go for which
 * there is nothing left to deliver.
 */
#ifndef STATE_REPAIR_H
#define STATE_REPAIR_H

#include "base/clock.h"
#include "base/error.h"

struct repair {
	bool dry_run;		/* say what would be done, and do nothing */
	const struct clock *clock;
	void (*say)(void *arg, const char *text);	/* each thing done, one line */
	void (*progress)(void *arg, uint64_t done, uint64_t total);	/* as verify's; may be NULL */
	void *arg;
};

/* Mend the store in `folder`, holding its lock; some findings show only when others are mended, so it is
 * looked at again until nothing more can be done. How many things were done (or, with dry_run, would be
 * first), or -errno after error_add(): -EBUSY, a daemon has it. */
int64_t repair_run(const char *folder, const struct repair *, struct pb_error *);

#endif
