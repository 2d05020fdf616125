/*
 * peer.h - an HTTP receiver that behaves as the path of a request says.
 *
 * A thread a connection, on a free port of 127.0.0.1. Requests are kept for the test.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <stddef.h>
#include <stdint.h>

struct peer;

struct peer *peer_new(void);
void peer_free(struct peer *);
int peer_port(const struct peer *);
/* How many requests came in whole. */
unsigned peer_requests(struct peer *);
/* How many connections were accepted. */
unsigned peer_connections(struct peer *);
/* The last request, header and body, valid until the next; NUL-terminated. */
const char *peer_last(struct peer *, size_t *len);

/*
 * Paths:
 *   /status/NNN       that status, with an empty body
 *   /body/N           200 and N bytes
 *   /raw/NAME         what peer.c's table has under that name
 *   /silent           reads, never answers
 *   /deaf             does not even read
 *   /reset            reads, then resets
 *   /close            reads, then closes
 *   /drip             200, then a byte of an endless header every 20 ms
 *   /endless-body     200 and a body without end
 *   /slow-body        200 and a body of a byte every 20 ms
 *   /endless-header   200 and a header without end
 *   /endless-100      100 Continue without end
 */

#endif
