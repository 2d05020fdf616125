/* process.h - a process for one piece of work: input, output, exit status. For the plain mode. */
#ifndef EXEC_PROCESS_H
#define EXEC_PROCESS_H

#include "exec/settings.h"

struct process {
	const struct settings *settings;
	struct pb_self *self;		/* whose log standard error goes to */
	char *const *environment;	/* beside the settings' own, ends in NULL */
	struct pb_span input;
	size_t max_output;		/* bytes that are kept; the rest is read and passed over */
	int stop_fd;			/* readable: end it; -1: there is none */
	bool (*stops)(void *arg);	/* then: is it so? */
	void *arg;
};

enum process_end {
	PROCESS_EXITED,		/* status is its wait status */
	PROCESS_LATE,		/* it was ended after the settings' timeout */
	PROCESS_STOPPED,	/* it was ended because of stop_fd */
	PROCESS_NONE		/* it could not be started; `why` */
};

struct process_result {
	enum process_end end;
	int status;
	struct pb_bytes output;	/* the caller's to free */
	bool cut;		/* there was more */
	char why[256];		/* "exited with 3", one line */
};

/* Run it to its end. Blocks, at most for the timeout and kill_timeout. */
void process_run(const struct process *, struct process_result *);

#endif
