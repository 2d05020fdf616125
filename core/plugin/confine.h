/*
 * confine.h - what the process of an isolated section may not do.
 *
 * It keeps the daemon's user and sees the same files: it guards against a plugin's faults, and takes what an attacker who has taken
 * over a plugin would reach for next.
 */
#ifndef PLUGIN_CONFINE_H
#define PLUGIN_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* Die with the daemon, whose process `parent` is, and never get more rights. Main thread, first of all. 0 or -errno: it is gone. */
int confine_begin(int64_t parent);
/* At most `memory` bytes of data and `files` descriptors; 0: as the daemon may. 0 or -errno. */
int confine_limits(int64_t memory, int64_t files);
/* Refuse (EPERM, and one line in the log) what no plugin needs; `execs`: it may start programs. For this process and all threads
 * that it starts from now on. 0 or -errno. */
int confine_calls(bool execs);

#endif
