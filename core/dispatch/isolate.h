/*
 * isolate.h - `isolate = process`: a section's plugin works in a process of its own.
 *
 * Here such a section is an instance of a plugin that stands for the real one and has its faces: each open instance keeps one
 * process (core/host.c, this very program), speaks the frames of plugin/message.h with it, and is to the engine what the plugin
 * would be. When the process ends, it says so and begins another after a pause; what was under way is as the contracts of plugin.h have it:
 * a delivery that may have been sent is PB_RETRY, one that was not is untried, and what was emitted and has no receipt is the other
 * side's to emit again. Nothing that the process says is taken on trust: what is wrong ends it.
 */
#ifndef DISPATCH_ISOLATE_H
#define DISPATCH_ISOLATE_H

#include <pthread.h>

#include "dispatch/feed.h"
#include "plugin/instance.h"
#include "plugin/link.h"
#include "plugin/process.h"

/* The largest frame: a commit of a source's thread, or all that a filter makes of an event. */
#define ISOLATE_FRAME_MAX(max_event) (4 * (max_event) + (64u << 20))
#define ISOLATE_WHY_SIZE (PROCESS_HOW_SIZE + 64)

/* The plugin that stands for `real`, which is taken from `folder`. */
struct isolate_plugin;
struct pb_plugin *isolate_plugin_new(const struct pb_plugin *real, const char *folder);
void isolate_plugin_free(const struct pb_plugin *);
/* What it stands for; NULL: it is no such plugin. */
const struct pb_plugin *isolate_real(const struct pb_plugin *);

/* One instance's process, and its end of the socket. One thread at a time. */
struct isolated {
	struct pb_self *self;
	struct link link;
	pid_t pid;
	int end;			/* its pidfd, or -1 */
	int watch;			/* epoll, of its end and the link; -1: there is no process */
	uint32_t watched;		/* what the link is watched for */
	bool up;			/* it is open, and its end not seen */
	bool starting;			/* it may ask to listen */
	bool leaving;			/* it was told to stop */
	int64_t up_since, pause, start_at;	/* monotonic ms */
	char why[ISOLATE_WHY_SIZE];	/* it ended last: "its process was killed by SIGKILL" */
	struct isolated_listen {
		char *option;
		int64_t index;
		int fd;			/* self's */
	} *listens;
	size_t n_listens;
	unsigned n_metrics;
};

/* Without a process, and the end, which needs that again. */
void isolated_init(struct isolated *, struct pb_self *);
void isolated_fini(struct isolated *);
/* Begin a process and wait until the plugin is open in it. `cancelled` says that nobody waits any more; NULL: it is
 * the first. False after error_add(): there is none. The thread must outlive the process, which dies with it. */
bool isolated_start(struct isolated *, bool (*cancelled)(const struct isolated *), struct pb_error *);
/* Readable when there is something for isolated_fill(), or room for what waits to be sent: to be asked for before each wait. */
int isolated_fd(struct isolated *);
/* Read what it said, as link_fill() does; 0 also when it has ended, though another holds its end of the socket. */
long isolated_fill(struct isolated *);
/* What it says, as of link_next(): 1: a message that is not answered here, to be freed; 0: there is none; -1: it is nonsense. */
int isolated_next(struct isolated *, struct message *);
/* It is up no more: reap it, or end it first if `wrong` says what it did, and say so. When and why are in start_at and why. */
void isolated_lost(struct isolated *, const char *wrong);
/* Tell it to stop, once; what it has to say before is still to be read. */
void isolated_leave(struct isolated *);
/* The text, cut, as a string. */
void isolated_text(struct pb_span, char *to, size_t size);
/* This many ms from its options. */
int64_t isolated_ms(const struct isolated *, const char *option);
int64_t isolated_now(const struct isolated *);

/*
 * Of a sink or filter: a thread that keeps the process going, and reads what it says.
 */
enum keeper_state {
	KEEPER_UP,
	KEEPER_RESTARTING,	/* for the first time in a while: what comes waits for it */
	KEEPER_DOWN,		/* it ends again and again, or does not start: what comes is refused */
	KEEPER_OVER		/* told to stop, and gone */
};

struct keeper;
struct keeper_kind {
	/* The lock is held. False: it is nonsense. */
	bool (*take)(struct keeper *, const struct message *);
	/* Pack what waits, as far as that makes sense; then it is sent. The lock is held, and it is up. */
	void (*pump)(struct keeper *);
	/* Its process has ended, or did not start: see k->state. The lock is held. */
	void (*lost)(struct keeper *);
	/* After each of these, without the lock; any thread. NULL: nothing is to be done. */
	void (*after)(struct keeper *);
};

struct keeper {
	struct isolated iso;		/* the thread's, but for its `link` while it is up */
	const struct keeper_kind *kind;
	pthread_mutex_t lock;		/* guards iso.link, `state`, and what the kind has */
	pthread_cond_t changed;
	enum keeper_state state;
	char why[ISOLATE_WHY_SIZE];	/* it is not up: as iso.why */
	int wake_fd;
	_Atomic bool told, closing;	/* to stop; within isolate_stop */
	int64_t deadline;		/* the thread's: for its end */
	pthread_t thread;
};

/* Start its process and its thread. False after error_add(), and nothing is left of it. Main thread. */
bool keeper_open(struct keeper *, struct pb_self *, const struct keeper_kind *, struct pb_error *);
/* Tell the process to stop when it has all. */
void keeper_stop(struct keeper *);
/* The same, wait until it has ended, and end the thread. Main thread. */
void keeper_close(struct keeper *);
/* Pack and send what waits. The lock is held, and it is up. */
void keeper_send(struct keeper *);
/* Reopen. [any] */
void keeper_reopen(struct keeper *);

/* The faces: isolate-source.c, isolate-filter.c, isolate-sink.c. */
void *isolate_source_open(struct pb_self *, struct pb_error *);
void isolate_source_close(void *);
int isolate_source_run(void *);
void isolate_source_settled(void *, void *token, const struct pb_receipt *);
void isolate_source_reopen(void *);
void *isolate_filter_open(struct pb_self *, struct pb_error *);
void isolate_filter_close(void *);
int isolate_filter_apply(void *, struct pb_event *, struct pb_error *);
void *isolate_sink_open(struct pb_self *, struct pb_error *);
void isolate_sink_close(void *);
void isolate_sink_write(void *, struct pb_delivery *const d[], size_t n);
void isolate_sink_submit(void *, struct pb_delivery *const d[], size_t n);
void isolate_sink_stop(void *);
void isolate_sink_reopen(void *);

/* What isolate_plugin_new() was given for the plugin of the instance. */
const struct pb_plugin *isolate_real_of(const struct pb_self *);
const char *isolate_folder_of(const struct pb_self *);

#endif
