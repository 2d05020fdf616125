/*
 * child.h - one process: started with nothing of the daemon's, ended with all that it started.
 *
 * It has a session and a process group of its own, signals as they are by default, and no descriptor but its standard
 * streams, which are pipes. The kernel ends it when the thread that started it ends (PR_SET_PDEATHSIG goes by threads), so that
 * thread must outlive it. What it started itself is ended with its group; what has left the group is not.
 */
#ifndef EXEC_CHILD_H
#define EXEC_CHILD_H

#include <sys/types.h>

#include "exec/settings.h"

struct child {
	pid_t pid;		/* 0: there is none */
	int pidfd;		/* readable once it has ended; -1 on a kernel without them */
	int in, out, err;	/* our ends, non-blocking; -1: closed */
};

/* Start it, with `more` variables (ends in NULL, or NULL) beside those of the settings. 0, or -errno after saying in `why` what
 * could not be done. */
int child_start(struct child *, const struct settings *, char *const more[], char *why, size_t size);
/* To the whole group. */
void child_signal(const struct child *, int signal);
/* Has it ended? It is not reaped yet, so that its number is nobody else's. */
bool child_has_ended(const struct child *);
/* What is left of its group is killed, and it is reaped: the wait status. Only when it has ended, or will at once. */
int child_reap(struct child *);
/* Close one of our ends. */
void child_close(int *fd);
/* "exited with 3", "was ended by SIGKILL". */
void child_tell(int status, char *text, size_t size);

#endif
