/* bad_source.c - a source that answers its senders, a line each over TCP, and has one fault. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "conform/fault.h"

#define HOARD (8 << 20)
#define DAWDLE 2000		/* ms */

struct bad {
	struct pb_self *self;
	int listener;
	unsigned taken;
	bool reopened;
	struct hoard *hoard;
};

struct hoard {
	struct hoard *next;
	char bytes[HOARD];
};

static void *bad_open(struct pb_self *self, struct pb_error *err)
{
	struct bad *b = calloc(1, sizeof *b);
	if (b == NULL)
		return pb_error(err, NULL, "out of memory");
	b->self = self;
	b->listener = pb_listen(self, "listen", 0, err);
	if (b->listener >= 0)
		return b;
	free(b);
	return NULL;
}

static void bad_close(void *state)
{
	struct bad *b = state;
	while (b->hoard != NULL) {
		struct hoard *h = b->hoard;
		b->hoard = h->next;
		free(h);
	}
	free(b);
}

static void answer(int fd, const char *word)
{
	if (send(fd, word, strlen(word), MSG_NOSIGNAL) < 0)
		(void)errno;	/* it has gone */
	close(fd);
}

static void keep_more(struct bad *b)
{
	struct hoard *h = malloc(sizeof *h);
	if (h == NULL)
		abort();
	memset(h->bytes, 1, sizeof h->bytes);
	h->next = b->hoard;
	b->hoard = h;
}

static void bad_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct bad *b = state;
	bool stored = pb_receipt_outcome(receipt) == PB_ACCEPTED;
	if (!stored && has_fault(b->self, "hoards"))
		keep_more(b);
	if (has_fault(b->self, "early"))
		return;
	answer((int)(intptr_t)token, stored || has_fault(b->self, "yes") ? "yes\n" : "no\n");
}

static struct pb_event *make(struct bad *b, const char *line, size_t len)
{
	struct pb_event *ev = pb_event_new(b->self, (struct pb_span){ line, len });
	if (ev == NULL && has_fault(b->self, "no-memory"))
		*(volatile char *)NULL = 0;
	if (ev != NULL && pb_event_set(ev, "type", "line") == 0)
		return ev;
	if (ev != NULL)
		pb_event_free(ev);
	return NULL;
}

static void take(struct bad *b, int fd)
{
	char line[256];
	ssize_t len = recv(fd, line, sizeof line, 0);
	struct pb_event *ev = len > 0 && !has_fault(b->self, "silent-feed") ? make(b, line, (size_t)len) : NULL;
	if (ev == NULL) {
		answer(fd, "no\n");
		return;
	}
	b->taken++;
	if (has_fault(b->self, "early"))
		answer(fd, "yes\n");
	if (pb_emit(b->self, &ev, 1, NULL, (void *)(intptr_t)fd) < 0 && !has_fault(b->self, "early"))
		answer(fd, "no\n");
}

static void accept_one(struct bad *b)
{
	const struct timeval limit = { .tv_sec = 1 };
	int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	take(b, fd);
}

/* A loop of its own, which commits only when it is woken. */
static int run_without_commit(struct bad *b)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = b->listener, .events = POLLIN }, { .fd = pb_wake_fd(b->self), .events = POLLIN },
		};
		poll(fds, 2, -1);
		if (fds[0].revents != 0)
			accept_one(b);
		if (fds[1].revents != 0 && pb_wait(b->self, -1, 0) < 0)
			return 0;
	}
}

static int bad_run(void *state)
{
	struct bad *b = state;
	int ready = 0;
	if (has_fault(b->self, "no-commit"))
		return run_without_commit(b);
	while (ready >= 0) {
		ready = pb_wait(b->self, b->listener, -1);
		if (ready > 0)
			accept_one(b);
		if (has_fault(b->self, "reopen") && b->reopened)
			return -EIO;
	}
	if (has_fault(b->self, "late-stop") && b->taken == 0)
		poll(NULL, 0, DAWDLE);
	return has_fault(b->self, "returns") ? -EIO : 0;
}

static void bad_reopen(void *state)
{
	((struct bad *)state)->reopened = true;
}

static const struct pb_option options[] = {
	FAULT_OPTIONS,
	{ .name = "listen", .type = PB_ADDRESS, .value = "127.0.0.1:0", .help = "Where it listens." },
	{ 0 }
};

PB_PLUGIN(.name = "bad_source", .version = "1", .summary = "A source that answers, with a fault",
	  .source = PB_SOURCE(.options = options, .open = bad_open, .close = bad_close, .run = bad_run,
			      .settled = bad_settled, .may_refuse = true, .reopen = bad_reopen));
