/*
 * stdin: each line of standard input is an event; the source ends when the input does.
 *
 * Promises: order, and every byte of a line but its line break. What was read and is not stored yet when the daemon
 * is killed is lost, for a pipe has no position to go back to; a daemon that is started again reads what is there then. A
 * full store makes the program that writes wait. Over a reload nothing is lost.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#include "stdin/lines.h"

#define NO_MEMORY 100	/* ms until it is tried again */

/* What all instances share: there is one standard input. */
struct input {
	bool taken;
	struct pb_bytes rest;	/* what the last instance had read and not taken, … */
	bool dropping, split;	/* … and how it stood with its line */
};

struct source {
	struct pb_self *self;
	struct input *input;	/* NULL: it reads a file of its own */
	int fd;
	struct lines lines;
	bool json;
	const char *type, *field;
	size_t noted;		/* overlong lines that are counted */
	size_t taken, lost;	/* lines */
	struct pb_metric *overlong, *unparsed;
};

/*** Opening. ***/

static void *stdin_load(struct pb_self *self, struct pb_error *err)
{
	struct input *input = calloc(1, sizeof *input);
	(void)self;
	return input != NULL ? input : pb_error(err, NULL, "out of memory");
}

static void stdin_unload(void *shared)
{
	struct input *input = shared;
	free(input->rest.data);
	free(input);
}

static void stdin_check(struct pb_self *self, struct pb_error *err)
{
	if (strcmp(pb_str(self, "isolate"), "process") == 0)
		pb_error(err, "isolate", "a process of its own has not the daemon's standard input");
	if (pb_isset(self, "type_field") && strcmp(pb_str(self, "format"), "json") != 0)
		pb_error(err, "type_field", "is for format = json");
}

static enum lines_overlong overlong_of(const char *word)
{
	return strcmp(word, "cut") == 0 ? LINES_CUT : strcmp(word, "split") == 0 ? LINES_SPLIT : LINES_SKIP;
}

/* The lines' limit, or 0 after pb_error(). */
static size_t limit(struct pb_self *self, struct pb_error *err)
{
	size_t max = (size_t)pb_int(self, "max_line"), most = pb_max_event(self);
	if (max > most && pb_isset(self, "max_line")) {
		pb_error(err, "max_line", "is more than max_event, %zu bytes", most);
		return 0;
	}
	return max < most ? max : most;
}

static bool open_file(struct source *s, const char *path, struct pb_error *err)
{
	s->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0)
		pb_error(err, "path", "%s: %s", path, strerror(errno));
	return s->fd >= 0;
}

/* Take standard input, and what the instance before had read of it. */
static bool open_input(struct source *s, struct pb_error *err)
{
	struct input *input = pb_shared(s->self);
	if (input->taken) {
		pb_error(err, NULL, "another section reads standard input: only one can");
		return false;
	}
	size_t size, n = input->rest.len;
	char *space = lines_space(&s->lines, &size);
	if (n > size)
		pb_log(s->self, PB_WARN, "max_line was made shorter: %zu bytes of a line are lost", n - size);
	n = n < size ? n : size;
	if (n > 0)
		memcpy(space, input->rest.data, n);
	s->lines.end += n;
	s->lines.dropping = input->dropping;
	s->lines.split = input->split;
	input->rest.len = 0;
	input->taken = true;
	s->input = input;
	return true;
}

static void stdin_close(void *state)
{
	struct source *s = state;
	size_t n = s->lines.end - s->lines.begin;
	if (s->input == NULL) {
		close(s->fd);
	} else {
		char *rest = n > 0 ? realloc(s->input->rest.data, n) : NULL;
		if (rest != NULL)
			s->input->rest = (struct pb_bytes){ memcpy(rest, s->lines.data + s->lines.begin, n), n, n };
		s->input->dropping = s->lines.dropping;
		s->input->split = s->lines.split;
		s->input->taken = false;
	}
	lines_fini(&s->lines);
	free(s);
}

static bool type_is_right(struct pb_self *self, struct pb_error *err)
{
	struct pb_event *ev = pb_event_new(self, (struct pb_span){ NULL, 0 });
	int failed = ev == NULL ? -ENOMEM : pb_event_set(ev, "type", pb_str(self, "type"));
	pb_event_free(ev);
	if (failed < 0)
		pb_error(err, "type", failed == -EINVAL ? "expected text of at most 8 KiB" : "out of memory");
	return failed == 0;
}

static void *stdin_open(struct pb_self *self, struct pb_error *err)
{
	size_t max = limit(self, err);
	const char *path = pb_str(self, "path");
	if (max == 0 || !type_is_right(self, err))
		return NULL;
	struct source *s = calloc(1, sizeof *s);
	if (s == NULL || !lines_init(&s->lines, max, overlong_of(pb_str(self, "overlong")), pb_bool(self, "keep_empty"))) {
		free(s);
		return pb_error(err, NULL, "out of memory");
	}
	s->self = self;
	s->fd = STDIN_FILENO;
	s->json = strcmp(pb_str(self, "format"), "json") == 0;
	s->type = pb_str(self, "type");
	s->field = pb_str(self, "type_field");
	s->overlong = pb_counter(self, "overlong", "Lines that were longer than max_line.");
	s->unparsed = pb_counter(self, "unparsed", "Lines that are no JSON, and were taken as text.");
	if (*path != '\0' ? open_file(s, path, err) : open_input(s, err))
		return s;
	lines_fini(&s->lines);
	free(s);
	return NULL;
}

/*** Events. ***/

/* What the field says, if it can be a type. 0 or -ENOMEM. */
static int set_type(const struct source *s, struct pb_event *ev)
{
	struct pb_span field = *s->field != '\0' ? pb_field(ev, s->field) : (struct pb_span){ NULL, 0 };
	const char *json = field.data;
	if (json != NULL && *json == '"' && field.len > 2) {
		char *text = pb_text(field);
		int failed = text == NULL ? -ENOMEM : *text == '\0' ? -EINVAL : pb_event_set(ev, "type", text);
		free(text);
		if (failed != -EINVAL)
			return failed;
	}
	return pb_event_set(ev, "type", s->type);
}

/* NULL: no memory. */
static struct pb_event *make(const struct source *s, struct pb_span line, bool *unparsed)
{
	struct pb_event *ev = pb_event_new(s->self, line);
	if (ev == NULL)
		return NULL;
	bool json = s->json && pb_field(ev, "").data != NULL;
	*unparsed = s->json && !json;
	int failed = json ? set_type(s, ev) : pb_event_set(ev, "type", s->type);
	if (failed == 0)
		failed = pb_event_set(ev, "datacontenttype", json ? "application/json" : "text/plain");
	if (failed == 0)
		return ev;
	pb_event_free(ev);
	return NULL;
}

/* White space is no JSON, and no text that anybody wrote. */
static bool is_blank(struct pb_span line)
{
	const char *at = line.data;
	size_t n = 0;
	while (n < line.len && (at[n] == ' ' || at[n] == '\t' || at[n] == '\r'))
		n++;
	return n == line.len;
}

/* 0; -ENOMEM; -ECANCELED: it is not taken. */
static int take(struct source *s, struct pb_span line)
{
	bool unparsed = false;
	if (s->json && is_blank(line) && !s->lines.keep_empty)
		return 0;
	struct pb_event *ev = make(s, line, &unparsed);
	int failed = ev == NULL ? -ENOMEM : pb_emit(s->self, &ev, 1, NULL, NULL);
	if (failed == 0) {
		s->taken++;
		pb_add(s->unparsed, unparsed);
	}
	return failed;
}

static void stdin_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct source *s = state;
	(void)token;
	s->lost += pb_receipt_outcome(receipt) == PB_FAILED;
}

static void note_overlong(struct source *s)
{
	if (s->lines.n_overlong == s->noted)
		return;
	if (s->noted == 0)
		pb_log(s->self, PB_WARN, "a line is longer than max_line, %zu bytes: %s", s->lines.max,
		       s->lines.overlong == LINES_CUT ? "its rest is left out" :
		       s->lines.overlong == LINES_SPLIT ? "it becomes several events" : "it is left out");
	pb_add(s->overlong, (int64_t)(s->lines.n_overlong - s->noted));
	s->noted = s->lines.n_overlong;
}

/* All whole lines that there are; `last`: also one without a line break. 0 or -ECANCELED. */
static int take_lines(struct source *s, bool last)
{
	struct pb_span line;
	for (;;) {
		struct lines before = s->lines;
		if (!lines_next(&s->lines, last, &line))
			break;
		int failed = take(s, line);
		if (failed == 0)
			continue;
		s->lines = before;
		if (failed == -ECANCELED || pb_wait(s->self, -1, NO_MEMORY) == -ECANCELED)
			return -ECANCELED;
	}
	note_overlong(s);
	return 0;
}

/* 1, 0: the input has ended, or -errno. */
static int read_some(struct source *s)
{
	size_t size;
	char *space = lines_space(&s->lines, &size);
	ssize_t n = read(s->fd, space, size);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n < 0) {
		int failed = -errno;
		pb_log(s->self, PB_ERROR, "cannot read: %s", strerror(-failed));
		return failed;
	}
	s->lines.end += (size_t)n;
	return n > 0;
}

static void note_lost(struct source *s)
{
	if (s->lost > 0)
		pb_log(s->self, PB_ERROR, "%zu lines were read and could not be stored", s->lost);
	s->lost = 0;
}

/* Nothing more is to come. */
static int finish(struct source *s)
{
	int failed = take_lines(s, true);
	if (failed == 0)
		failed = pb_commit(s->self);
	note_lost(s);
	if (failed == 0)
		pb_log(s->self, PB_INFO, "the input has ended after %zu events", s->taken);
	return failed == 0 ? PB_DONE : failed;
}

static int stdin_run(void *state)
{
	struct source *s = state;
	int ready, failed = take_lines(s, false);
	while (failed == 0 && (ready = pb_wait(s->self, s->fd, -1)) != -ECANCELED) {
		if (ready < 0)
			return ready;
		if (ready == 0 || pb_stopping(s->self))
			continue;
		int got = read_some(s);
		if (got < 0)
			return got;
		failed = got > 0 ? take_lines(s, false) : finish(s);
		if (failed == PB_DONE)
			return PB_DONE;
	}
	while (failed == -ECANCELED && pb_wait(s->self, -1, -1) != -ECANCELED)
		;
	note_lost(s);
	return 0;
}

static const struct pb_option options[] = {
	{ .name = "format", .type = PB_CHOICE, .value = "lines", .choices = "lines json", .help =
	  "lines: each is an event's body, as it is; json: each is a JSON value, and one that is not is taken as text and counted." },
	{ .name = "type", .type = PB_STRING, .value = "line", .help = "The events' type." },
	{ .name = "type_field", .type = PB_STRING, .value = "", .help =
	  "With `format = json` the field (a.b) that says the event's type, where it is there and a text." },
	{ .name = "max_line", .type = PB_SIZE, .value = "64KiB", .min = 1, .max = 1 << 30, .help =
	  "The longest line, without its line break." },
	{ .name = "overlong", .type = PB_CHOICE, .value = "cut", .choices = "cut split skip", .help =
	  "What becomes of a longer one: cut: its rest is left out; split: it becomes several events; skip: it is left out." },
	{ .name = "keep_empty", .type = PB_BOOL, .value = "no", .help = "Whether an empty line is an event." },
	{ .name = "path", .type = PB_PATH, .value = "", .help =
	  "What is read instead of standard input: a file, or a FIFO that a program has open for writing." },
	{ 0 }
};

PB_PLUGIN(.name = "stdin", .version = PACKAGE_VERSION,
	  .summary = "Takes each line of standard input, and ends with it",
	  .source = PB_SOURCE(.options = options, .check = stdin_check, .open = stdin_open, .close = stdin_close,
			      .run = stdin_run, .settled = stdin_settled),
	  .load = stdin_load, .unload = stdin_unload);
