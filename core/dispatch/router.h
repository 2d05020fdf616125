/*
 * router.h - the thread that owns routes, lanes and outlets, and takes turns.
 *
 * A turn takes in what came (inbox), matches and offers committed events, settles answers,
 * fires timers, reads a piece of the journal for lanes that are behind, sends what may go out, and
 * saves when that is due. It never blocks on a source, a filter, a sink or a sync.
 */
#ifndef DISPATCH_ROUTER_H
#define DISPATCH_ROUTER_H

#include <uthash.h>

#include "dispatch/chain.h"
#include "dispatch/commit.h"
#include "dispatch/counts.h"
#include "dispatch/dead.h"
#include "dispatch/lane.h"
#include "dispatch/outlet.h"
#include "dispatch/retain.h"
#include "dispatch/saver.h"
#include "dispatch/seen.h"
#include "dispatch/share.h"
#include "dispatch/shed.h"
#include "dispatch/timeline.h"
#include "dispatch/timer.h"
#include "dispatch/uptime.h"
#include "dispatch/watermarks.h"
#include "dispatch/yield.h"

struct alarms;
struct retired;
struct history;

struct route {
	struct config_route *config;
	struct rule *rule;		/* what it takes */
	struct stage **stages;
	size_t n_stages;
	struct lane **lanes;
	size_t n_lanes;
	size_t jobs;			/* of it that the stages have */
	bool retired;			/* of an earlier configuration, until its jobs are back; `config` is then its own */
};

/* A mark on its way to the state. */
struct moved_mark {
	UT_hash_handle hh;		/* by source and key */
	struct journal_pos read_at;
	char *value;			/* NULL: removed */
	size_t value_len, key_len;
	char key[];			/* source (4 bytes), key */
};

/* Which routes want events of one type from one source; remembered, since types are few. */
struct match;

/* Who waits for a save: the slot is settled by it, or else becomes a loose one. */
struct save_waiter {
	struct slot *slot;
	bool settles;
	int64_t due_ms;			/* of the row: TIMER_NEVER when it has none */
};

/* What is to be saved, and who waits for it. */
struct save {
	struct state_batch batch;
	struct save_waiter *waiters;
	size_t n_waiters, room;
	struct journal_pos applied;
	bool yields;			/* lanes move on once this is saved */
	bool replays;			/* it has rows that need events which lanes are past */
	uint64_t seen_until;		/* keys of events before it are in it, or were saved */
	bool sheds;			/* it has rows that become dead letters */
	uint64_t trim_seq;		/* segments below it may go once this is saved; 0: none */
	bool piece;			/* it has a piece of what is put into `kept`; the next one may follow */
};

/* How many rows need a kept event, while that is on its way to the state. */
struct kept_count {
	UT_hash_handle hh;
	uint64_t seq;
	uint32_t rows;
	uint64_t save;			/* the save that carries it */
};

/* A lane that the configuration has no more, and which has dead letters. */
struct removed {
	uint32_t number;
	uint64_t dead, dead_bytes;
};

struct router {
	const struct clock *clock;
	struct journal *journal;
	struct state *state;
	struct inbox inbox;
	struct watermarks watermarks;
	struct commit *commit;		/* told when space returns */
	struct alarms *alarms;
	struct retired *retired;	/* what earlier configurations left behind */
	void (*wake)(void *arg);	/* some of it has ended; NULL: nobody is told */
	void *wake_arg;
	bool wake_due;
	struct history *history;	/* what became of each event; NULL: none is kept */
	struct saver saver;
	struct timers timers;
	struct id_gen random;
	struct route **routes;
	size_t n_routes;
	struct lane **lanes;		/* all that are configured; by position */
	size_t n_lanes;
	size_t n_old;			/* lanes that took something else before */
	struct lane **leaving;		/* those that the configuration no longer has, until all of theirs is dead */
	size_t n_leaving;
	bool leave_paused;		/* no piece of it now: a reload looks at where they stand */
	struct lane **by_number;	/* names table's number to lane, NULL: none */
	size_t n_numbers;
	struct removed *removed;	/* lanes of earlier configurations that have dead letters */
	size_t n_removed;
	struct outlet **outlets;
	size_t n_outlets;
	struct match *matches;
	size_t match_bytes;
	struct match *last_match;	/* NULL: none */
	uint64_t next;			/* the first event not routed yet */
	struct journal_pos routed;	/* the end of the last block routed */
	int64_t wall_offset;		/* engine's wall clock less monotonic: steady while we run */
	int64_t started_wall;
	struct journal_cursor *cursor;	/* catch-up's */
	uint64_t cursor_seq;		/* what it reads next */
	size_t catchup_turn;
	size_t n_behind;
	bool catchup_due;		/* a lane that is behind may take something */
	struct outlet *to_pump;
	struct lane *dirty;
	struct moved_mark *marks;
	struct save open, saving;	/* being gathered; with the saver */
	bool save_busy;
	bool start_unsaved;		/* what the start found is not on disk yet: rows cannot be counted */
	bool save_pending;		/* progress was made since the last save began */
	struct meta_row meta;		/* as it was at the start */
	int64_t urgent_since;		/* a row is in `open` since then, 0: none */
	int64_t last_save, last_event;	/* monotonic */
	bool space_due;			/* look for a segment that may go, when no save is under way */
	uint64_t max_size;		/* of the store: bytes, 0: no limit */
	uint64_t grown;			/* the journal's, when space was looked at last */
	size_t expire_turn;		/* the lane that was looked at last for what is too old */
	size_t expire_lanes, expire_rows;	/* what is left of this second's look */
	struct share share;		/* `max_backlog` of sinks that do not say */
	size_t holds;			/* sources that sinks hold, each for each lane … */
	bool holds_due;			/* … which may have changed */
	bool filling;			/* the store has four fifths of max_size, and that was said */
	uint64_t charged;		/* the state's bytes, as the journal was told last */
	struct yield yield;
	struct retain retain;
	uint64_t keyed_seq, keyed_hash;	/* the event whose body was scanned last for `order_by`, and its key, … */
	char *keyed_by;			/* … of this field; NULL: none was */
	struct shed_row *shed;		/* rows that become dead letters with a save */
	uint64_t kept_below;		/* rows' events below this are in `kept` */
	struct kept_count *kept;	/* counts that are on their way to the state */
	struct seen_keys seen;		/* shared with the sources and the commit */
	struct timeline timeline;	/* when events were accepted, engine wall clock */
	struct uptime uptime;		/* likewise, by the clock that runs only while we do */
	int64_t turn_began;		/* monotonic µs: what this turn takes in came before */
	struct dead_gone *gone;		/* dead letters' rows that go with a save */
	struct delivery_key dead_swept;	/* where the look for those that are too old goes on */
	struct timer dead_timer;	/* some sink may have too many */
	struct inbox_call *callers;	/* they go on when what they did is on disk */
	uint64_t unrouted, saves, lost;
	struct gone_counts gone_counts;	/* of lanes that the configuration no longer has */
	uint64_t gone_refused;		/* of sources likewise: events refused */
	uint64_t damaged;		/* blocks, as told last */
	uint32_t alarms_origin;		/* the built-in source's number: nothing is told of its own events */
	uint64_t in_flight;		/* deliveries out, all outlets */
	struct slot *spare_slots;	/* to be used again */
	size_t n_spare_slots;
	bool draining;			/* nothing new goes out */
	pthread_mutex_t drained_lock;	/* guards `drained` */
	pthread_cond_t drained_cond;
	bool drained;			/* draining, and nothing is out */
	_Atomic bool stop;		/* end after this turn */
	struct timer tick;		/* every second */
	size_t tick_lane;		/* the next that its look comes to */
	pthread_t thread;
	bool started;
};

/* Free the route, but for its configuration, stages and lanes. */
void route_free(struct route *);
/* Tables and threads' parts; routes, lanes and outlets are filled in by recover.c and dispatch.c. */
void router_init(struct router *, const struct clock *, struct journal *, struct state *, size_t memory);
void router_fini(struct router *);
int router_start(struct router *);
/* One turn; how long it may sleep then, -1: until something comes. */
int64_t router_turn(struct router *);
/* Engine time: monotonic, and a wall clock that is not set while we run. */
int64_t router_now(const struct router *);
/* The same as it was when the turn began: for what is noted of each event, where a few ms do not count. */
int64_t router_turn_ms(const struct router *);
int64_t router_wall(const struct router *);
/* When the event was accepted: engine wall clock. `own`, unless NULL: only its own time is known, which its sender may have
 * set. */
int64_t router_accepted(const struct router *, const struct pb_event *, bool *own);
/* The outlet may have something to send. */
void router_pump(struct router *, struct outlet *);
/* The lane's watermark may have moved. */
void router_moved(struct lane *);
/* Offer an event to the route's lanes: those that are live, or, with `riding`, those in the catch-up pass for which the
 * route's rule counts. */
void route_offer(struct router *, struct route *, const struct pb_event *, bool riding);
/* Offer an event to one lane that is live or in the catch-up pass. */
void lane_offer(struct lane *, const struct pb_event *);
/* Try the slot (again): through the route's filters first, if they have not made its parts yet. */
void slot_begin(struct router *, struct slot *);
/* The routes that want events of this one's type and source; valid until the next call. */
struct route **router_match(struct router *, const struct pb_event *, size_t *n);
void router_matches_free(struct router *);

/* catchup.c: read a piece of the journal for lanes that are behind. False when there is nothing more to do at once. */
bool catchup_turn(struct router *);

/* tick.c: what is done every second begins; and a piece of it. False when there is nothing more to do at once. */
void tick_begin(struct router *);
bool tick_turn(struct router *);

/* settle.c */
void settle_answer(struct router *, struct pb_delivery *);
void settle_chained(struct router *, struct chain_job *);
/* The slot's lane leaves, and nothing of it is under way: it is dead, if it is not on its way out already. */
void settle_removed(struct router *, struct slot *);
/* A slot that is not at work gets a row that is parked behind its key, and leaves when that is on disk. */
void settle_park_key(struct router *, struct slot *);
/* In a relaxed lane a delivery that others have passed for a second gets a row, so that the watermark may pass it; so
 * does, in any lane, what is half delivered while its sink is held. */
void settle_aged(struct lane *);
/* Likewise all lanes, however short the time: at the end. */
void settle_passed_all(struct router *);
/* Likewise one that very many have passed: called when the lane has moved. */
void settle_passed(struct lane *);

/* The slot, which is READY, WAITING or HELD, is dead; nothing is said of it alone. */
void settle_shed(struct slot *, enum dead_reason);
/* Each slot of the window that has no row, or, in a strict lane, one that is due, gets a parked one. */
void settle_park(struct lane *);

/* parked.c: rows that are parked for the lane come into its window, as many as fit. False when there is nothing more to do
 * at once. */
bool parked_take_up(struct lane *);

/* stragglers.c: those that are due come back into their lanes. */
void stragglers_due(struct lane *);
/* A straggler at work is done: there may be room for more of those that are due. */
void stragglers_room(struct lane *);
/* How many more stragglers may be at work. */
size_t stragglers_have_room(const struct lane *);
/* Is the event in memory, or will the lane come by it? Then its row is not to be looked at. */
bool stragglers_is_here(const struct lane *, uint64_t seq);
/* Bring one back from its row. False: not now, look again. */
bool stragglers_bring_back(struct lane *, uint64_t seq, int64_t due_ms);
/* The wall clock time of a row's first failure, as this run counts. */
int64_t stragglers_first(const struct router *, const struct straggler_row *);
/* The slot is as its row says, which is due at `due_ms`. */
void stragglers_restore(struct slot *, const struct straggler_row *, int64_t due_ms);
/* Its event, or (`row` NULL) what its row said, is gone: nothing can be delivered, and that is said. */
void stragglers_drop(struct lane *, struct delivery_key, int64_t due_ms, const struct straggler_row *);
/* The sink takes something again: look at the rows when that is due. */
void stragglers_look(struct lane *);
/* Look at the rows again not later than `due_ms` (engine wall clock). */
void stragglers_expect(struct lane *, int64_t due_ms);

/* save.c */
void save_init(struct save *);
void save_free(struct save *);
/* What was put into router->open is for `slot`: when it is on disk the slot is settled, or (`settles` false) becomes
 * a loose one; `due_ms` is the row's due time, TIMER_NEVER without one. */
void save_wait(struct router *, struct slot *, bool settles, int64_t due_ms);
/* Sources' marks of a block that ends at `read_at` go with the next save. */
void save_mark(struct router *, struct journal_pos read_at, struct pb_span marks);
void marks_free(struct router *);
/* What is in `open` is wanted on disk at once, as a straggler's row is. */
void save_soon(struct router *);
/* The call's caller goes on when what is in `open` is on disk, or at a tick a second later. */
void save_call(struct router *, struct inbox_call *);
/* Is save number `save` on disk? */
bool save_is_done(const struct router *, uint64_t save);
/* Those go on that have waited for a second. */
void save_calls_late(struct router *);
/* Start a save if one is due; when the next will be (monotonic), TIMER_NEVER when nothing is to be saved. */
int64_t save_turn(struct router *);
void save_finished(struct router *, int result);
/* All that is known, at once: at start, before any thread runs. 0; -ENOSPC: it goes with the first save that finds
 * space; -errno. */
int save_now(struct router *, bool clean);
/* All that is known, with the clean mark, and wait for it: at the end, the saver having ended. */
void save_last(struct router *);

/* space.c */
/* The oldest segment that nobody needs: put what its stragglers and dead letters need into `kept`, a bounded piece of it
 * that goes with the next save. Not while one is under way: it would move rows while they are counted. */
void space_turn(struct router *);
/* At start, `lanes` being all that ever were: give up the segments that the state, as it is on disk, needs no more. It
 * may be they that leave no space to save it. 0 or -errno. With `keep`, only when there is none. */
int space_start(struct router *, const uint32_t lanes[], size_t n);
/* expire.c: every second, a part of what may have waited for too long; and a piece of that. False when there is no more. */
void expire_tick(struct router *);
bool expire_turn(struct router *);
/* How long a delivery has waited: since its first failure (0: none), but no longer than since the event was accepted, in time that a
 * daemon ran: a parked row does not say when it was written. ms */
int64_t expire_age(const struct router *, uint64_t seq, int64_t first_ms);
/* quota.c: what gives way when the store grows, in order; then space_turn(). Not while a save is under way. */
void space_look(struct router *);
/* The state counts as the journal does: what it takes now. */
void space_charge(struct router *);
/* Blocks were committed: has the journal grown by so much that it is to be looked at now? */
void space_grew(struct router *);

/* A row that may need a kept event goes. */
void space_release(struct router *, uint64_t seq);
/* A save is on disk: forget its counts, and give up the segments it made free. */
void space_saved(struct router *, uint64_t trim_seq, struct journal_pos applied);
void space_free(struct router *);
/* The event of a straggler or dead letter: from the journal, or kept. NULL with errno. */
struct pb_event *space_event(struct router *, uint64_t seq);
/* The event that was just read from the journal. NULL with errno, which is said: ENOMEM: it is to be read again; anything else:
 * it is lost, and counted. */
struct pb_event *space_unpack(struct router *, const struct record *);

#endif
