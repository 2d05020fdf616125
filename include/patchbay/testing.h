/*
 * patchbay/testing.h - a host in a box: a plugin under test, without a daemon.
 *
 * A test links this library in place of the daemon. It loads the plugin, opens sections
 * as an operator would write them, and is all that the plugin knows of the core: it
 * hands a sink deliveries and keeps the answers, lets a filter work on an event, runs a
 * source on a thread and says what becomes of what it emits. Options, check(), events,
 * templates, metrics and listeners are the daemon's own code.
 *
 *	static void a_line_is_an_event(void **state)
 *	{
 *		struct pbt_host *host = pbt_new(&patchbay_plugin);
 *		struct pbt_instance *in = pbt_open(host, "[source lines]\npath = %s", path);
 *		pbt_start(in);
 *		put("one\n");
 *		assert_true(pbt_wait_stored(in, 1, PBT_LONG));
 *		assert_string_equal(pb_event_type(pbt_stored(in, 0)), "line");
 *		assert_int_equal(pbt_free(host), 0);
 *	}
 *
 * What a test of each kind calls, from beginning to end:
 *
 *	source	pbt_open() pbt_start() pbt_wait_stored() pbt_stored() pbt_stop() pbt_close()
 *	filter	pbt_open() pbt_event() pbt_apply() pbt_passed() pbt_close()
 *	sink	pbt_open() pbt_event() pbt_deliver() pbt_close(); or, for more than one at a time,
 *		pbt_delivery() pbt_send() pbt_wait() pbt_answer() in place of pbt_deliver()
 *
 * Build    cc test.c plugin.c $(pkg-config --cflags --libs patchbay-testing cmocka). Any
 *          test program will do, cmocka's or another. It exports the pb_ functions to
 *          a plugin that is loaded from its file.
 * Misuse   What a plugin must not do (answer twice, call pb_wait() in settled(), ask for
 *          an option that it does not have) ends the program with one line on
 *          standard error and abort(), so that a debugger stands where it happened. So
 *          does a pbt_ call that makes no sense. What a test is to judge is returned.
 * Time     stands still, at 2026-01-01, until pbt_advance(): what pb_event_new() dates by
 *          and pb_wait() waits by. The limits of the functions here, in ms, are real time.
 * Threads  pbt_ functions are for the thread that called pbt_new(), but those marked
 *          [any]. On that thread run load(), check(), open(), close(), unload(), write(),
 *          submit(), stop() and apply(); a source's run() has its own.
 * Memory   What the functions here return is the host's, until pbt_free() unless said.
 */
#ifndef PATCHBAY_TESTING_H
#define PATCHBAY_TESTING_H

#include <patchbay/plugin.h>

#define PBT_LONG 30000		/* ms: more than any wait needs, also under valgrind */
#define PBT_MUST __attribute__((warn_unused_result))

struct pbt_host;		/* one plugin, loaded */
struct pbt_instance;		/* one section of it, open */

/*** The plugin. ***/

/* A plugin that is linked into the test (of several, each has a PB_PLUGIN_SYMBOL of its
 * own), or one from its file, NAME.so. Descriptor and option tables are checked as by the
 * daemon; a fault in them is misuse. load() is called by the first pbt_open(). Never NULL. */
struct pbt_host *pbt_new(const struct pb_plugin *);
struct pbt_host *pbt_new_file(const char *path);

/* Close what is open, sources first, and unload. Returns how much the plugin left behind, each
 * named in a line on standard error: events neither handed over nor freed, descriptors,
 * threads, metrics that it made too late. Made to be a cmocka teardown's result. Counted
 * is what was not there at pbt_new(), so what the test opens after that, it closes before
 * this. A source that does not stop within PBT_LONG is misuse. */
int pbt_free(struct pbt_host *) PBT_MUST;

/* What the plugin says of itself: a copy, until pbt_free(), in which members that it does not
 * have read as zero and a sink's max_batch is 1 at least. */
const struct pb_plugin *pbt_plugin(const struct pbt_host *);

/*** Sections. ***/

/* Open one section, as it stands in a configuration: "[sink team]\nurl = %s\n". The text is a
 * format; a line `plugin` is added. The daemon's way: ${…}, tables, check(), load(), open().
 * NULL when something is wrong, and pbt_errors() says what; a state from open() after
 * pb_error() is misuse. A source finds the marks of those that had its name before. */
struct pbt_instance *pbt_open(struct pbt_host *, const char *ini, ...) PB_PRINTF(2, 3);
/* What the last pbt_open() found wrong, and its warnings, a line each: "test.ini:2: [sink
 * team] url: what is wrong\n", line 1 being the section's head. "" when nothing. Until the
 * next pbt_open(). */
const char *pbt_errors(const struct pbt_host *);
/* close(). Before it a source is stopped, and a commit that PBT_HOLDS let go; of a sink stop() is
 * called, and what it has is waited for: more than PBT_LONG of either is misuse. The
 * instance is gone. */
void pbt_close(struct pbt_instance *);
/* As SIGHUP does: a sink's reopen() at once, a source's within its next pb_wait(). */
void pbt_reopen(struct pbt_instance *);

/* Its host, and what the plugin's functions are given, to call with them what is [any] in
 * plugin.h, or functions of the plugin's own. */
struct pbt_host *pbt_host(struct pbt_instance *);
struct pb_self *pbt_self(struct pbt_instance *);
void *pbt_state(struct pbt_instance *);
/* The TCP port of its i-th pb_listen(): for `listen = 127.0.0.1:0`. */
int pbt_port(const struct pbt_instance *, size_t i);
/* A metric's value now; one that does not exist is misuse. */
int64_t pbt_metric(const struct pbt_instance *, const char *name);

/* Does what was logged so far hold `part`? A line is "LEVEL [kind name] text\n", its level
 * error, warning, info or debug. With PBT_LOG in the environment they go to standard error
 * too. The other waits until it does, up to `ms`. [any] */
bool pbt_logged(struct pbt_host *, const char *part);
bool pbt_wait_logged(struct pbt_host *, const char *part, int64_t ms) PBT_MUST;

/* The largest body that pb_event_new() takes; 1 MiB unless set. With no instance open. */
void pbt_set_max_event(struct pbt_host *, size_t bytes);

/*** Time. ***/

/* The present time as the plugin sees it, ms since 1970 UTC. [any] */
int64_t pbt_now(const struct pbt_host *);
/* Let `ms` pass: each pb_wait() whose time is over by then returns. Make sure first that it
 * has begun: pbt_wait_asleep(). */
void pbt_advance(struct pbt_host *, int64_t ms);
/* Let time pass by itself from now on, as fast as the machine's. */
void pbt_run_clock(struct pbt_host *);

/*** Events for sinks and filters. ***/

/* An event with a fresh id, the present time, `type` and `source` "test", or as `attributes`
 * say: "NAME = VALUE" each, ending in NULL; NULL for none. It may be ended by pb_event_free().
 * Without a host (NULL: for testing a part of a plugin) it must be. */
struct pb_event *pbt_event(struct pbt_host *, const void *body, size_t len,
			   const char *const attributes[]);

/*** Sinks. ***/

/* A delivery of an event, which becomes the delivery's, and is freed with it. To free it before
 * pbt_free() is for those who make many; not while the plugin has it. */
struct pb_delivery *pbt_delivery(struct pbt_instance *, struct pb_event *);
void pbt_delivery_free(struct pb_delivery *);
/* Which attempt it is, before it is sent; 1 unless set. */
void pbt_set_attempt(struct pb_delivery *, unsigned attempt);

/* Hand `n` deliveries to write() or submit() as one batch. More than `max_batch` allows, or
 * one that was sent before, is misuse. */
void pbt_send(struct pbt_instance *, struct pb_delivery *const d[], size_t n);
/* Hand one to probe(). */
void pbt_probe(struct pbt_instance *, struct pb_delivery *);
/* Call stop(), once, as is done before close(). */
void pbt_sink_stop(struct pbt_instance *);
/* stop() and at once close(), as when the daemon's `shutdown_timeout` is over: what the
 * sink has is answered in close(), or never. The instance is gone. */
void pbt_break_off(struct pbt_instance *);

/* Wait until each is answered, or left by write(); false when `ms` were not enough. In strict
 * order an answer behind the one that ends the batch is misuse. */
bool pbt_wait(struct pb_delivery *const d[], size_t n, int64_t ms) PBT_MUST;

struct pbt_answer {
	bool given;		/* by the plugin; false: not yet, or left by write() */
	enum pb_code code;	/* PB_UNTRIED when it was not given */
	int64_t after;		/* ms */
	struct pb_span response; /* not yet cut to `max_response`; a NUL behind it */
	const char *reason;	/* "" when there is none */
};
/* The answer so far; its texts live as long as the delivery. [any] */
struct pbt_answer pbt_answer(struct pb_delivery *);
/* All of this for one event, which becomes the delivery's; no answer within PBT_LONG is misuse. */
struct pbt_answer pbt_deliver(struct pbt_instance *, struct pb_event *);

/*** Filters. ***/

/* Let apply() work on a copy of `ev`, which stays the caller's. 0, -EAGAIN or -EBADMSG. */
int pbt_apply(struct pbt_instance *, const struct pb_event *ev);
/* What it passed, in order and with the ids that the core gives; nothing unless it returned 0.
 * And what it said of a failure, or "". Until the next pbt_apply(). */
size_t pbt_n_passed(const struct pbt_instance *);
const struct pb_event *pbt_passed(const struct pbt_instance *, size_t i);
const char *pbt_reason(const struct pbt_instance *);

/*** Sources. ***/

/* Call run() on a thread of its own; again only after it has returned by itself. */
void pbt_start(struct pbt_instance *);
/* Ask it to stop, and wait; false when run() has not returned after `ms`. By then what it
 * emitted last is committed and settled. It cannot be started again: close it, and open
 * another by its name. */
bool pbt_stop(struct pbt_instance *, int64_t ms) PBT_MUST;
/* Only ask. [any] */
void pbt_ask_stop(struct pbt_instance *);
/* Wait until run() has returned, asked or not; *result (or NULL) is what it returned. */
bool pbt_wait_ended(struct pbt_instance *, int64_t ms, int *result) PBT_MUST;

/* How many events were emitted; and how many of them are committed and settled: stored. Both
 * count from the first source of this name. Wait until there are `n`; false after `ms`. */
size_t pbt_n_emitted(struct pbt_instance *);
size_t pbt_n_stored(struct pbt_instance *);
bool pbt_wait_emitted(struct pbt_instance *, size_t n, int64_t ms) PBT_MUST;
bool pbt_wait_stored(struct pbt_instance *, size_t n, int64_t ms) PBT_MUST;
/* The i-th that was stored, below pbt_n_stored(). With `dedupe` in the section a repeat is not. */
const struct pb_event *pbt_stored(struct pbt_instance *, size_t i);
/* Wait until it sleeps in pb_wait() and nothing is there to wake it: it has done what there
 * was to do. *timeout (or NULL) is how long it means to, -1 without end. A source with a
 * loop of its own is never seen asleep. */
bool pbt_wait_asleep(struct pbt_instance *, int64_t ms, int64_t *timeout) PBT_MUST;

/* What comes of a commit. */
enum pbt_store {
	PBT_STORES,	/* it is on disk at once: so it begins */
	PBT_FULL,	/* no room: PB_FAILED if the source `may_refuse`, else it waits */
	PBT_HOLDS,	/* it waits, as for a slow disk, also when the source is stopped */
	PBT_REFUSES	/* PB_FAILED for any source: too large for the store */
};
/* From now on, also for the commit that waits; or for the next `n` only, unless `n` is 0. To
 * stop a source while it waits for room is the nearest to a crash: nothing since its last
 * commit is kept. */
void pbt_store(struct pbt_instance *, enum pbt_store, unsigned n);
/* Wait until a commit waits, because of PBT_FULL or PBT_HOLDS. */
bool pbt_wait_held(struct pbt_instance *, int64_t ms) PBT_MUST;

/* The mark as committed last, until the next commit; false when there is none. */
bool pbt_mark(struct pbt_instance *, const char *key, struct pb_span *value);
/* How many there are. */
size_t pbt_n_marks(struct pbt_instance *);
/* Put one there for the source of that name, before it is opened. */
void pbt_put_mark(struct pbt_host *, const char *source, const char *key, struct pb_span value);

/*** Failing calls. ***/

enum pbt_call {
	PBT_EVENT_NEW,	/* pb_event_new(), pb_event_copy(): NULL, ENOMEM */
	PBT_EVENT_SET,	/* pb_event_set(), …_set_body(), …_set_key(), …_set_sender(): -ENOMEM */
	PBT_CLOUDEVENT,	/* -ENOMEM */
	PBT_TEXT,	/* NULL */
	PBT_RENDER,	/* NULL, *missing NULL */
	PBT_LISTEN,	/* -1, "Address already in use" */
	PBT_EMIT,	/* -ECANCELED: the source is asked to stop at this moment */
	PBT_CALLS
};
/* Let the `nth` such call from now on fail, once, whoever makes it in whatever host; 0: none, as
 * after pbt_new(). To try each there is, go on with n = 1, 2, … until pbt_calls() is below n.
 * [any] */
void pbt_fail_at(enum pbt_call, unsigned nth);
/* How many there were since pbt_fail_at(), or pbt_new(). [any] */
unsigned pbt_calls(enum pbt_call);

#endif
