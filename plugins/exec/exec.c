/*
 * exec: runs a program as a source, a filter or a sink. It speaks doc/exec-protocol.md over its standard
 * streams, or in plain mode prints lines, or gets an event and exits. Options and the descriptor.
 *
 * Promises: what a program emitted and has a receipt for is on disk; a delivery ends only by its answer, and what it had
 * when it died is tried again; what it does wrong, however, ends the program and nothing else, and it is
 * started again. Nothing that it starts outlives it, unless it leaves its process group.
 *
 *	source.c, sink.c, filter.c	the three kinds; sink-talk.c and sink-plain.c the two ways to be a sink
 *	program.c			a program that is kept running; streams.c its pipes, program-said.c its words
 *	message.c			the protocol's messages, upon common/wire.h
 *	process.c, plain.c		a process for one piece of work
 *	child.c, settings.c		how a process begins and ends
 */
#include <config.h>

#include "exec/kinds.h"
#include "exec/settings.h"

#define PROGRAM								\
	{ .name = "command", .type = PB_LIST,				\
	  .help = "The program, and its arguments behind it; no shell reads them. A name without / is looked for " \
		  "in PATH." },						\
	{ .name = "format", .type = PB_CHOICE, .value = "json", .choices = "json msgpack plain", \
	  .help = "How it is spoken with: the messages of exec-protocol.md as lines of JSON or frames of msgpack; or plain, " \
		  "for a program that knows nothing of them." }

#define ENVIRONMENT							\
	{ .name = "options", .type = PB_LIST, .value = "",		\
	  .help = "What the program itself is told, NAME=value each: in its first message, or if it is plain as " \
		  "PATCHBAY_OPTION_NAME in its environment." },		\
	{ .name = "environment", .type = PB_LIST, .value = "PATH, LANG, LC_ALL, TZ, HOME", \
	  .help = "The only environment variables that it has: NAME, as the daemon's, or NAME=value." }, \
	{ .name = "directory", .type = PB_PATH, .value = "/", .help = "Its working directory." }, \
	{ .name = "user", .type = PB_STRING, .value = "",		\
	  .help = "The user whose rights it has, with that user's groups; unset, the daemon's. Only for a daemon that runs as root." }

#define LIMITS								\
	{ .name = "memory", .type = PB_SIZE, .value = "1GiB", .min = 0, .max = INT64_MAX, \
	  .help = "The most data that each of its processes may have (RLIMIT_DATA: heap and private memory, not " \
		  "what is only reserved); past it an allocation fails. 1MiB or more; 0 is no limit." }, \
	{ .name = "cpu_time", .type = PB_DURATION, .value = "0", .min = 0, .max = INT64_C(3650) * 86400000, \
	  .help = "Processor time after which a process of it gets SIGXCPU, in whole seconds (RLIMIT_CPU). 0 is no limit." }, \
	{ .name = "open_files", .type = PB_INT, .value = "1024", .min = 16, .max = 1048576, \
	  .help = "How many files each of its processes may have open (RLIMIT_NOFILE)." }

#define LIFE								\
	{ .name = "start_timeout", .type = PB_DURATION, .value = "10s", .min = 1, .max = 3600000, \
	  .help = "How long it may take to say that it is ready; the daemon's start and a reload wait for it." }, \
	{ .name = "stop_timeout", .type = PB_DURATION, .value = "3s", .min = 1, .max = 3600000, \
	  .help = "How long it may take to exit after `stop`; then its process group gets SIGTERM." }, \
	{ .name = "kill_timeout", .type = PB_DURATION, .value = "2s", .min = 1, .max = 3600000, \
	  .help = "How long it may take to exit after SIGTERM; then its process group gets SIGKILL." }, \
	{ .name = "restart_pause", .type = PB_DURATION, .value = "1s", .min = 1, .max = 86400000, \
	  .help = "How long after its end it is started again; a plain source's period. Each failure in a row doubles it." }, \
	{ .name = "restart_max_pause", .type = PB_DURATION, .value = "1m", .min = 1, .max = 86400000, \
	  .help = "The longest pause before it is started again; one that ran so long begins anew with the shortest." }, \
	{ .name = "max_restarts", .type = PB_INT, .value = "0", .min = 0, .max = 1000000, \
	  .help = "After so many restarts in a row that failed it is left alone until the daemon is reloaded with another " \
		  "configuration of it, or restarted; 0 is never." }

static const struct pb_option source_options[] = {
	PROGRAM,
	{ .name = "type", .type = PB_STRING, .value = "event",
	  .help = "The type of events that the program gives none, and of lines." },
	{ .name = "max_unsettled", .type = PB_INT, .value = "1024", .min = 1, .max = 1000000,
	  .help = "How many `emit`s may wait for their receipt before no more are read." },
	{ .name = "timeout", .type = PB_DURATION, .value = "20s", .min = 1, .max = 86400000,
	  .help = "How long it may leave unread what it is sent; then it is ended and started again." },
	ENVIRONMENT, LIMITS, LIFE, { 0 }
};

static const struct pb_option filter_options[] = {
	PROGRAM,
	{ .name = "timeout", .type = PB_DURATION, .value = "20s", .min = 1, .max = 86400000,
	  .help = "How long it may take over an event; then it is ended and started again, and the event tried again." },
	ENVIRONMENT, LIMITS, LIFE, { 0 }
};

static const struct pb_option sink_options[] = {
	PROGRAM,
	{ .name = "input", .type = PB_CHOICE, .value = "event", .choices = "event body",
	  .help = "What a plain program reads: a CloudEvents 1.0 JSON object a line, or the body alone." },
	{ .name = "batch", .type = PB_INT, .value = "1", .min = 1, .max = 1024,
	  .help = "How many events one process of a plain program gets; its exit status is the answer to all." },
	ENVIRONMENT, LIMITS, LIFE, { 0 }
};

PB_PLUGIN(.name = "exec", .version = PACKAGE_VERSION,
	  .summary = "Runs a program in any language as a source, filter or sink",
	  .source = PB_SOURCE(.options = source_options, .check = source_check, .open = source_open,
			      .close = source_close, .run = source_run, .settled = source_settled,
			      .reopen = source_reopen),
	  .filter = PB_FILTER(.options = filter_options, .check = settings_check, .open = filter_open,
			      .close = filter_close, .apply = filter_apply),
	  .sink = PB_SINK(.options = sink_options, .check = sink_check, .open = sink_open, .close = sink_close,
			  .submit = sink_submit, .stop = sink_stop, .reopen = sink_reopen, .max_batch = 1024));
