/*
 * transport.h - how messages reach a syslog daemon: a Unix socket or UDP.
 *
 * Syslog answers nothing: a message is sent when the kernel has taken it. A receiver
 * that dies with messages in its socket loses them, and UDP may lose any. All that UDP
 * can tell is that nobody listens: the first datagram after connecting waits a moment
 * for that.
 */
#ifndef SYSLOG_TRANSPORT_H
#define SYSLOG_TRANSPORT_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define TRANSPORT_BATCH 64	/* messages sent at once */

struct target {
	bool local;
	char path[sizeof ((struct sockaddr_un *)NULL)->sun_path];
	char host[NI_MAXHOST], port[NI_MAXSERV];
};

/* unix:/PATH, udp:HOST:PORT or udp:[V6]:PORT. NULL, or what is wrong with it. */
const char *target_parse(const char *text, struct target *);

struct transport {
	const struct target *target;
	int64_t timeout;	/* ms that sending may take */
	int fd;			/* -1: not connected */
	bool stream;
	bool fresh;		/* UDP: nobody has refused or been sent anything yet */
	char error[160];	/* why the last call failed */
};

/* Connects nothing yet; the target must stay. `timeout` in ms. */
void transport_init(struct transport *, const struct target *, int64_t timeout);
/* Hang up; the next send connects again. */
void transport_close(struct transport *);
/* Send `n` (up to TRANSPORT_BATCH) messages, the i-th being data[ends[i - 1]..ends[i]),
 * each ending in a newline that only a stream socket is given. Connects if need be, and
 * again, once, after a failure. How many were taken; fewer than `n`: transport->error
 * says why, -EMSGSIZE in *error that the next one is larger than the socket takes. */
size_t transport_send(struct transport *, const char *data, const size_t ends[], size_t n,
		      int *error);

#endif
