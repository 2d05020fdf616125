/* streams.h - a program's three pipes: what is read of them and written to them without waiting. For program.c. */
#ifndef EXEC_STREAMS_H
#define EXEC_STREAMS_H

#include "exec/program.h"

enum program_stream {
	STREAM_IN,
	STREAM_OUT,
	STREAM_ERR,
	STREAM_END,	/* of the process */
	STREAM_TIMER
};

/* Do what can be done. True: the process has ended. */
bool streams_turn(struct program *);
/* Before waiting: watch what is of interest. */
void streams_rest(struct program *);
/* Watch for the end of the process that was just started. */
void streams_watch_end(struct program *);
/* The process has ended: take what it left in its pipes. */
void streams_drain(struct program *);
/* Watch nothing of it any more; before its descriptors are closed. */
void streams_forget(struct program *);
/* Standard input ends. */
void streams_close_in(struct program *);

#endif
