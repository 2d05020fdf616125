/* process.h - the process of an isolated section: begun, watched, ended. */
#ifndef PLUGIN_PROCESS_H
#define PLUGIN_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_FD 3		/* its end of the socket */
#define PROCESS_HOW_SIZE 96

/* Begin `program` with these arguments, in a process group of its own: standard input is empty, output goes where our standard error
 * does, PROCESS_FD is its end of a socket, whose other end, non-blocking, is *fd; nothing else is open, and of our environment only what
 * no secret is in, and the `variables`, which end in NULL. No signal is blocked. 0 or -errno. [any] */
int process_start(const char *program, char *const argv[], const char *const variables[], pid_t *pid, int *fd);
/* Wait up to `ms` for its end, and end what is left of its group. True: *status is as of waitpid(), and there is no such process any
 * more. [any, one at a time] */
bool process_wait(pid_t, int64_t ms, int *status);
/* It has ended, and is still to be waited for. [any] */
bool process_has_ended(pid_t);
/* SIGKILL to it and its group; process_wait() is still to come. [any] */
void process_kill(pid_t);
/* "was killed by SIGSEGV", "exited with status 3". */
void process_how(int status, char text[static PROCESS_HOW_SIZE]);

#endif
