/*
 * probe.c - events by the clock: how long until they are accepted, and until they are delivered?
 *
 *	probe rate SEND_PORT PORT RATE SECONDS SIZE	RATE events a second go to SEND_PORT and come back to PORT
 *	probe count PORT COUNT				how fast do COUNT events come in, once a tenth has?
 *	probe serve PORT				a receiver: server.h says what it answers
 *	probe sync FOLDER				how long does an fdatasync of 1 KiB take?
 *
 * Prints a line of JSON, times in microseconds. An event that was due while no connection was free counts
 * from when it was due.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/server.h"

#define CONNECTIONS 64
#define SYNCS 300
#define PATIENCE 10e6		/* µs for the last ones to arrive */

/* What is known of one event: when it was due, accepted, delivered; 0: not yet. */
struct times {
	double due, accepted;
	_Atomic double arrived;
};

struct probe {
	struct times *times;
	size_t n, next, answered;
	double period;			/* µs */
	size_t size;
	int fds[CONNECTIONS];
	long of[CONNECTIONS];		/* the event that is under way on it, -1: none */
	struct server *server;
	atomic_size_t arrived;
	_Atomic bool end;
	size_t count;			/* probe count */
	double first;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_spread(const char *name, double *values, size_t n)
{
	qsort(values, n, sizeof *values, compare);
	if (n > 0)
		printf("\"%s\": {\"n\": %zu, \"p50\": %.0f, \"p99\": %.0f, \"max\": %.0f}", name, n,
		       values[n / 2], values[n * 99 / 100], values[n - 1]);
	else
		printf("\"%s\": {\"n\": 0}", name);
}

static double *new_values(size_t n)
{
	double *values = calloc(n + 1, sizeof *values);
	if (values == NULL)
		probe_fail("memory");
	return values;
}

/*** probe rate ***/

static void take_event(void *arg, const char *body, size_t len)
{
	struct probe *p = arg;
	const char *at = len > 5 ? strstr(body, "\"n\":") : NULL;
	size_t n = at != NULL ? strtoul(at + 4, NULL, 10) : SIZE_MAX;
	if (n >= p->n || p->times[n].arrived != 0)
		return;
	p->times[n].arrived = probe_now();
	atomic_fetch_add(&p->arrived, 1);
}

static void *receive(void *arg)
{
	struct probe *p = arg;
	while (!p->end)
		server_turn(p->server, 100);
	return NULL;
}

static void send_event(struct probe *p, size_t on)
{
	char text[8192], body[4096];
	int len = snprintf(body, sizeof body, "{\"event\":\"probe\",\"n\":%zu,\"pad\":\"", p->next);
	for (; (size_t)len + 2 < p->size && (size_t)len + 3 < sizeof body; len++)
		body[len] = 'x';
	len += snprintf(body + len, sizeof body - (size_t)len, "\"}");
	int all = snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: probe\r\nContent-Type: application/json\r\n"
			   "Content-Length: %d\r\n\r\n%s", len, body);
	if (send(p->fds[on], text, (size_t)all, MSG_NOSIGNAL) != all)
		probe_fail("send");
	p->of[on] = (long)p->next++;
}

static void take_answer(struct probe *p, size_t on)
{
	char text[4096];
	ssize_t got = recv(p->fds[on], text, sizeof text - 1, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || p->of[on] < 0)
		probe_fail("patchbay's answer");
	text[got] = '\0';
	if (strncmp(text, "HTTP/1.1 202", 12) != 0 || strstr(text, "\r\n\r\n") == NULL) {
		fprintf(stderr, "probe: refused: %s\n", text);
		exit(1);
	}
	p->times[p->of[on]].accepted = probe_now();
	p->of[on] = -1;
	p->answered++;
}

/* Send what is due, as far as connections are free; how long until the next is, ms. */
static int send_due(struct probe *p, double began)
{
	double now = probe_now();
	for (size_t on = 0; on < CONNECTIONS && p->next < p->n; on++) {
		double due = began + (double)p->next * p->period;
		if (due > now)
			return (int)((due - now) / 1000);
		if (p->of[on] >= 0)
			continue;
		p->times[p->next].due = due;
		send_event(p, on);
	}
	return p->next < p->n ? 1 : 100;
}

static void send_all(struct probe *p, int send_port)
{
	struct epoll_event event = { .events = EPOLLIN }, events[CONNECTIONS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		event.data.u32 = (uint32_t)i;
		p->fds[i] = probe_connect(send_port);
		p->of[i] = -1;
		epoll_ctl(epoll, EPOLL_CTL_ADD, p->fds[i], &event);
	}
	double began = probe_now();
	while (p->answered < p->n) {
		int n = epoll_wait(epoll, events, CONNECTIONS, send_due(p, began));
		for (int i = 0; i < n; i++)
			take_answer(p, events[i].data.u32);
	}
	close(epoll);
}

static void report_rate(const struct probe *p, size_t from)
{
	double *accept = new_values(p->n), *deliver = new_values(p->n);
	size_t n = 0;
	for (size_t i = from; i < p->n; i++) {
		accept[i - from] = p->times[i].accepted - p->times[i].due;
		if (p->times[i].arrived != 0)
			deliver[n++] = p->times[i].arrived - p->times[i].due;
	}
	printf("{\"sent\": %zu, ", p->n);
	print_spread("accepted", accept, p->n - from);
	printf(", ");
	print_spread("delivered", deliver, n);
	printf("}\n");
	free(accept);
	free(deliver);
}

static int rate(char *args[])
{
	static struct probe p;
	pthread_t receiver;
	double per_second = strtod(args[2], NULL);
	p.n = (size_t)(per_second * strtod(args[3], NULL));
	p.period = 1e6 / per_second;
	p.size = strtoul(args[4], NULL, 10);
	p.times = calloc(p.n + 1, sizeof *p.times);
	p.server = server_new(atoi(args[1]), take_event, &p);
	if (p.times == NULL || pthread_create(&receiver, NULL, receive, &p) != 0)
		probe_fail("probe");
	send_all(&p, atoi(args[0]));
	for (double end = probe_now() + PATIENCE; p.arrived < p.n && probe_now() < end; )
		usleep(10000);
	p.end = true;
	pthread_join(receiver, NULL);
	report_rate(&p, p.n / 10);	/* the first make connections */
	free(p.times);
	return 0;
}

/*** The others. ***/

static void count_event(void *arg, const char *body, size_t len)
{
	struct probe *p = arg;
	(void)body;
	(void)len;
	if (++p->n == p->count / 10 + 1)
		p->first = probe_now();
}

static int count(char *args[])
{
	struct probe p = { .count = strtoul(args[1], NULL, 10) };
	struct server *s = server_new(atoi(args[0]), count_event, &p);
	while (p.n < p.count)
		server_turn(s, 1000);
	printf("{\"n\": %zu, \"us\": %.3f}\n", p.n,
	       (probe_now() - p.first) / (double)(p.n - p.count / 10 - 1));
	return 0;
}

static void drop_event(void *arg, const char *body, size_t len)
{
	(void)arg;
	(void)body;
	(void)len;
}

static int serve(char *args[])
{
	struct server *s = server_new(atoi(args[0]), drop_event, NULL);
	for (pid_t parent = getppid(); getppid() == parent; )
		server_turn(s, 1000);
	return 0;
}

static int sync_folder(char *args[])
{
	static const char block[1024];
	char path[4096];
	snprintf(path, sizeof path, "%s/probe.sync", args[0]);
	double *took = new_values(SYNCS);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (size_t i = 0; i < SYNCS; i++) {
		double began = probe_now();
		if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd) != 0)
			probe_fail(path);
		took[i] = probe_now() - began;
	}
	printf("{");
	print_spread("fdatasync", took, SYNCS);
	printf("}\n");
	unlink(path);
	close(fd);
	free(took);
	return 0;
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char *args[]);
	} modes[] = { { "rate", 5, rate }, { "count", 2, count }, { "serve", 1, serve }, { "sync", 1, sync_folder } };
	for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0 && argc == modes[i].args + 2)
			return modes[i].run(argv + 2);
	fprintf(stderr, "usage: probe rate SEND_PORT PORT RATE SECONDS SIZE | count PORT COUNT | serve PORT | sync FOLDER\n");
	return 2;
}
