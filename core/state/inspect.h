/*
 * inspect.h - a store read as it lies, journal and state together, perhaps beside its daemon.
 *
 * What inspect_open() gathers is what a daemon would find at its start: lanes and marks, each as
 * the state has it or the journal's tail says later; and what rows there are. Bodies stay on disk. Nothing
 * is changed, and nothing is judged: that is verify.h. One thread.
 */
#ifndef STATE_INSPECT_H
#define STATE_INSPECT_H

#include "event/event.h"
#include "state/rows.h"

struct inspect_lane {
	uint32_t number;
	char *title;			/* NULL: it has rows, but no name */
	bool saved;			/* the state has its watermark */
	uint64_t watermark;
	uint64_t stragglers, dead;	/* rows */
	uint64_t parked;		/* of the stragglers */
	int64_t next_due_ms;		/* of its stragglers that are not parked */
};

struct inspect_mark {
	uint32_t source;
	char *source_name;		/* NULL: it has none */
	struct buf key, value;
	bool removed;
};

/* A straggler's or dead letter's row; damaged ones too. */
struct inspect_row {
	uint64_t seq;
	uint32_t lane;
	enum state_table table;		/* STATE_STRAGGLERS, STATE_DEAD */
	bool damaged;
	int64_t due_ms;			/* a straggler's */
};

struct inspect_due {
	struct delivery_key key;
	int64_t due_ms;
};

/* A row whose checksum is wrong. */
struct inspect_damage {
	enum state_table table;
	struct buf key;
};

struct inspect {
	unsigned magic;
	char *folder;
	bool running;			/* a daemon has it open */
	bool no_state, no_journal;	/* there is none */
	char *state_error;		/* why there is a state that cannot be read; NULL: it can */
	struct journal *journal;	/* NULL: no_journal */
	struct state *state;		/* NULL: no_state or state_error */
	struct journal_stat stat;	/* zero without a journal */
	bool has_meta;
	struct meta_row meta;
	struct inspect_lane *lanes;	/* by number */
	size_t n_lanes;
	struct name_row *names;		/* of all kinds */
	size_t n_names;
	struct inspect_mark *marks;
	size_t n_marks;
	struct inspect_row *rows;	/* by sequence number, lane */
	size_t n_rows, rows_room;
	struct inspect_due *dues;	/* by lane, sequence number */
	size_t n_dues, dues_room;
	struct inspect_damage *damage;
	size_t n_damage;
	struct journal_flaw *flaws;	/* met so far */
	size_t n_flaws;
	uint64_t kept, kept_bytes;
};

/* Read the store in `folder`. NULL after error_add() with errno: there is no store, it has another format
 * version, it may not be read. A journal or a state that is missing or cannot be read is left NULL. */
struct inspect *inspect_open(const char *folder, struct pb_error *);
/* The same for whoever holds the store's lock. */
struct inspect *inspect_open_locked(const char *folder, struct pb_error *);
/* Let the daemon's file go on: no row can be read any more. */
void inspect_forget_state(struct inspect *);
void inspect_close(struct inspect *);
/* The lane of that number, or NULL. */
struct inspect_lane *inspect_lane(const struct inspect *, uint32_t number);
/* "ROUTE SINK", or "lane 7" in `text` when it has no name. */
#define LANE_TEXT_SIZE sizeof "lane 4294967295"
const char *inspect_lane_title(const struct inspect *, uint32_t number, char text[static LANE_TEXT_SIZE]);
/* The first of the rows whose event has at least this number; n_rows: there is none. */
size_t inspect_rows_from(const struct inspect *, uint64_t seq);
/* Append the event's bytes, from the journal or kept. 0, -ENOENT, -errno. */
int inspect_event_bytes(struct inspect *, uint64_t seq, struct buf *);
/* Likewise the event. NULL with errno. */
struct pb_event *inspect_event(struct inspect *, uint64_t seq);

#endif
