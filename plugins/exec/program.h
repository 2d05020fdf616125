/*
 * program.h - a program that is kept running: its process, what it says, what it is told, and when it is started again.
 *
 * One thread at a time turns it: it waits for program_fd() and then calls program_turn(), which never blocks. What the
 * program says is hostile: anything that is not right ends it, and whatever ends it, it is started again after a pause.
 */
#ifndef EXEC_PROGRAM_H
#define EXEC_PROGRAM_H

#include "exec/child.h"
#include "exec/errors.h"
#include "exec/message.h"

#define PROGRAM_METRICS 32
#define PROGRAM_METRIC_NAME 40

enum program_state {
	PROGRAM_DOWN,		/* there is none; `next` is when it is started */
	PROGRAM_STARTING,	/* it has been sent hello */
	PROGRAM_UP,
	PROGRAM_STOPPING,	/* it was asked to end */
	PROGRAM_ENDING,		/* it was sent SIGTERM: nothing that it says counts any more */
	PROGRAM_KILLED,		/* SIGKILL */
	PROGRAM_GIVEN_UP	/* it was started too often */
};

struct program;

/* What its owner, a source, filter or sink, is asked. */
struct program_ops {
	/* Add this kind's own members to hello, `n_hello` of them. */
	void (*hello)(void *owner, struct wire_writer *);
	size_t n_hello;
	/* It is ready. */
	void (*up)(void *owner, int64_t max_in_flight);
	/* A message that is this kind's own; its line in plain mode. False: it is not right. */
	bool (*message)(void *owner, const struct message *, struct wire_fault *);
	bool (*line)(void *owner, struct pb_span line);
	/* It has ended: what it had and did not answer is the owner's again. */
	void (*down)(void *owner);
	/* May more be read of it now? */
	bool (*reads)(void *owner);
};

struct program {
	struct pb_self *self;
	struct settings settings;
	const struct program_ops *ops;
	void *owner;
	struct child child;
	enum program_state state;
	int epoll, timer;
	bool watches[4];			/* epoll, each of enum program_stream */
	struct wire_frames frames;
	struct wire_writer out;
	size_t out_at;			/* of it, written */
	uint64_t written;		/* bytes in this run */
	int64_t out_since;		/* monotonic ms: since when it takes nothing; 0: it does */
	struct errors errors;		/* standard error */
	int64_t errors_at;		/* monotonic ms: not read before */
	int64_t started, next, deadline, pause;	/* monotonic ms; deadline: 0: none */
	int64_t restarts;		/* in a row */
	bool closing;			/* it is not started again */
	bool fault;			/* it was ended for something */
	bool said_unknown, said_metric;	/* in this run */
	bool refused;			/* it sent `error` */
	char reason[MESSAGE_REASON + 1];	/* why it is down: one line */
	struct {
		char name[PROGRAM_METRIC_NAME + 1];
		bool gauge;
		struct pb_metric *metric;
	} metrics[PROGRAM_METRICS];
	size_t n_metrics;
	bool opening;			/* inside open(): metrics may be made, the owner is not asked yet */
	bool unstartable;		/* there was no process at all */
	struct pb_metric *restarted, *faults;
};

/* Start it, and wait up to `start_timeout` for its first message, so that what it says of its options is the configuration's error.
 * From open(). False after pb_error(): it cannot be executed, or refuses its options. One that only fails is started
 * again later. */
bool program_open(struct program *, struct pb_self *, const char *kind, const struct program_ops *, void *owner,
		  struct pb_error *);
/* Readable when program_turn() has something to do; by pb_wait() or epoll. */
int program_fd(const struct program *);
/* Do all that can be done without waiting. */
void program_turn(struct program *);
/* What is to be sent is written to this, and then sent by this. */
struct wire_writer *program_writer(struct program *);
void program_send(struct program *);
/* Where what is to be sent ends, and how far it was written, in bytes of this run: a message is written whole when the second has
 * reached what the first was behind it. */
uint64_t program_end(const struct program *);
uint64_t program_written(const struct program *);
/* It did not do what it must: say why, and end it. */
void program_fail(struct program *, const char *fmt, ...) PB_PRINTF(2, 3);
/* Ask it to end, and do not start it again. It ends within stop_timeout and kill_timeout of program_turn()s. */
void program_stop(struct program *);
bool program_is_gone(const struct program *);	/* after that */
/* Ask it to end, and turn it, waiting, until it is gone. */
void program_finish(struct program *);
/* The same, and free all. */
void program_close(struct program *);

/* Before waiting for program_fd(): it is readable by `at` at the latest, monotonic ms, 0: whenever. */
void program_rest(struct program *, int64_t at);
/* Milliseconds, monotonic, real. */
int64_t program_now(void);

/*** program-said.c, for program.c ***/

/* A frame of standard output. */
void program_said(struct program *, struct pb_span frame);

#endif
