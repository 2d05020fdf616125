/*
 * lab.h - a whole engine in one thread: simulated disks, a clock that the test moves, plugins that do as told.
 *
 * The configuration is INI text; the plugins it may name are `drive` (a source that the test emits by),
 * `script` (write) and `script_async` (submit), whose answers the test queues, and `shape` (a filter).
 */
#ifndef UNIT_DISPATCH_LAB_H
#define UNIT_DISPATCH_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dispatch/dispatch.h"
#include "dispatch/engine.h"
#include "dispatch/reload.h"
#include "journal/simulated.h"
#include "state/simulated.h"

/* What a sink was given, and how it answers: by what the body says ("ok", "retry", "reject", "down", "gone", "untried",
 * "hold": later), if the test has not said otherwise. */
struct lab_sink {
	char seen[16384];		/* "TYPE/ATTEMPT " for each delivery */
	const char *always;		/* instead of what bodies say */
	struct pb_delivery *held[256];	/* NULL once answered */
	size_t n_held;
};

struct lab {
	struct clock_manual clock;
	struct journal_disk *journal_disk;
	struct state_disk *state_disk;
	struct journal_options journal_options;
	struct metrics metrics;
	struct config *config;
	struct dispatch_env env;
	struct history *history;	/* the test's, or NULL: the engines that start write to it */
	struct dispatch *d;
	bool ended;		/* the engine has ended its process: it is to be closed, nothing of it counts */
	bool fails;		/* a start may fail, since a disk does */
	struct lab_sink sinks[4];	/* by the digit at the end of the section's name */
	char settled[4096];		/* "TOKEN:OUTCOME " for each unit */
	char first_id[64];		/* of the unit settled last: its first event's, as the receipt has it, … */
	bool repeat;			/* … and whether that was seen before */
	/* In their place, when set: told of each delivery (which is then the hook's to answer) and each unit. */
	void (*given)(void *arg, struct pb_delivery *);
	void (*unit_settled)(void *arg, void *token, enum pb_outcome);
	void (*saved)(void *arg);	/* what was to be saved may be on disk */
	void *hook_arg;
	bool locked;		/* an instance of `locked` is open */
	bool hasty;		/* a reload does not wait until what it did is on disk */
};

/* Disks and clock; the engine comes with lab_start(). */
struct lab *lab_new(void);
void lab_free(struct lab *);
/* A lab for a cmocka test, and its end. */
int lab_setup(void **state);
int lab_teardown(void **state);
/* The engine on what the disks hold, for the configuration; lab_start() takes turns until it rests. A start that the
 * machine, or a failing disk, does not survive is followed by another. */
void lab_start(struct lab *, const char *ini);
void lab_start_only(struct lab *, const char *ini);
/* Can the engine be made of what the disks hold? It is freed at once. */
bool lab_try_start(struct lab *, const char *ini);
/* A start that fails since an instance does not open, and what the daemon does then. */
void lab_start_broken(struct lab *, const char *ini);
/* Another configuration while it runs. False: it was refused, and the old one stays. */
bool lab_reload(struct lab *, const char *ini);
/* Free the engine as it is: nothing more is saved. */
void lab_close(struct lab *);
/* Is the process over: has the engine ended it, or the machine died? */
bool lab_over(struct lab *);
/* An orderly end, or (the disks forget what is not synced) a crash. */
void lab_stop(struct lab *);
void lab_crash(struct lab *);
/* Emit one event by source `drive` (the first source), its body being `answer`, and commit. */
void lab_emit(struct lab *, const char *type, const char *answer);
void lab_emit_some(struct lab *, size_t n, const char *type, const char *answer);
/* How many dead letters the lane has in the state; all are of a lane that was removed. */
unsigned lab_removed_letters(struct lab *, uint32_t lane);
/* Answer the i-th delivery that the sink holds. */
void lab_answer(struct lab *, size_t sink, size_t i, enum pb_code);
/* What the threads of a daemon would do: each its next step. False when there was nothing to do. */
bool lab_step_all(struct lab *);
/* Turns until nothing is to be done at once. */
void lab_settle(struct lab *);
/* Let time pass, with turns every so often. */
void lab_wait(struct lab *, int64_t ms);
/* The lane's status, by "ROUTE SINK". */
struct lane *lab_lane(struct lab *, const char *title);

#endif
