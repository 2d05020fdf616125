/*
 * patchbay/plugin.h - everything that a plugin may know about the core.
 *
 * A plugin is a shared object that exports one const symbol, the descriptor that PB_PLUGIN()
 * makes. It may offer a source, which brings events in, a filter, which drops, changes or
 * replaces them, and a sink, which delivers them. The core opens one instance for each INI
 * section (with `workers`, several). State lives in what open() returned or, if instances
 * share something (an event loop, a port), in what load() returned; never in file-scope
 * variables.
 *
 *	a source                     the core                         a sink
 *
 *	pb_emit() ──▶ pending ──┐
 *	pb_emit() ──▶ pending ──┤ pb_commit(): one fsync for all
 *	                        ▼
 *	settled() ◀──────── on disk ──▶ routes ──▶ filters ──▶ write() or submit()
 *	answer the sender                  ▲                          │
 *	                                   └ again, unless it ended ─ pb_answer()
 *
 * A whole source is this, with an open() that makes `struct my` and a table of options:
 *
 *	static int my_run(void *state)
 *	{
 *		struct my *m = state;
 *		int ready;
 *		while ((ready = pb_wait(m->self, m->fd, -1)) >= 0)
 *			if (ready > 0)
 *				my_take_in(m);	// read; pb_event_new(); pb_emit()
 *		return 0;
 *	}
 *
 * Units    times are milliseconds, sizes bytes, dates milliseconds since 1970 UTC.
 * Errors   an int is 0 or a length, or a negative errno value; a pointer is NULL.
 * Strings  NUL-terminated UTF-8. A span holds any bytes and is not terminated.
 * Memory   what the core returns is the core's, but where it says that the caller frees;
 *          it copies what it is given, but for events, which pb_emit() and pb_pass() take.
 * Threads  load(), check(), open(), close(), unload() and a sink's stop() run on the main
 *          thread, with no other call of the instance under way.
 *          A source's run() has a thread of its own. On it, inside pb_wait() and pb_commit()
 *          (and pb_emit(), when that commits), runs settled(), and inside pb_wait() reopen();
 *          settled() also once after run(), if that left something.
 *          A sink's write() has a thread of its own; all sinks with submit() share one, so
 *          that must not block. On the same thread, never during a write() or submit() of the
 *          instance, run probe() and reopen().
 *          A filter's apply() has a thread of its own for each instance.
 *          Functions marked [any] may be called from any thread, others only from where they
 *          say. An event that is not handed over yet is one thread's at a time.
 * Signals  are blocked before load(); threads that a plugin starts inherit that, and so do
 *          programs, unless it unblocks them first.
 * Process  An operator may give a section a process of its own (`isolate = process`). Nothing
 *          here changes; load() is called in each, for the one instance; starting programs,
 *          other processes and changes of who one is are refused with EPERM.
 * Not yet  what the core does not do so far says "Not yet:". It may be written for.
 *
 * doc/plugins.md is the guide; patchbay/testing.h tests a plugin without a daemon.
 */
#ifndef PATCHBAY_PLUGIN_H
#define PATCHBAY_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* MAJOR moves when a plugin must be rebuilt, MINOR when something is added. The core loads its
 * own MAJOR with a MINOR not above its own, and says both numbers when it refuses; members past a
 * struct's `size`, which was the plugin's header's, read as zero. */
#define PB_ABI_MAJOR 1
#define PB_ABI_MINOR 0

#define PB_PRINTF(f, a) __attribute__((format(printf, f, a)))

struct pb_self;		/* one configured instance, until close(); in load(), the plugin itself */
struct pb_event;	/* one event: attributes (its envelope) and body */
struct pb_receipt;	/* what became of something emitted */
struct pb_delivery;	/* one event that a sink was given and must answer */
struct pb_metric;	/* one counter or gauge; freed with its instance */
struct pb_error;	/* what is wrong; shown to the operator with file and line */

struct pb_span {
	const void *data;	/* NULL when absent */
	size_t len;		/* bytes; 0 with data that is not NULL: there, and empty */
};

/*** Options: declared once; the core parses, checks and documents them. ***/

enum pb_type {		/* how a value is written, and which function reads it */
	PB_STRING,	/* any text: pb_str() */
	PB_SECRET,	/* never logged, dumped or served: pb_str() */
	PB_CHOICE,	/* one word of `choices`: pb_str() */
	PB_BOOL,	/* yes | no: pb_bool() */
	PB_INT,		/* decimal: pb_int() */
	PB_DURATION,	/* 250ms 30s 5m 2h 7d: pb_int(), in ms */
	PB_SIZE,	/* 512 64KiB 16MiB: pb_int(), in bytes */
	PB_LIST,	/* words or "quoted strings" between commas: pb_list() */
	PB_PATH,	/* absolute; need not exist: pb_str() */
	PB_PATHS,	/* a list of them; globs stay as written: pb_list() */
	PB_ADDRESS,	/* HOST:PORT, [V6]:PORT, unix:/PATH, as written: pb_str(), pb_listen() */
	PB_ADDRESSES,	/* a list of them: pb_list(), pb_listen() */
	PB_URL,		/* SCHEME://HOST and what follows: pb_str() */
	PB_TEMPLATE	/* {{type}}, {{data.field}}, {{json …}}, {{url …}}: pb_render() */
};

struct pb_option {		/* a table of them ends with { 0 } */
	const char *name;	/* INI key, lower_case_with_underscores */
	enum pb_type type;
	const char *value;	/* default, as in INI; "": unset; NULL: required */
	const char *choices;	/* PB_CHOICE: "gzip none" */
	int64_t min, max;	/* of what pb_int() returns, inclusive; both 0: any */
	const char *help;	/* one sentence, for `patchbay plugins` and the man page */
};

/* This instance's values, and the common ones of its kind (`timeout`, `max_batch`, …; `patchbay
 * plugins --core` lists them), which a table may not redefine; valid until close(). They cannot
 * fail: a name that is in neither, or of another type, aborts, being a bug of the plugin. Unset:
 * "", 0, no, an empty list. What is written is never empty: the core refuses that. [any] */
const char *pb_str(const struct pb_self *, const char *name);
int64_t pb_int(const struct pb_self *, const char *name);	/* int, ms or bytes */
bool pb_bool(const struct pb_self *, const char *name);
const char *const *pb_list(const struct pb_self *, const char *name); /* ends in NULL */
bool pb_isset(const struct pb_self *, const char *name);	/* written in the INI */
const char *pb_name(const struct pb_self *);			/* the section's */
size_t pb_max_event(const struct pb_self *);			/* the largest body taken */
void *pb_shared(const struct pb_self *);			/* what load() returned, or NULL */

/* A listening stream socket, non-blocking and close-on-exec, for the i-th address of a
 * PB_ADDRESSES (a PB_ADDRESS has the 0th only): passed in by the service manager, or made now; a
 * socket file then has the mode that an option `mode` (PB_STRING) of the table, if there is one,
 * says in octal (else 0660), and is removed at the end. From open(). The core closes it after
 * close(): the plugin does not. -1 after pb_error() at that option. Over a reload it stays open
 * for the next instance. */
int pb_listen(struct pb_self *, const char *option, size_t i, struct pb_error *);

/*** Events: reference-counted, immutable once emitted. ***/

/* A new event with a fresh id (UUIDv7) and the present time; `body` is copied. Set its
 * `type`: routes match on it (`events`), and CloudEvents requires one. Its `source`, unless
 * set, becomes the section's name. The caller's until pb_emit(), pb_pass() or pb_event_free().
 * NULL with errno EMSGSIZE (over pb_max_event()) or ENOMEM. [any] */
struct pb_event *pb_event_new(struct pb_self *, struct pb_span body);
/* The same with another's attributes, time and id. What a filter passes is given ids of
 * its own by the core (ID, ID~2, …); a source sets another. [any] */
struct pb_event *pb_event_copy(struct pb_self *, const struct pb_event *, struct pb_span body);
/* Only one that was never handed over, or NULL. */
void pb_event_free(struct pb_event *);

/* The CloudEvents 1.0 attributes; "" when not set. Valid as long as the event is, and is not
 * changed. [any] */
const char *pb_event_id(const struct pb_event *);
const char *pb_event_type(const struct pb_event *);
const char *pb_event_source(const struct pb_event *);
const char *pb_event_subject(const struct pb_event *);
const char *pb_event_content_type(const struct pb_event *);	/* datacontenttype */
int64_t pb_event_time(const struct pb_event *);
struct pb_span pb_event_body(const struct pb_event *);
/* Any attribute but the time by name, or NULL when not set. All further ones, which are none of
 * the above, in turn: the i-th's name and value, false past the last. [any] */
const char *pb_event_attr(const struct pb_event *, const char *name);
bool pb_event_attr_at(const struct pb_event *, size_t i, const char **name, const char **value);

/* Bytes that grow by realloc(); begin with {0}, end with free(data). */
struct pb_bytes {
	char *data;		/* no NUL at its end */
	size_t len, room;	/* how many there are, and how many there is memory for */
};
/* Append the event as one CloudEvents 1.0 JSON object (structured mode), with no
 * newline in it: a JSON body is `data` with its line breaks made spaces, UTF-8 text a
 * string in `data`, other bytes `data_base64`. 0, or -ENOMEM: `to` is as it was. [any] */
int pb_cloudevent(const struct pb_event *, struct pb_bytes *to);

/* Setters copy; 0, -ENOMEM, or -EINVAL for a bad name or value: then the event is as it was.
 * `name` is id, type, source, subject, datacontenttype, time (RFC 3339), or any further one:
 * [a-z0-9_.-], at most 64 bytes, not specversion, data or data_base64; at most 64 of them. A value
 * is text without control characters, at most 8 KiB (id: 256 bytes); NULL removes. */
int pb_event_set(struct pb_event *, const char *name, const char *value);
int pb_event_set_time(struct pb_event *, int64_t ms);
int pb_event_set_body(struct pb_event *, struct pb_span body);
/* What the sender named the event by, for the section's `dedupe`: any bytes, at most 1 KiB (an
 * idempotency key, a message's number; say in them which kind it is, if there are several). Of
 * the events of a source with one key only the first is stored. Without a key an id that was set,
 * together with the event's `source`, is the key; an event whose id is pb_event_new()'s is never
 * a repeat. Not passed on to sinks. Costs nothing to set when `dedupe` is off. 0, -ENOMEM, or
 * -EINVAL: too long. */
int pb_event_set_key(struct pb_event *, struct pb_span key);
/* Who sent it, beyond the section's name, for `patchbay trace`: an address, a user ("192.0.2.7", "user 1000"); text
 * without control characters, at most 128 bytes. Kept in the history of events alone, neither stored with the event nor passed
 * on; few events of a turn should differ in it (no port). NULL removes. 0, -ENOMEM, -EINVAL. */
int pb_event_set_sender(struct pb_event *, const char *sender);

/* A field of a JSON body, as JSON text in place: no tree, no copy, one pass over the body each
 * time. `path` starts at the body's root ("report.name", "rows.0"): parts between dots are
 * compared after unescaping, a number indexes an array, the last of equal keys counts; "" is the
 * whole body. Absent, or a body that is not JSON: {NULL, 0}. [any] */
struct pb_span pb_field(const struct pb_event *, const char *path);
/* The members of a JSON object or array in turn; start with *rest the whole. `key` is JSON text
 * too, in its quotes, and {NULL, 0} in an array. False at the end. [any] */
bool pb_each(struct pb_span *rest, struct pb_span *key, struct pb_span *value);
/* A JSON string unescaped, any other value as it is written: NUL-terminated, the caller frees. ""
 * for what is not JSON, or a string with \u0000 in it. NULL: no memory. [any]
 *
 *	char *name = pb_text(pb_field(ev, "report.name"));	// {"report":{"name":"May"}}: May
 */
char *pb_text(struct pb_span json);

/* A PB_TEMPLATE option filled in: {{x}} as text, {{json x}} as JSON, {{url x}} percent-encoded, x
 * being an attribute, data.PATH (as for pb_field()) or data (the body); "{{{{" stands for "{{".
 * Unset: "". NUL-terminated, *len bytes before that, the caller frees. NULL: a field is missing
 * (its name in *missing, valid until close(): for the reason of a PB_REJECT, since no later
 * attempt has it either); or no memory, or far over pb_max_event() (*missing NULL). [any] */
char *pb_render(const struct pb_self *, const char *option, const struct pb_event *,
		size_t *len, const char **missing);

/*** What a source may call, from this instance's run(). ***/

struct pb_mark {		/* the source's own position; keys are the section's own */
	const char *key;	/* up to 480 bytes, e.g. a file's identity */
	struct pb_span value;	/* up to 4 KiB, any bytes; {NULL, 0} removes it */
};

/* Hand over a unit: events that belong together. They and `mark` (or NULL) are stored all or
 * none; what was seen before is left out (pb_event_set_key()). The events are the core's from
 * here in every case; `evs` and `mark` are the caller's again. Nothing is on disk yet: that is
 * pb_commit()'s, which pb_wait() calls before it sleeps, so that all that one turn of a loop took
 * in shares one fsync; past 1 MiB pending it is called here, unless this is settled(). `n` may be
 * 0, to move a mark. 0: settled() will come, once, also for a NULL token; for a mark past a
 * limit it comes with PB_FAILED. -ECANCELED: stopping; nothing is taken, settled() will not
 * come, and the events are freed. */
int pb_emit(struct pb_self *, struct pb_event *const evs[], size_t n,
	    const struct pb_mark *mark, void *token);

/* Make durable what was emitted, and call settled() for each unit of it before this returns (with
 * `ack = delivered` later, in a pb_wait(). Not yet). If the store has no room or fails, a source
 * that `may_refuse` gets PB_FAILED at once; any other waits here until there is room
 * (back-pressure). 0, whatever the outcomes; or -ECANCELED: stopping, and what waited for room
 * has been settled with PB_FAILED. */
int pb_commit(struct pb_self *);

/* Commit; then, unless that settled something, sleep until `fd` is readable (-1: no descriptor),
 * the time is over (-1: never), or the core wants the thread. 1: readable, or at its end or in
 * error, so that read() tells; 0: time-out, settled something, or stopping has begun; -EBADF:
 * `fd` is not open; -ECANCELED: stopping and every token is settled: send the last answers and
 * return from run(). For several descriptors, or to wait until one is writable, `fd` may be an
 * epoll(7) descriptor. */
int pb_wait(struct pb_self *, int fd, int64_t timeout);
/* For a loop of the plugin's own: readable when something is to be settled or the instance
 * begins to stop or to reopen; then call pb_wait(self, -1, 0), which clears it, and also after
 * each turn that emitted. The same descriptor until close(); only poll it. */
int pb_wake_fd(const struct pb_self *);
/* True once the instance stops: take nothing new. [any] */
bool pb_stopping(const struct pb_self *);

/* Copy the mark last committed under `key`, by this section under an earlier configuration or
 * daemon too: the bytes alone, with no NUL behind them. Its length, -ENOENT, or -ERANGE: `size`
 * is too small. From open() or run(). */
int pb_restore(struct pb_self *, const char *key, void *value, size_t size);

enum pb_outcome {
	PB_ACCEPTED = 1,	/* on disk: tell the sender yes. Not yet: with `ack = delivered`,
				 * confirmed by every sink that it went to */
	PB_UNDELIVERABLE,	/* Not yet: with `ack = delivered`, refused by a sink for good */
	PB_FAILED		/* not stored: the sender should come back, or be asked again */
};
/* A receipt ends with the settled() it was passed to, and its strings with it. */
enum pb_outcome pb_receipt_outcome(const struct pb_receipt *);
const char *pb_receipt_id(const struct pb_receipt *, size_t i);	/* of the i-th event, or "" */
/* The i-th event was seen before, within the section's `dedupe`: it is not stored again, and the
 * id is the first one's, which is on disk. */
bool pb_receipt_duplicate(const struct pb_receipt *, size_t i);
const char *pb_receipt_reason(const struct pb_receipt *);	/* of PB_FAILED: one line, or "" */

/*** What a sink answers. ***/

enum pb_code {		/* what then becomes of this event, and of this sink */
	PB_UNTRIED,	/* nothing was sent: offered again, no attempt counted */
	PB_OK,		/* delivered: it ends */
	PB_RETRY,	/* it failed, or may have been sent: this event later */
	PB_REJECT,	/* this event never: a dead letter with the reason */
	PB_DOWN,	/* the receiver as a whole: hold everything, try one event now and then */
	PB_GONE		/* the receiver is gone for good: disable this sink */
};

/* A delivery and its event are valid until answered. [any] */
const struct pb_event *pb_delivery_event(const struct pb_delivery *);
unsigned pb_delivery_attempt(const struct pb_delivery *);	/* 1 the first time */

/* Answer a delivery, once. `after`: not sooner than this, in ms from now (0: as the sink's
 * `retry` says). `response` is kept for the operator, cut to the sink's `max_response`; {NULL, 0}:
 * none. `fmt` is one line for the log and the dead letter, cut to 512 bytes, or NULL; both are
 * copied. A second answer is a bug of the plugin: ignored, and logged.
 * After the last answer close() may run at once on another thread: touch neither state, self nor
 * metrics afterwards. Never calls the plugin back. [any] */
void pb_answer(struct pb_delivery *, enum pb_code, int64_t after, struct pb_span response,
	       const char *fmt, ...) PB_PRINTF(5, 6);

/*** Log, metrics, errors. ***/

enum pb_level { PB_ERROR, PB_WARN, PB_INFO, PB_DEBUG };

/* One line, without a newline, prefixed with the section's name. Control characters are escaped;
 * it is cut to 4 KiB; of one `fmt` the first 10 a second are shown, and the rest counted. errno
 * stays. [any] */
void pb_log(struct pb_self *, enum pb_level, const char *fmt, ...) PB_PRINTF(3, 4);

/* Register in open() or load(); never NULL, and the same again for the same name. `name` is
 * [a-z0-9_]. Shown by `patchbay status --prometheus` as patchbay_<plugin>_<name>, with the
 * section's name as a label. */
struct pb_metric *pb_counter(struct pb_self *, const char *name, const char *help);
struct pb_metric *pb_gauge(struct pb_self *, const char *name, const char *help);
void pb_add(struct pb_metric *, int64_t by);	/* a gauge's may be negative; [any] */
void pb_set(struct pb_metric *, int64_t to);	/* gauges; [any] */

/* Say what is wrong, without a newline, at an option's own line or (NULL) at the section's.
 * Returns NULL, so that open() can `return pb_error(err, …)`. check() may call it often: all is
 * shown at once. Only within the call that was given `err`. */
void *pb_error(struct pb_error *, const char *option, const char *fmt, ...) PB_PRINTF(3, 4);

/*** The descriptor. Members are only ever appended. ***/

struct pb_source {
	uint32_t size;
	const struct pb_option *options;	/* ends with { 0 }; NULL: none */
	/* Optional: what the table cannot say. No side effects: `patchbay check` calls it too. Only
	 * for a section whose every value is right by the table; `self` has the options alone. */
	void (*check)(struct pb_self *, struct pb_error *);
	/* The instance's state, not NULL; or NULL after pb_error(). After check(). On a reload a
	 * changed instance is closed and opened anew, with a new self, while its siblings run on;
	 * if that fails, the old configuration is opened again. (A sink's or filter's new one is
	 * opened before the old is closed, or, if that fails, after.) */
	void *(*open)(struct pb_self *, struct pb_error *);
	/* Free it. After run() has returned; not at all if that did not within `shutdown_timeout`,
	 * when the process just ends. */
	void (*close)(void *state);
	/* Emit until pb_wait() says -ECANCELED, then return 0. Who returns sooner, even 0,
	 * counts as stopped by itself (log the reason first): the core commits what was
	 * emitted and calls run() again after a pause that grows from 1 s to 60 s, on the
	 * same state; begin again from pb_restore(). */
	int (*run)(void *state);
	/* Optional: what became of what was emitted with `token`, once for each unit, in any
	 * order. Must not block. It may call pb_emit(), for the next commit, and what is [any],
	 * but neither pb_wait() nor pb_commit(). */
	void (*settled)(void *state, void *token, const struct pb_receipt *);
	bool may_refuse;	/* its senders can be told to come back (HTTP 503) */
	/* Optional: open again by name what is held open (certificates): SIGHUP. */
	void (*reopen)(void *state);
	/* Several instances of one section may run side by side (`workers`); their listeners then
	 * share the port (SO_REUSEPORT), and they share the section's marks. */
	bool may_repeat;
};

struct pb_filter {
	uint32_t size;
	const struct pb_option *options;	/* these four as in a source */
	void (*check)(struct pb_self *, struct pb_error *);
	void *(*open)(struct pb_self *, struct pb_error *);
	void (*close)(void *state);
	/* `ev` is this call's own copy. Hand it, changed or not, or others in its place, to
	 * pb_pass(); what is not passed is freed, and nothing passed is a drop. Returns 0, -EAGAIN
	 * (again later, as the sink's `retry` says) or -EBADMSG (a dead letter, as is any other
	 * value), the reason in `err` by pb_error(err, NULL, …); then what was passed is dropped
	 * too. It may run again for the same event: after a crash, or for a sink that fell
	 * behind. */
	int (*apply)(void *state, struct pb_event *ev, struct pb_error *err);
};
/* Within apply() only. Takes ownership: do not change, free or pass it again. */
void pb_pass(struct pb_self *, struct pb_event *ev);

struct pb_sink {
	uint32_t size;
	const struct pb_option *options;	/* these three as in a source */
	void (*check)(struct pb_self *, struct pb_error *);
	void *(*open)(struct pb_self *, struct pb_error *);
	/* Free it. After the last answer and stop(); not at all if they did not come within
	 * `shutdown_timeout`, when the process just ends. */
	void (*close)(void *state);
	/* One of the two; `n` is 1 to `max_batch`, and `d` the caller's. write() may block up to
	 * the sink's `timeout`, which it sees to itself; what it has not answered on return is
	 * PB_UNTRIED. submit() begins, returns at once, and answers later from any thread.
	 * pb_str(self, "order") is "strict", "relaxed", or "" for the default: strict with
	 * write(), relaxed with submit(). In strict order take d[0], d[1], … in turn, and
	 * stop at the first whose answer is neither PB_OK nor PB_REJECT: leave the rest
	 * unanswered (submit(): answer PB_UNTRIED), and it comes again behind that one. */
	void (*write)(void *state, struct pb_delivery *const d[], size_t n);
	void (*submit)(void *state, struct pb_delivery *const d[], size_t n);
	/* Optional, with submit(), and after the last of it: answer what is under way soon, within
	 * what is left of `shutdown_timeout`. */
	void (*stop)(void *state);
	/* Optional: try the receiver with this delivery. Not yet: `patchbay test` calls it. */
	void (*probe)(void *state, struct pb_delivery *);
	uint32_t max_batch;	/* the most it can take, of which `max_batch` asks less; 0: 1 */
	/* Optional: open again by name what is held open (a rotated file, certificates): SIGHUP. */
	void (*reopen)(void *state);
};

struct pb_plugin {
	uint32_t size, option_size;
	uint16_t abi_major, abi_minor;
	const char *name;	/* the file's name less ".so" */
	const char *version;	/* the plugin's own, any text */
	const char *summary;	/* one line for `patchbay plugins` */
	const struct pb_source *source;
	const struct pb_filter *filter;
	const struct pb_sink *sink;
	/* Optional: what all instances share, made before the first open(), not NULL, and undone
	 * after the last close(); NULL after pb_error(). Not called by `check`. `self` stands for
	 * the plugin until unload(): log and metrics, no options. */
	void *(*load)(struct pb_self *, struct pb_error *);
	void (*unload)(void *shared);
};

#define PB_SOURCE(...) (&(const struct pb_source){ .size = sizeof(struct pb_source), __VA_ARGS__ })
#define PB_FILTER(...) (&(const struct pb_filter){ .size = sizeof(struct pb_filter), __VA_ARGS__ })
#define PB_SINK(...) (&(const struct pb_sink){ .size = sizeof(struct pb_sink), __VA_ARGS__ })

#ifndef PB_PLUGIN_SYMBOL	/* a test that links several plugins names each */
#define PB_PLUGIN_SYMBOL patchbay_plugin
#endif
#define PB_PLUGIN(...)							\
	__attribute__((visibility("default")))				\
	extern const struct pb_plugin PB_PLUGIN_SYMBOL;			\
	const struct pb_plugin PB_PLUGIN_SYMBOL = {			\
		.size = sizeof(struct pb_plugin),			\
		.option_size = sizeof(struct pb_option),		\
		.abi_major = PB_ABI_MAJOR, .abi_minor = PB_ABI_MINOR,	\
		__VA_ARGS__						\
	}

#endif
