/* model.h - what must be true: every event, and what became of it on each lane. */
#ifndef SIMULATE_MODEL_H
#define SIMULATE_MODEL_H

#include "simulate/story.h"
#include "unit/dispatch/lab.h"

#define MODEL_LANES 16
#define MODEL_EVENTS 8192
#define MODEL_PARTS 3
#define ROW_MAX 256	/* bytes that a row takes at most, without its event */

struct model_event {
	char id[40];
	char type[8];
	char subject[8];	/* "": none */
	int source;
	uint64_t seq;		/* 0: not known yet */
	bool accepted, refused;
	unsigned configs;	/* bit i: it may be routed by the i-th, as it was when it was accepted */
	unsigned char ok[MODEL_LANES];		/* bit i: part i was answered ok in this life, or is frozen */
	unsigned char ever[MODEL_LANES];	/* … in any life */
	unsigned char marked[MODEL_LANES];
	unsigned char frozen[MODEL_LANES];	/* likewise, before a checkpoint */
	bool purged[MODEL_LANES];		/* by an operator */
	bool may_be_purged[MODEL_LANES];	/* likewise, but a crash may have undone it */
	bool may_be_dead[MODEL_LANES];		/* some answer was its last */
	bool ended[MODEL_LANES];		/* settled on the lane, as far as the sink can know: ok or rejected */
	bool ended_once[MODEL_LANES];		/* … at some time, whatever came later */
	unsigned char resent[MODEL_LANES];	/* by an operator, by the routes of that time; 1: perhaps, 2: surely */
};

struct model {
	struct lab *lab;
	const struct story *story;
	struct model_event *events;
	size_t n;
	unsigned config;		/* what the engine runs by */
	unsigned configs;		/* bits of what it may route by after a crash */
	uint64_t config_save;		/* with this save it is only the present one */
	bool removed[MODEL_LANES];	/* the lane was not configured for some time */
	bool trace;			/* say each delivery and answer: the environment has SIMULATE_TRACE */
	uint64_t luck;			/* what sinks with write() answer at once */
	const struct batch *stopped;	/* the batch of which something was not ok: the rest stays untried */
	bool all_well;			/* everything is answered ok */
	size_t held_by_us;
	struct { struct pb_delivery *d; size_t event; } held[1024];
	unsigned char *shed[MODEL_LANES];	/* by number: its death of overflow or age is known */
};

/* Ends the process with what is wrong when `right` is false. */
void expect(bool right, const char *fmt, ...) PB_PRINTF(2, 3);

void model_init(struct model *, struct lab *, const struct story *);
void model_free(struct model *);
/* A new event of source `source` is about to be emitted; its number, which is the token. */
size_t model_emit(struct model *, int source, const struct pb_event *);
/* The engine says what became of it. */
void model_settled(struct model *, size_t event, enum pb_outcome);
/* A sink was given a delivery: one with submit() holds it until model_answer(), one with write() answers at once. */
void model_given(struct model *, struct pb_delivery *);
/* Answer one of those held. */
void model_answer(struct model *, size_t which, unsigned how);
/* From now on another configuration counts, once what the engine has to save is on disk. */
void model_config(struct model *, unsigned config);
/* The engine has started: with what the state said, or, if it could not be saved, not yet. */
void model_started(struct model *);
/* A save may have made dead letters of what waited. */
void model_saved(struct model *);
/* Rows, what lanes count of them, and the events kept for them belong together. */
void model_check_rows(struct model *);
/* At rest no sink has more than its quota or share lets it, nor the store. */
void model_check_quotas(const struct model *);
/* With all sinks well and their lanes at the end: dead letters are within dead_max and dead_max_size. */
void model_check_letters(const struct model *);
/* Everything is at rest and saved: rows, counts and quotas are as they must be. */
void model_at_rest(struct model *);
/* A dead letter was replayed, or purged. */
void model_changed(struct model *, struct delivery_key, bool replayed);
/* The event, which its lane was past, is to be delivered on it again; or, not `surely`, perhaps. */
void model_resent(struct model *, size_t event, size_t lane, bool surely);
/* The process died: what was held is gone. */
void model_died(struct model *);
/* Remember what is delivered by now; and, once that is saved: it never comes again. */
void model_mark(struct model *);
void model_freeze(struct model *);
/* Everything has come to its end: each accepted event is delivered on each of its lanes, or dead. */
void model_ended(struct model *);

#endif
