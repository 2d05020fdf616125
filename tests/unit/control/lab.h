/* lab.h - what the control socket's tests share: a stand-in engine, a scratch folder, raw clients. */
#ifndef UNIT_CONTROL_LAB_H
#define UNIT_CONTROL_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/span.h"
#include "control/socket.h"
#include "dispatch/dispatch.h"

#define PATIENCE_MS 60000

/* The engine, as far as verbs know it. */
struct dispatch {
	atomic_uint reopened;
	int result;		/* of dispatch_status() */
	size_t lanes;		/* how many it has */
	const char *reason;	/* the last failure of its one instance */
	struct metrics *metrics;
};

void dispatch_reopen(struct dispatch *d)
{
	atomic_fetch_add(&d->reopened, 1);
}

void dispatch_read_begin(struct dispatch *d)
{
	(void)d;
}

void dispatch_read_end(struct dispatch *d)
{
	(void)d;
}

int dispatch_status(struct dispatch *d, struct status *st)
{
	*st = (struct status){
		.taken_ms = 61000, .started_ms = 1000, .state_bytes = 4096, .unrouted = 7, .lost = 1,
		.journal = { .first_seq = 10, .next_seq = 52, .bytes = 8192, .segments = 2,
			     .damaged_blocks = 3 },
	};
	if (d->result != 0)
		return d->result;
	st->instances = xcalloc(1, sizeof *st->instances);
	st->instances[st->n_instances++] = (struct instance_status){
		.kind = CONFIG_SINK, .name = "team", .plugin = "webhook", .state = "down",
		.events = 5, .failures = 2, .in_flight = UINT64_MAX,
	};
	snprintf(st->instances[0].reason, sizeof st->instances[0].reason, "%s", d->reason);
	st->n_lanes = d->lanes;
	st->lanes = xcalloc(d->lanes + 1, sizeof *st->lanes);
	for (size_t i = 0; i < d->lanes; i++)
		st->lanes[i] = (struct lane_status){
			.route = "runs", .sink = "team", .watermark = i, .behind = 42 - i,
			.dead = 1, .oldest_ms = i == 0 ? -1 : 1500, .catching_up = i == 0,
		};
	return 0;
}

int dispatch_ages(struct dispatch *d, struct ages *ages)
{
	*ages = (struct ages){ .n = d->result == 0 ? 1 : 0, .lanes = xcalloc(1, sizeof *ages->lanes) };
	ages->lanes[0] = (struct lane_ages){
		.route = "runs", .sink = "team", .total = 7, .counts = { 3, [AGE_BUCKETS - 1] = 4 },
		.oldest_ms = 90000000, .sampled = true,
	};
	return d->result;
}

void ages_free(struct ages *ages)
{
	free(ages->lanes);
}

int64_t age_limit(unsigned i)
{
	return i + 1;
}

struct metrics *dispatch_metrics(struct dispatch *d)
{
	return d->metrics;
}

void status_free(struct status *st)
{
	free(st->instances);
	free(st->lanes);
	*st = (struct status){ 0 };
}

/* A new empty folder and the path of a socket in it; lab_end() removes both. */
struct lab {
	char folder[64], path[512];
};

static inline void lab_begin(struct lab *lab)
{
	snprintf(lab->folder, sizeof lab->folder, "/tmp/patchbay-control-XXXXXX");
	assert_non_null(mkdtemp(lab->folder));
	snprintf(lab->path, sizeof lab->path, "%s/control.sock", lab->folder);
}

static inline void lab_end(struct lab *lab)
{
	unlink(lab->path);
	assert_int_equal(rmdir(lab->folder), 0);
}

static inline int lab_connect(const struct lab *lab)
{
	int fd = socket_connect(lab->path);
	assert_true(fd >= 0);
	return fd;
}

/* Send all, as far as the other side takes it. */
static inline void lab_send(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len > 0) {
		struct pollfd polled = { .fd = fd, .events = POLLOUT };
		assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* Read until `lines` lines have come or the other side has hung up; `into` is a string then. The
 * number of bytes; hanging up counts as an end, however it is done. */
static inline size_t lab_read(int fd, char *into, size_t size, size_t lines)
{
	size_t len = 0;
	while (lines > 0 && len < size - 1) {
		struct pollfd polled = { .fd = fd, .events = POLLIN };
		assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
		ssize_t n = recv(fd, into + len, 1, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0 && into[len++] == '\n')
			lines--;
	}
	into[len] = '\0';
	return len;
}

/* Has the other side hung up, with nothing more to read? */
static inline void lab_expect_end(int fd)
{
	char rest[256];
	assert_int_equal(lab_read(fd, rest, sizeof rest, 1), 0);
}

#endif
