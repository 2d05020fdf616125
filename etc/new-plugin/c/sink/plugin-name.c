/*
 * plugin-name - a sink for patchbay: sends each event, a line each, to a program that answers.
 *
 * The program listens on a Unix socket and answers each line with one of its own:
 *
 *	ok               it has the event, and will not lose it
 *	later SECONDS    not now; not before so long
 *	no REASON        never this event
 *	gone             never any: it is not coming back
 *
 * It is whole, works, and is meant to be changed: put your receiver into the place of this one.
 * What a sink has to see to, and where that is here:
 *
 * Options    a table, at the end. The core reads the section, refuses what is wrong at its line,
 *            and explains it all in `patchbay plugins plugin-name`.
 * Answers    each delivery is answered once, with what its receiver said; plugin_name_judge()
 *            is the table of that. Not answered is untried: it comes again, and no attempt counts.
 * Order      of a batch each is tried in turn; at the first that has to wait the rest is left, and
 *            comes again behind it. A rejected one does not hold up the others.
 * Honest     PB_OK only after the receiver said so. What may have arrived is PB_RETRY: the
 *            receiver may see it twice, with the same id, but is never without it.
 * Time       write() may block, but not longer than the option `timeout` that all sinks have.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#define ANSWER_MAX 512

/* One section's. There is nothing else: no variable outlives or is shared by sections. */
struct plugin_name_sink {
	struct pb_self *self;
	struct sockaddr_un to;
	int fd;			/* -1: not connected */
	int64_t until;		/* when this write() has to be over */
	struct pb_bytes line;	/* the event that is sent */
	size_t have;		/* bytes in `answer` */
	char answer[ANSWER_MAX];
	struct pb_metric *sent;
};

static const struct pb_span nothing = { NULL, 0 };

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* What the table cannot say. No side effects: `patchbay check` calls it too. */
static void plugin_name_check(struct pb_self *self, struct pb_error *err)
{
	size_t room = sizeof ((struct sockaddr_un *)NULL)->sun_path;
	if (strlen(pb_str(self, "path")) >= room)
		pb_error(err, "path", "a socket's path has less than %zu bytes", room);
}

/* The receiver need not be there: it is connected to when there is something to send. */
static void *plugin_name_open(struct pb_self *self, struct pb_error *err)
{
	struct plugin_name_sink *s = calloc(1, sizeof *s);
	if (s == NULL)
		return pb_error(err, NULL, "out of memory");
	s->self = self;
	s->fd = -1;
	s->to.sun_family = AF_UNIX;
	snprintf(s->to.sun_path, sizeof s->to.sun_path, "%s", pb_str(self, "path"));
	s->sent = pb_counter(self, "sent", "Bytes of events sent.");
	return s;
}

/* After what went wrong in the middle of something, nobody knows where the next answer begins. */
static void plugin_name_hang_up(struct plugin_name_sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->have = 0;
}

static void plugin_name_close(void *state)
{
	struct plugin_name_sink *s = state;
	plugin_name_hang_up(s);
	free(s->line.data);
	free(s);
}

/* Wait for the socket as long as this write() may. 0 or -errno. */
static int plugin_name_wait(const struct plugin_name_sink *s, short events)
{
	struct pollfd fd = { .fd = s->fd, .events = events };
	int n;
	do {
		int64_t left = s->until - now_ms();
		n = left > 0 ? poll(&fd, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

/* 0 or -errno. A connection that the other side has closed in the meantime is made anew. */
static int plugin_name_connect(struct plugin_name_sink *s)
{
	char byte;
	if (s->fd >= 0 && recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		plugin_name_hang_up(s);		/* it ended, or says what nobody asked for */
	if (s->fd >= 0)
		return 0;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	if (connect(s->fd, (const struct sockaddr *)&s->to, sizeof s->to) == 0)
		return 0;
	int failed = -errno;
	plugin_name_hang_up(s);
	return failed;
}

static int plugin_name_send(struct plugin_name_sink *s)
{
	for (size_t done = 0; done < s->line.len;) {
		ssize_t n = send(s->fd, s->line.data + done, s->line.len - done, MSG_NOSIGNAL);
		int failed = n >= 0 ? 0 : errno == EAGAIN ? plugin_name_wait(s, POLLOUT) : -errno;
		if (failed < 0)
			return failed;
		done += n > 0 ? (size_t)n : 0;
	}
	pb_add(s->sent, (int64_t)s->line.len);
	return 0;
}

/* Read the answer's line, which then ends in NUL. 0 or -errno. */
static int plugin_name_receive(struct plugin_name_sink *s)
{
	char *end;
	while ((end = memchr(s->answer, '\n', s->have)) == NULL) {
		if (s->have == sizeof s->answer)
			return -EMSGSIZE;
		int failed = plugin_name_wait(s, POLLIN);
		if (failed < 0)
			return failed;
		ssize_t n = recv(s->fd, s->answer + s->have, sizeof s->answer - s->have, 0);
		if (n <= 0)
			return n == 0 ? -ECONNRESET : -errno;
		s->have += (size_t)n;
	}
	*end = '\0';
	s->have = 0;
	return 0;
}

/* The event as a line. 0, -ENOMEM, or -EBADMSG: it cannot be one. */
static int plugin_name_compose(struct plugin_name_sink *s, const struct pb_event *ev)
{
	struct pb_span body = pb_event_body(ev);
	s->line.len = 0;
	if (strcmp(pb_str(s->self, "format"), "json") == 0) {
		if (pb_cloudevent(ev, &s->line) < 0)	/* has no line break in it */
			return -ENOMEM;
		body = nothing;
	} else if (body.len > 0 && memchr(body.data, '\n', body.len) != NULL) {
		return -EBADMSG;
	}
	if (s->line.room - s->line.len <= body.len) {
		size_t room = s->line.len + body.len + 1;
		char *grown = realloc(s->line.data, room);
		if (grown == NULL)
			return -ENOMEM;
		s->line.data = grown;
		s->line.room = room;
	}
	if (body.len > 0)
		memcpy(s->line.data, body.data, body.len);
	s->line.len += body.len;
	s->line.data[s->line.len++] = '\n';
	return 0;
}

/* What the receiver said becomes the answer. True: the next one may be tried. */
static bool plugin_name_judge(struct plugin_name_sink *s, struct pb_delivery *d)
{
	const char *said = s->answer;
	struct pb_span response = { said, strlen(said) };	/* for the operator to see */
	if (strcmp(said, "ok") == 0) {
		pb_answer(d, PB_OK, 0, response, "taken");
		return true;
	}
	if (strncmp(said, "no ", 3) == 0) {
		pb_answer(d, PB_REJECT, 0, response, "refused: %s", said + 3);
		return true;
	}
	if (strncmp(said, "later ", 6) == 0) {
		int64_t seconds = strtol(said + 6, NULL, 10);
		bool sane = seconds > 0 && seconds <= 366 * 86400;
		pb_answer(d, PB_RETRY, sane ? seconds * 1000 : 0, response, "not now");
	} else if (strcmp(said, "gone") == 0) {
		pb_answer(d, PB_GONE, 0, response, "it does not come back");
	} else {
		pb_answer(d, PB_RETRY, 0, response, "answered neither ok, later, no nor gone");
	}
	return false;
}

/* Answer a delivery. True: the next one may be tried. */
static bool plugin_name_deliver(struct plugin_name_sink *s, struct pb_delivery *d)
{
	int failed = plugin_name_compose(s, pb_delivery_event(d));
	if (failed == -EBADMSG) {
		pb_answer(d, PB_REJECT, 0, nothing, "a line break in the body");
		return true;
	}
	if (failed < 0) {
		pb_answer(d, PB_RETRY, 0, nothing, "%s", strerror(-failed));
		return false;
	}
	failed = plugin_name_connect(s);
	if (failed < 0) {	/* nothing was sent, and no other event would fare better */
		pb_answer(d, PB_DOWN, 0, nothing, "%s: %s", s->to.sun_path, strerror(-failed));
		return false;
	}
	failed = plugin_name_send(s);
	if (failed == 0)
		failed = plugin_name_receive(s);
	if (failed == 0)
		return plugin_name_judge(s, d);
	plugin_name_hang_up(s);
	pb_answer(d, PB_RETRY, 0, nothing, "no answer: %s", strerror(-failed));
	return false;
}

static void plugin_name_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct plugin_name_sink *s = state;
	s->until = now_ms() + pb_int(s->self, "timeout");
	size_t i = 0;
	while (i < n && now_ms() < s->until && plugin_name_deliver(s, d[i]))
		i++;
}

static const struct pb_option options[] = {
	{ .name = "path", .type = PB_PATH, .help = "The Unix socket at which the receiver listens." },
	{ .name = "format", .type = PB_CHOICE, .value = "json", .choices = "json body",
	  .help = "json: a CloudEvents 1.0 object a line; body: the bare body, which must have no "
		  "line break in it." },
	{ 0 }
};

PB_PLUGIN(.name = "plugin-name", .version = "0.1",
	  .summary = "Sends each event to a program that answers",
	  .sink = PB_SINK(.options = options, .check = plugin_name_check, .open = plugin_name_open,
			  .close = plugin_name_close, .write = plugin_name_write,
			  .max_batch = 64));
