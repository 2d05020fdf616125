/* names.h - numbers for names of sources, lanes and sinks: each gets its own once, for good. */
#ifndef DISPATCH_NAMES_H
#define DISPATCH_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "state/rows.h"

/* One name as the state has it, or as it is new. */
struct known {
	UT_hash_handle hh;
	uint32_t number;
	bool used;		/* asked for */
	char key[];		/* kind, name */
};

struct names {
	struct known *all;
	uint32_t last;		/* the highest number given */
	struct state_batch *to;	/* rows of new names */
	bool given;		/* something is new that must be on disk before an event is */
};

/* Those of the state; numbers up to `last` are given even if it does not have them yet. 0 or -errno. names_free() in any
 * case. */
int names_read(struct names *, struct state *, uint32_t last, struct state_batch *to);
void names_free(struct names *);
/* The name's number; a new name gets the next one, and its row. `is_new` may be NULL. */
uint32_t names_number(struct names *, enum name_kind, const char *name, bool *is_new);

#endif
