/* peer.h - who sends: an address, or a process. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include "http/server.h"

/* Who it is: "192.0.2.1:5", "[2001:db8::1]:5", "process 7 of user 0" at a Unix socket; NULL: nobody known. */
void peer_text(const struct client *, char *text, size_t size);
/* The same without the port, for all that the connection brings: "192.0.2.1", "[2001:db8::1]". */
const char *peer_sender(struct client *);

#endif
