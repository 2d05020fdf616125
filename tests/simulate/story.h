/*
 * story.h - a life of the engine as a list of steps: made from a seed, told to a person, lived in one thread.
 *
 * Living it twice gives the same: the clock, the disks and who does what next are the story's.
 */
#ifndef SIMULATE_STORY_H
#define SIMULATE_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum deed {
	EMIT,		/* a: source, b: how many */
	COMMIT,		/* a: source */
	TURN,		/* the router's */
	SAVE,		/* the saver's step */
	SEND,		/* a: which sender's step */
	FILTER,		/* the filter's step */
	ANSWER,		/* a: which of the held deliveries, b: how */
	SLEEP,		/* a: ms */
	JUMP,		/* the wall clock is set; a: by how many minutes, less 10,000 */
	CRASH,		/* and start again; a: with which configuration, b: 0: with that one, else as it was */
	RESTART,	/* likewise after an orderly stop */
	DISK_FULL,	/* the journal's disk */
	DISK_ROOM,
	STATE_FULL,	/* the state's next save finds no room */
	POWER,		/* it fails while the journal is changed; a: how many changes from now */
	POWER_SAVE,	/* it fails in the next save; a: whether that is on disk all the same */
	BAD_DISK,	/* the journal's next write or sync fails; a: which. The process ends */
	BAD_STATE,	/* the next save fails; a: whether it is on disk all the same. The process ends */
	REPLAY,		/* a: which dead letter is the first, b: how many more */
	PURGE,		/* likewise */
	RESEND,		/* what was delivered, out of the journal; a: which event, from the last on, b: on which lane */
	SINK,		/* a: which sink, b: its mode, or, 3, what waits for it is tried now */
	RELOAD,		/* a: which configuration, b: 0: nobody waits until it is saved */
	CHECKPOINT,	/* everything comes to rest and is saved: nothing delivered till then ever comes again */
	DEEDS
};

struct step {
	enum deed deed;
	unsigned a, b;
};

#define STORY_CONFIGS 4

/* What the model has to know of a route. */
struct story_route {
	bool there, all, filtered;	/* all types, or those with an a in front */
	unsigned from;			/* 0: in, 1: other, 2: both */
	bool to[3];
};

struct story {
	uint64_t seed;
	char inis[STORY_CONFIGS][2048];	/* the first is where it begins; without reloads it is the only one */
	struct story_route routes[STORY_CONFIGS][3];
	bool reloads;
	bool reorders;		/* sinks' order is another in each configuration */
	uint64_t max_size;	/* of the store */
	struct step *steps;
	size_t n;
};

/* The story of a seed: a configuration and `n` steps. */
void story_make(struct story *, uint64_t seed, size_t n);
void story_free(struct story *);
void story_tell(const struct story *, FILE *);
/* Live it, and check every promise; ends the process with a message when one is broken. */
void story_live(const struct story *);

#endif
