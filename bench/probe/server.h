/*
 * server.h - a receiver for measuring: HTTP/1.1 on every address of this machine, one thread, epoll, no more than patchbay's POSTs need.
 *
 * A request whose path begins with /hang is never answered, with /500 the answer is a 500, else a 204.
 */
#ifndef BENCH_PROBE_SERVER_H
#define BENCH_PROBE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct server;

/* Listen; `take` is called with each body that came in whole, on the thread that runs the server. */
struct server *server_new(int port, void (*take)(void *arg, const char *body, size_t len), void *arg);
/* Take and answer what is there, waiting up to `ms` for something. */
void server_turn(struct server *, int ms);

/* Say what cannot be done, and why by errno, and end the process. */
_Noreturn void probe_fail(const char *what);
/* Monotonic µs. */
double probe_now(void);
/* A socket: listening, or connected to 127.0.0.1. */
int probe_listen(int port);
int probe_connect(int port);

#endif
