/* verify-part.h - what verify.c and verify-journal.c share. */
#ifndef STATE_VERIFY_PART_H
#define STATE_VERIFY_PART_H

#include "state/verify.h"

struct pass {
	struct inspect *in;
	const struct verify *to;
	int64_t found;
	bool *there;		/* each row's event is */
};

/* Report `f` with its text. */
void verify_wrong(struct pass *, struct finding f, const char *means, const char *fmt, ...) PB_PRINTF(4, 5);
void verify_note(struct pass *, const char *fmt, ...) PB_PRINTF(2, 3);
/* Each key that was seen has its two rows, and is of an event that was accepted. 0 or -errno. */
int verify_seen(struct pass *);
/* Read all of the journal; mark the rows whose events are there. 0 or -errno. */
int verify_journal(struct pass *);

#endif
