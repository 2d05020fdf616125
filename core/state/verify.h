/*
 * verify.h - does a store hold what must hold at any moment?
 *
 * Every checksum, and the invariants of doc/architecture.md: (a) an event is in the journal or kept
 * until each of its lanes is past it and no row needs it; (b) a delivery is ahead of its watermark, or done, or a
 * straggler, or dead; (c) the counts in `kept` equal the rows; (d) `due` has one row a straggler; (e) each key in `seen` has
 * its row by hash and its row in order.
 */
#ifndef STATE_VERIFY_H
#define STATE_VERIFY_H

#include "state/inspect.h"

enum wrong {
	WRONG_FLAW,		/* `flaw`: of the journal; not yet set aside */
	WRONG_GAP,		/* `flaw.segment` is missing; `seq`: what the next one begins with */
	WRONG_OLDEST,		/* segments before the oldest are missing; `seq`: what that begins with */
	WRONG_NO_JOURNAL,
	WRONG_NO_STATE,
	WRONG_STATE,		/* it cannot be read */
	WRONG_META,		/* it does not say what it is of */
	WRONG_TIME,		/* the state is ahead of the journal; `seq`: it knows of events before */
	WRONG_DAMAGE,		/* `table`, `key`: a row */
	WRONG_EVENT,		/* `seq`: whole, but no event */
	WRONG_LANE,		/* (b) `key.lane`: it is past the end; `seq`: the end */
	WRONG_BEHIND,		/* (a) `key.lane`: it is behind the oldest event */
	WRONG_NAMELESS,		/* `table`, `delivery`: a row of a lane without a name; a lane's: no sequence number */
	WRONG_TWICE,		/* (b) `delivery`: a straggler and dead */
	WRONG_FUTURE,		/* (b) `table`, `delivery`: never accepted */
	WRONG_GONE,		/* (a) `table`, `delivery`: its event is nowhere */
	WRONG_KEPT,		/* (c) `seq`: kept for another number of rows than there are: `rows` */
	WRONG_DUE,		/* (d) `delivery`, `due_ms`: due, but no straggler, or at another time */
	WRONG_NO_DUE,		/* (d) `delivery`, `due_ms`: a straggler that is not due */
	WRONG_SEEN,		/* (e) `key`: a row in seen without the other one of its pair, or of no event */
};

struct finding {
	enum wrong wrong;
	const char *text;	/* one line: what is wrong … */
	const char *means;	/* … and what follows from it */
	struct journal_flaw flaw;
	uint64_t seq;
	enum state_table table;
	struct pb_span key;
	struct delivery_key delivery;
	int64_t due_ms;
	uint32_t rows;
};

struct verify {
	bool all;		/* every lane takes every event: none may be behind the oldest */
	void (*wrong)(void *arg, const struct finding *);
	void (*note)(void *arg, const char *text);	/* what is not wrong, but good to know */
	void (*progress)(void *arg, uint64_t done, uint64_t total);	/* bytes; often */
	void *arg;
};

/* Look at all of the store, once. Beside a daemon the state is let go before the journal is read. How
 * many findings, or -errno: it cannot be read on. */
int64_t verify_run(struct inspect *, const struct verify *);

#endif
