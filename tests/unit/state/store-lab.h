/*
 * store-lab.h - a small store on disk, for tests that make it wrong and have it mended.
 *
 * Three segments of two events each, a lane that is past all, a straggler and a dead letter: nothing is wrong.
 */
#ifndef TESTS_STORE_LAB_H
#define TESTS_STORE_LAB_H

#include "base/error.h"
#include "state/rows.h"
#include "state/verify.h"

#define WRONGS (WRONG_SEEN + 1)
#define FIRST "journal/0000000000000001.seg"
#define SECOND "journal/0000000000000002.seg"
#define THIRD "journal/0000000000000003.seg"

struct lab {
	char folder[64], part[256];
	struct pb_error error;
	struct state_batch batch;	/* for store_apply() */
	/* What the last look or mending said. */
	unsigned found[WRONGS], notes, steps;
	char texts[8000];
};

/* Its rows: event 3 waits, 4 is dead. */
extern const struct straggler_row store_waiting;
extern const struct dead_row store_rejected;
extern const struct meta_row store_meta;

/* For cmocka. */
int store_setup(void **state);
int store_teardown(void **state);
/* The path of a part of it, until the next call. */
const char *store_part(struct lab *, const char *name);
/* The batch goes into the state. */
void store_apply(struct lab *);
/* How many findings verify has. */
int64_t store_look(struct lab *);
/* It has `n` of this one, and no other. */
void store_expect(struct lab *, enum wrong, unsigned n);
/* How many steps a repair takes, -errno. */
int64_t store_mend(struct lab *, bool dry_run);
/* A repair's say(): counts and keeps what it says; `arg` is the lab. */
void store_step(void *arg, const char *text);
/* It can be mended in so many steps; a dry run changes nothing. */
void store_expect_mended(struct lab *, int64_t steps);
/* Turn a bit of a part round: at an offset, or in each place of a text. */
void store_flip(struct lab *, const char *name, long at);
void store_flip_text(struct lab *, const char *name, const char *text);

#endif
