/*
 * peer.h - a process that stands where an isolated section's belongs, and does what no such process does.
 *
 * A test is its own `isolated` program: its main() hands over to this when it is started as one. What it does is the
 * section's name.
 */
#ifndef UNIT_DISPATCH_PEER_H
#define UNIT_DISPATCH_PEER_H

#include <stdbool.h>

#define PEER_REPEATS 20000	/* events of the source `repeats`, in one commit */

/* Is this process to be a peer? */
bool peer_wanted(int argc, char *const argv[]);
/* Be the peer of `title`, "sink garbage". */
int peer_run(const char *title);

#endif
