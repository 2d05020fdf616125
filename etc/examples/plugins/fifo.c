/*
 * fifo.c - a whole plugin: a source that makes an event of each line from a FIFO.
 *
 * Build and use it (plugin.h needs C11 or later, this file POSIX too):
 *
 *	cc -std=c17 -D_GNU_SOURCE -shared -fPIC $(pkg-config --cflags patchbay) -o fifo.so fifo.c
 *	install -m 755 fifo.so "$(pkg-config --variable=plugindir patchbay)"
 *
 *	[source lines]
 *	plugin = fifo
 *	path   = /run/lines
 *
 * It is the smallest honest source. A FIFO answers nobody and remembers nothing: lines that
 * are still in its buffer, or in here, when the daemon dies are gone. A line longer than the
 * buffer is dropped, and said so; an empty one is no event.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <patchbay/plugin.h>

struct fifo {
	struct pb_self *self;
	int fd;
	bool skipping;		/* the rest of a line that was too long */
	size_t have;
	char buf[65536];
};

static void *fifo_open(struct pb_self *self, struct pb_error *err)
{
	struct fifo *f = calloc(1, sizeof *f);
	if (f == NULL)
		return pb_error(err, NULL, "out of memory");
	f->self = self;
	/* For writing too, so that it never ends when its last writer leaves. */
	f->fd = open(pb_str(self, "path"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (f->fd >= 0 && fstat(f->fd, &st) == 0 && S_ISFIFO(st.st_mode))
		return f;
	pb_error(err, "path", "%s", f->fd < 0 ? strerror(errno) : "is not a FIFO");
	if (f->fd >= 0)
		close(f->fd);
	free(f);
	return NULL;
}

static void fifo_close(void *state)
{
	struct fifo *f = state;
	close(f->fd);
	free(f);
}

static void fifo_line(struct fifo *f, const char *line, size_t len)
{
	struct pb_event *ev = pb_event_new(f->self, (struct pb_span){ line, len });
	if (ev == NULL) {
		pb_log(f->self, PB_ERROR, "dropped a line: %s", strerror(errno));
		return;
	}
	int failed = pb_event_set(ev, "type", pb_str(f->self, "type"));
	if (failed == 0) {
		pb_emit(f->self, &ev, 1, NULL, NULL);	/* fails only while stopping */
		return;
	}
	pb_log(f->self, PB_ERROR, "dropped a line: its type: %s", strerror(-failed));
	pb_event_free(ev);
}

/* Emit every whole line; what is left moves to the front. */
static void fifo_lines(struct fifo *f)
{
	char *from = f->buf, *end;
	while ((end = memchr(from, '\n', (size_t)(f->buf + f->have - from))) != NULL) {
		if (!f->skipping && end > from)
			fifo_line(f, from, (size_t)(end - from));
		f->skipping = false;
		from = end + 1;
	}
	f->have -= (size_t)(from - f->buf);
	memmove(f->buf, from, f->have);
	if (f->have < sizeof f->buf)
		return;
	if (!f->skipping)
		pb_log(f->self, PB_WARN, "dropped a line longer than %zu bytes", sizeof f->buf);
	f->skipping = true;
	f->have = 0;
}

/* False when it cannot be read. */
static bool fifo_read(struct fifo *f)
{
	ssize_t n = read(f->fd, f->buf + f->have, sizeof f->buf - f->have);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		pb_log(f->self, PB_ERROR, "cannot read: %s", strerror(errno));
		return false;
	}
	if (n > 0)
		f->have += (size_t)n;
	fifo_lines(f);
	return true;
}

/* All that one turn read is on disk before pb_wait() sleeps. */
static int fifo_run(void *state)
{
	struct fifo *f = state;
	int ready;
	while ((ready = pb_wait(f->self, f->fd, -1)) >= 0)
		if (ready > 0 && !fifo_read(f))
			return -EIO;	/* the core calls again, after a pause */
	return 0;
}

static const struct pb_option options[] = {
	{ .name = "path", .type = PB_PATH, .help = "The FIFO to read." },
	{ .name = "type", .type = PB_STRING, .value = "line", .help = "The events' type." },
	{ 0 }
};

PB_PLUGIN(.name = "fifo", .version = "1", .summary = "Lines from a FIFO",
	  .source = PB_SOURCE(.options = options, .open = fifo_open, .close = fifo_close,
			      .run = fifo_run));
