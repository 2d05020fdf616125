/* bad_tail.c - a source that remembers how far it has read a file, and has one fault. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "conform/fault.h"

#define LOOK 5			/* ms */
#define DAWDLE 2000		/* ms */
#define LONG_COMMIT 20		/* ms */

struct bad {
	struct pb_self *self;
	int fd;
	off_t at;
};

static void *bad_open(struct pb_self *self, struct pb_error *err)
{
	struct bad *b = calloc(1, sizeof *b);
	if (b == NULL)
		return pb_error(err, NULL, "out of memory");
	b->self = self;
	b->fd = open(pb_str(self, "path"), O_RDONLY | O_CLOEXEC);
	if (b->fd < 0) {
		pb_error(err, "path", "%s", strerror(errno));
		free(b);
		return NULL;
	}
	if (has_fault(self, "loses"))
		b->at = lseek(b->fd, 0, SEEK_END);
	else if (!has_fault(self, "forgets") && pb_restore(self, "at", &b->at, sizeof b->at) < 0)
		b->at = 0;
	return b;
}

static void bad_close(void *state)
{
	struct bad *b = state;
	close(b->fd);
	free(b);
}

/* Emit the line at the place where it is; false when there is no whole one. */
static bool emit_line(struct bad *b)
{
	char line[256];
	ssize_t n = pread(b->fd, line, sizeof line, b->at);
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	if (end == NULL)
		return false;
	struct pb_event *ev = pb_event_new(b->self, (struct pb_span){ line, (size_t)(end - line) });
	if (ev == NULL || pb_event_set(ev, "type", "line") < 0) {
		if (ev != NULL)
			pb_event_free(ev);
		return false;	/* tried again */
	}
	b->at += end + 1 - line;
	const struct pb_mark mark = { "at", { &b->at, sizeof b->at } };
	return pb_emit(b->self, &ev, 1, &mark, NULL) == 0;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int bad_run(void *state)
{
	struct bad *b = state;
	int ready;
	do {
		bool some = false;
		while (emit_line(b))
			some = true;
		int64_t begin = now_ms();
		int committed = pb_commit(b->self);
		if (has_fault(b->self, "late-when-full") && committed == -ECANCELED && some)
			poll(NULL, 0, DAWDLE);
		if (has_fault(b->self, "late-after-commit") && now_ms() - begin > LONG_COMMIT &&
		    committed == 0 && pb_stopping(b->self))
			poll(NULL, 0, DAWDLE);
		ready = pb_wait(b->self, -1, LOOK);
	} while (ready >= 0);
	return 0;
}

static const struct pb_option options[] = {
	FAULT_OPTIONS,
	{ .name = "path", .type = PB_PATH, .help = "The file." },
	{ 0 }
};

PB_PLUGIN(.name = "bad_tail", .version = "1", .summary = "A source that remembers, with a fault",
	  .source = PB_SOURCE(.options = options, .open = bad_open, .close = bad_close, .run = bad_run));
