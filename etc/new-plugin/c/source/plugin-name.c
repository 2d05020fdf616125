/*
 * plugin-name - a source for patchbay: each line that is appended to a file is an event.
 *
 * It is whole, works, and is meant to be changed: put what you take in into the place of the
 * file. What a source has to see to, and where that is here:
 *
 * Options        a table, at the end. The core reads the section, refuses what is wrong at its
 *                line, and explains it all in `patchbay plugins plugin-name`.
 * Safe or not    nothing is on disk when pb_emit() returns. pb_wait() commits what was emitted
 *                and says what became of it, by plugin_name_settled().
 * Mark           how far the file was read is handed over with each line and stored in the same
 *                commit, all or none: after a crash no line comes twice and none is left out.
 * Back-pressure  when the store has no room, pb_wait() and pb_emit() do not return: this thread
 *                stands, and the lines wait in the file.
 * Stop           pb_wait() says -ECANCELED when all is settled; before that, nothing new is read.
 *
 * What it cannot see is a file that was replaced by one that is not shorter: it is for a file
 * that is only appended to.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <patchbay/plugin.h>

static const char mark_key[] = "position";

/* One section's. There is nothing else: no variable outlives or is shared by sections. */
struct plugin_name_source {
	struct pb_self *self;
	struct pb_metric *lines, *dropped;
	int64_t position;	/* in the file: what is before it was emitted */
	bool skipping;		/* `position` is within a line that is too long */
	bool lost;		/* something was not stored: back to the mark */
	size_t room;
	char buf[];
};

/* What the table cannot say. No side effects: `patchbay check` calls it too. */
static void plugin_name_check(struct pb_self *self, struct pb_error *err)
{
	if (pb_str(self, "type")[0] == '\0')
		pb_error(err, "type", "must not be empty: routes match on it");
}

static void *plugin_name_open(struct pb_self *self, struct pb_error *err)
{
	size_t room = pb_max_event(self) + 1;	/* the longest line that can be an event, and its end */
	struct plugin_name_source *s = calloc(1, sizeof *s + room);
	if (s == NULL)
		return pb_error(err, NULL, "out of memory");
	s->self = self;
	s->room = room;
	s->lines = pb_counter(self, "lines", "Lines that are on disk as events.");
	s->dropped = pb_counter(self, "dropped", "Lines that were too long for an event.");
	return s;
}

static void plugin_name_close(void *state)
{
	free(state);
}

/* Begin where the last commit was: at the first start, after a crash, after what was not stored. */
static int plugin_name_begin(struct plugin_name_source *s)
{
	char text[24];
	int len = pb_restore(s->self, mark_key, text, sizeof text - 1);
	if (len < 0 && len != -ENOENT) {
		pb_log(s->self, PB_ERROR, "the mark cannot be read: %s", strerror(-len));
		return len;
	}
	text[len > 0 ? len : 0] = '\0';
	s->position = strtoimax(text, NULL, 10);
	s->skipping = s->lost = false;
	return 0;
}

/* Hand over a line that ends before `end` in the file. 0, -ECANCELED when stopping, or why not. */
static int plugin_name_emit(struct plugin_name_source *s, struct pb_span line, int64_t end)
{
	struct pb_event *ev = pb_event_new(s->self, line);
	if (ev == NULL)
		return -errno;
	int failed = pb_event_set(ev, "type", pb_str(s->self, "type"));
	if (failed < 0) {
		pb_event_free(ev);	/* ours, as long as it was not handed over */
		return failed;
	}
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRId64, end);
	struct pb_mark mark = { .key = mark_key, .value = { text, (size_t)len } };
	failed = pb_emit(s->self, &ev, 1, &mark, NULL);		/* theirs from here, in every case */
	return s->lost ? -EIO : failed;		/* no line may follow one that was not stored */
}

/* Emit the whole lines of the `n` bytes that stand at `position`, which moves behind them. */
static int plugin_name_lines(struct plugin_name_source *s, size_t n)
{
	const char *from = s->buf, *to = s->buf + n, *end;
	int failed = 0;
	while (failed == 0 && (end = memchr(from, '\n', (size_t)(to - from))) != NULL) {
		size_t len = (size_t)(end - from);
		int64_t behind = s->position + (int64_t)len + 1;
		if (!s->skipping && len > 0)	/* an empty line is no event */
			failed = plugin_name_emit(s, (struct pb_span){ from, len }, behind);
		if (failed == 0) {
			s->position = behind;
			s->skipping = false;
			from = end + 1;
		}
	}
	if (failed == 0 && from == s->buf && n == s->room) {
		if (!s->skipping) {
			pb_add(s->dropped, 1);
			pb_log(s->self, PB_WARN, "dropped a line longer than %zu bytes", s->room - 1);
		}
		s->skipping = true;
		s->position += (int64_t)n;
	}
	return failed;
}

/* Emit all lines that are in the open file. 0, -ECANCELED, or what went wrong. */
static int plugin_name_take(struct plugin_name_source *s, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < s->position) {
		pb_log(s->self, PB_WARN, "the file is shorter than it was: read from its start");
		s->position = 0;
		s->skipping = false;
	}
	int failed = 0;
	int64_t before = -1;
	while (failed == 0 && s->position != before) {
		before = s->position;
		ssize_t n = pread(fd, s->buf, s->room, s->position);
		failed = n < 0 ? -errno : plugin_name_lines(s, (size_t)n);
	}
	return failed;
}

/* One turn. What fails now is tried again in the next. */
static void plugin_name_turn(struct plugin_name_source *s)
{
	int fd = open(pb_str(s->self, "path"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int failed = fd >= 0 ? plugin_name_take(s, fd) : -errno;
	if (fd >= 0)
		close(fd);
	/* It may not be there yet; pb_wait() says that it is time to stop; settled() spoke. */
	if (failed < 0 && failed != -ENOENT && failed != -ECANCELED && !s->lost)
		pb_log(s->self, PB_ERROR, "%s: %s", pb_str(s->self, "path"), strerror(-failed));
}

/* On a thread of its own, until it is asked to stop. One that returns sooner is called again, after
 * a pause that grows: so all begins anew from the mark when something was not stored. */
static int plugin_name_run(void *state)
{
	struct plugin_name_source *s = state;
	int failed = plugin_name_begin(s);
	while (failed == 0) {
		if (!pb_stopping(s->self))
			plugin_name_turn(s);
		if (pb_wait(s->self, -1, s->lost ? 0 : pb_int(s->self, "interval")) < 0)
			return 0;
		failed = s->lost ? -EIO : 0;
	}
	return failed;
}

/* Called within pb_wait() or pb_emit(), once for each pb_emit() that was taken, with its token. A
 * source that has somebody to answer does that here, and not before. */
static void plugin_name_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct plugin_name_source *s = state;
	(void)token;
	if (pb_receipt_outcome(receipt) == PB_ACCEPTED) {
		pb_add(s->lines, 1);
	} else if (!pb_stopping(s->self)) {
		pb_log(s->self, PB_ERROR, "a line was not stored: %s", pb_receipt_reason(receipt));
		s->lost = true;
	}
}

static const struct pb_option options[] = {
	{ .name = "path", .type = PB_PATH,
	  .help = "The file; each line that is appended to it becomes an event." },
	{ .name = "type", .type = PB_STRING, .value = "line",
	  .help = "The events' type, by which routes choose." },
	{ .name = "interval", .type = PB_DURATION, .value = "1s", .min = 10, .max = 3600 * 1000,
	  .help = "How often the file is looked at." },
	{ 0 }
};

PB_PLUGIN(.name = "plugin-name", .version = "0.1", .summary = "Each line of a file is an event",
	  .source = PB_SOURCE(.options = options, .check = plugin_name_check,
			      .open = plugin_name_open, .close = plugin_name_close,
			      .run = plugin_name_run, .settled = plugin_name_settled));
