/*
 * patchbay/testing.h - a host in a box: a plugin under test, without a daemon.
 *
 * A test links this library in place of the daemon. It loads the plugin, opens sections as
 * an operator would write them, and is all that the plugin knows of the core: it hands a sink
 * deliveries and keeps the answers, lets a filter work on an event, runs a source on a thread
 * and says what becomes of what it emits. Options, events, templates, metrics and
 * listeners are the daemon's own code.
 *
 *	static void a_line_is_an_event(void **state)
 *	{
 *		struct pbt_host *host = pbt_new(&patchbay_plugin);
 *		struct pbt_instance *in = pbt_open(host, "[source lines]\npath = %s", path);
 *		pbt_start(in);
 *		…						what makes it emit
 *		assert_true(pbt_wait_stored(in, 1, PBT_LONG));
 *		assert_string_equal(pb_event_type(pbt_stored(in, 0)), "line");
 *		assert_int_equal(pbt_free(host), 0);
 *	}
 *
 * Build   cc -std=c17 test.c plugin.c $(pkg-config --cflags --libs patchbay-testing cmocka). It
 *         needs no cmocka: any program can use it. It exports the pb_ functions to a plugin
 *         that is loaded from a file.
 * Misuse  What a plugin must not do (answer twice, call pb_wait() in settled(), ask for an
 *         option that it has not) ends the program with one line on standard error and
 *         abort(), so that a debugger stands where it happened. So does a wrong call of a pbt_
 *         function. The test's own findings are values that it asserts.
 * Time    stands still (2026-01-01) until pbt_advance(): what pb_event_new() dates by and
 *         pb_wait() waits by. Limits of the functions here, in ms, are the machine's time.
 * Threads pbt_ functions are for the thread that called pbt_new(), but those marked [any]. On it run
 *         load(), check(), open(), close(), unload(), write(), submit(), stop(), apply(); a
 *         source's run() has its own. The plugin may call pb_ functions where plugin.h says.
 * Memory  What is handed to the plugin and what came from it belongs to the host until pbt_free(), unless it is
 *         said otherwise.
 */
#ifndef PATCHBAY_TESTING_H
#define PATCHBAY_TESTING_H

#include <patchbay/plugin.h>

#define PBT_LONG 30000		/* ms that no wait needs, but under valgrind */
#define PBT_MUST __attribute__((warn_unused_result))

struct pbt_host;		/* one plugin, loaded */
struct pbt_instance;		/* one section of it, open */

/*** The plugin. ***/

/* A plugin that is linked into the test (with several, each has a PB_PLUGIN_SYMBOL of its own), or
 * one from a file NAME.so. Its descriptor and option tables are checked as the daemon does; a
 * fault in them is misuse. load() is called by the first pbt_open(). Never NULL. */
struct pbt_host *pbt_new(const struct pb_plugin *);
struct pbt_host *pbt_new_file(const char *path);

/* Stop and close what is open, sources first, then unload. How much the plugin left behind, each named in a
 * line on standard error: events neither handed over nor freed, descriptors, threads, and what else was
 * counted against it. To be the result of a cmocka teardown. Descriptors and threads are those that were not
 * there at pbt_new(): what the test opens after it must be closed before this. A source that does
 * not stop within PBT_LONG is misuse. */
int pbt_free(struct pbt_host *) PBT_MUST;

/*** Sections. ***/

/* Open one section, written as in the configuration: "[sink team]\nurl = %s\n"; its `plugin` is
 * added. The text is a format. Everything is as at a start of the daemon: the tables, ${…}, check(),
 * load(), open(). NULL when something is wrong: pbt_errors() says what. A state after pb_error() is misuse.
 * A source that had this name before finds its marks. */
struct pbt_instance *pbt_open(struct pbt_host *, const char *ini, ...) PB_PRINTF(2, 3);
/* What the last pbt_open() found wrong, a line each: "test.ini:2: [sink team] url: what is wrong"; warnings too. ""
 * when nothing. Line 1 is the section's head. Until the next pbt_open(). */
const char *pbt_errors(const struct pbt_host *);
/* A source is stopped, a sink's stop() is called and its deliveries waited for (either up to PBT_LONG,
 * then it is misuse), then close(). The instance is gone. */
void pbt_close(struct pbt_instance *);
/* Files opened anew as at a SIGHUP: a sink's reopen() at once, a source's within its next pb_wait(). */
void pbt_reopen(struct pbt_instance *);

/* Its host. And what the plugin's functions are given, to call pb_ functions or its own with. */
struct pbt_host *pbt_host(struct pbt_instance *);
struct pb_self *pbt_self(struct pbt_instance *);
void *pbt_state(struct pbt_instance *);
/* The TCP port of the i-th pb_listen() that is open; for `listen = 127.0.0.1:0`. */
int pbt_port(const struct pbt_instance *, size_t i);
/* A metric's value now; one that does not exist is misuse. */
int64_t pbt_metric(const struct pbt_instance *, const char *name);

/* Does a line that was logged so far hold `part`? Wait until one does, up to `ms`. A line is
 * "LEVEL [kind name] text\n", LEVEL being error, warning, info or debug. Set PBT_LOG in the
 * environment to see them all on standard error. [any] */
bool pbt_logged(struct pbt_host *, const char *part);
bool pbt_wait_logged(struct pbt_host *, const char *part, int64_t ms) PBT_MUST;

/* The largest body that pb_event_new() takes; 1 MiB unless set. Before the first pbt_open(). */
void pbt_set_max_event(struct pbt_host *, size_t bytes);

/*** Time. ***/

/* The present time, ms since 1970 UTC. [any] */
int64_t pbt_now(const struct pbt_host *);
/* Let `ms` pass: pb_wait() calls whose time is over by then return. See pbt_wait_asleep(). */
void pbt_advance(struct pbt_host *, int64_t ms);
/* Let time pass by itself from now on, as the machine's does. */
void pbt_run_clock(struct pbt_host *);

/*** Events for sinks and filters. ***/

/* An event with a fresh id, the present time and type "test", or as `attributes` say:
 * "NAME = VALUE" each, ending in NULL; NULL for none. The host's, unless pb_event_free() ends it; without
 * a host (NULL, to test a part of a plugin) it must. */
struct pb_event *pbt_event(struct pbt_host *, const void *body, size_t len,
			   const char *const attributes[]);

/*** Sinks. ***/

/* A delivery of an event, which is the delivery's from here. pbt_delivery_free() before pbt_free(), if there
 * are many; never while it is under way. */
struct pb_delivery *pbt_delivery(struct pbt_instance *, struct pb_event *);
void pbt_delivery_free(struct pb_delivery *);
/* Which attempt it is, before it is sent; 1 unless set. */
void pbt_set_attempt(struct pb_delivery *, unsigned attempt);

/* Hand `n` deliveries to write() or submit(), as one batch. More than `max_batch`
 * allows, or one that was handed over before, is misuse. */
void pbt_send(struct pbt_instance *, struct pb_delivery *const d[], size_t n);
/* Hand one to probe(). */
void pbt_probe(struct pbt_instance *, struct pb_delivery *);
/* Call stop(), as the daemon does before close(). Once. */
void pbt_sink_stop(struct pbt_instance *);
/* stop(), then close() at once, as when the daemon's `shutdown_timeout` is over: what is under way is
 * answered in close(), or never. The instance is gone. */
void pbt_break_off(struct pbt_instance *);

/* Wait until each is answered; false when `ms` were not enough. What write() left is PB_UNTRIED
 * once it has returned. Misuse by then: an answer behind one that in strict order ends the batch. */
bool pbt_wait(struct pb_delivery *const d[], size_t n, int64_t ms) PBT_MUST;

struct pbt_answer {
	bool given;		/* by the plugin; false: not yet, or left by write() */
	enum pb_code code;	/* PB_UNTRIED when it was not given */
	int64_t after;		/* ms */
	struct pb_span response; /* as given, not yet cut to `max_response`; NUL-terminated */
	const char *reason;	/* the same for the reason; "" for none */
};
/* The answer so far; its texts live as long as the delivery. Also after pbt_close(). [any] */
struct pbt_answer pbt_answer(struct pb_delivery *);
/* All of the above in one: the answer of one event, or the program's end after PBT_LONG. */
struct pbt_answer pbt_deliver(struct pbt_instance *, struct pb_event *);

/*** Filters. ***/

/* Let apply() work on a copy of `ev`, which stays the caller's. 0, -EAGAIN or -EBADMSG. What it passed, in
 * order and with the ids that the core gives, is kept until the next call; nothing unless 0. */
int pbt_apply(struct pbt_instance *, const struct pb_event *ev);
size_t pbt_n_passed(const struct pbt_instance *);
const struct pb_event *pbt_passed(const struct pbt_instance *, size_t i);
const char *pbt_reason(const struct pbt_instance *);	/* what it said of a failure, "" */

/*** Sources. ***/

/* Call run() on a thread of its own; again only after it has returned by itself. */
void pbt_start(struct pbt_instance *);
/* Ask it to stop; false when run() has not returned after `ms`. What it emitted last has been committed and
 * settled then. There is no starting again: close it and open it by the same name. */
bool pbt_stop(struct pbt_instance *, int64_t ms) PBT_MUST;
/* The same in two: ask, and go on; wait. */
void pbt_ask_stop(struct pbt_instance *);
/* Wait until run() has returned, of itself or asked; *result (or NULL) is what it returned. */
bool pbt_wait_ended(struct pbt_instance *, int64_t ms, int *result) PBT_MUST;

/* Wait until `n` events in all have been emitted, or been committed and settled, since a source of
 * this name was first opened; false after `ms`. */
bool pbt_wait_emitted(struct pbt_instance *, size_t n, int64_t ms) PBT_MUST;
bool pbt_wait_stored(struct pbt_instance *, size_t n, int64_t ms) PBT_MUST;
size_t pbt_n_emitted(struct pbt_instance *);
size_t pbt_n_stored(struct pbt_instance *);
/* The i-th of what was stored. What was seen before within the section's `dedupe` is not. */
const struct pb_event *pbt_stored(struct pbt_instance *, size_t i);
/* Wait until it sleeps in pb_wait() with nothing to wake it: what was to be done is done. Then
 * *timeout (or NULL) is how long it is going to, -1 without end. Not for a source with a
 * loop of its own, which is never seen asleep. */
bool pbt_wait_asleep(struct pbt_instance *, int64_t ms, int64_t *timeout) PBT_MUST;

/* What becomes of commits: */
enum pbt_store {
	PBT_STORES,		/* they are on disk at once; so it begins */
	PBT_FULL,		/* no room: PB_FAILED if the source `may_refuse`, else it waits until told otherwise */
	PBT_HOLDS,		/* they take until told otherwise, like a slow disk; no stop ends that */
	PBT_REFUSES		/* PB_FAILED whatever the source is: too large for the store */
};
/* From now on, or for the next `n` commits only (0: from now on); one that waits goes by it.
 * Stopping a source that must wait while it is PBT_FULL is the nearest to a crash: nothing
 * since its last commit is kept. [any] */
void pbt_store(struct pbt_instance *, enum pbt_store, unsigned n);
/* Wait until a commit waits because of PBT_FULL or PBT_HOLDS. */
bool pbt_wait_held(struct pbt_instance *, int64_t ms) PBT_MUST;

/* The mark as it was last committed; false when there is none. Until the next commit. And put one there,
 * before pbt_open() of the source. */
bool pbt_mark(struct pbt_instance *, const char *key, struct pb_span *value);
void pbt_put_mark(struct pbt_host *, const char *source, const char *key, struct pb_span value);

/*** Failing calls. ***/

enum pbt_call {
	PBT_EVENT_NEW,		/* NULL, ENOMEM: pb_event_new(), pb_event_copy() */
	PBT_EVENT_SET,		/* -ENOMEM: pb_event_set(), pb_event_set_body(), pb_event_set_key() */
	PBT_CLOUDEVENT,		/* -ENOMEM */
	PBT_TEXT,		/* NULL */
	PBT_RENDER,		/* NULL, *missing NULL */
	PBT_LISTEN,		/* -1, "Address already in use" */
	PBT_EMIT,		/* the source is asked to stop at this moment: -ECANCELED */
	PBT_CALLS
};
/* Let the `nth` call from now on fail, once, whoever makes it; 0: none. The count begins anew, and
 * with pbt_new() there is none. To try each: for n = 1, 2, … until pbt_calls() is below n. [any] */
void pbt_fail_at(enum pbt_call, unsigned nth);
/* How many calls there were since. [any] */
unsigned pbt_calls(enum pbt_call);

#endif
