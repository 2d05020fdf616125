/*
 * trio.c - a source, a filter and a sink, as they were written for ABI 1.0. Never changed: it stands for all
 * plugins that were built then. It uses every function of that header but pb_listen().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <patchbay/plugin.h>

/*** The source: COUNT events, their number as its mark. ***/

struct source {
	struct pb_self *self;
	struct pb_metric *made;
	long last, settled;
	bool reopened;
};

static void *source_open(struct pb_self *self, struct pb_error *err)
{
	struct source *s = calloc(1, sizeof *s);
	if (s == NULL || strcmp(pb_shared(self), "shared") != 0)
		return pb_error(err, NULL, "no memory, or not what load() returned");
	s->self = self;
	s->made = pb_counter(self, "made", "Events made.");
	char mark[24] = "";
	pb_restore(self, "last", mark, sizeof mark - 1);
	s->last = strtol(mark, NULL, 10);
	return s;
}

static void source_close(void *state)
{
	free(state);
}

static int source_event(struct source *s)
{
	char body[200], mark[24];
	snprintf(body, sizeof body, "{\"n\": %ld, \"word\": \"%s\", \"list\": [1, 2]}", s->last + 1,
		 pb_list(s->self, "words")[s->last % 2]);
	struct pb_event *ev = pb_event_new(s->self, (struct pb_span){ body, strlen(body) });
	if (ev == NULL || pb_event_set(ev, "type", pb_str(s->self, "type")) < 0 ||
	    pb_event_set(ev, "subject", pb_name(s->self)) < 0 || pb_event_set(ev, "wrong name", "x") != -EINVAL ||
	    pb_event_set_time(ev, 1700000000000) < 0 || pb_event_set_key(ev, (struct pb_span){ body, 8 }) < 0 ||
	    pb_event_set_body(ev, (struct pb_span){ body, strlen(body) }) < 0)
		return -ENOMEM;
	snprintf(mark, sizeof mark, "%ld", ++s->last);
	pb_add(s->made, 1);
	return pb_emit(s->self, &ev, 1, &(struct pb_mark){ "last", { mark, strlen(mark) } }, s);
}

static int source_run(void *state)
{
	struct source *s = state;
	int failed = 0;
	while (failed == 0 && !pb_stopping(s->self) && s->last < pb_int(s->self, "count"))
		failed = source_event(s);
	pb_commit(s->self);
	if (pb_wake_fd(s->self) < 0 || s->settled == 0)
		pb_log(s->self, PB_ERROR, "nothing was settled");
	while (pb_wait(s->self, -1, -1) != -ECANCELED)
		;
	return 0;
}

static void source_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct source *s = state;
	if (token == s && pb_receipt_outcome(receipt) == PB_ACCEPTED && pb_receipt_id(receipt, 0)[0] != '\0' &&
	    !pb_receipt_duplicate(receipt, 0) && pb_receipt_reason(receipt)[0] == '\0')
		s->settled++;
}

static void source_reopen(void *state)
{
	((struct source *)state)->reopened = true;
}

static void source_check(struct pb_self *self, struct pb_error *err)
{
	if (pb_int(self, "count") == 13)
		pb_error(err, "count", "is unlucky");
}

static const struct pb_option source_options[] = {
	{ .name = "count", .type = PB_INT, .value = "3", .min = 1, .max = 1000, .help = "How many." },
	{ .name = "type", .type = PB_STRING, .value = "trio", .help = "The events' type." },
	{ .name = "words", .type = PB_LIST, .value = "odd, even", .help = "What they say." },
	{ 0 }
};

/*** The filter: a copy with the word as an attribute, unless it is to be dropped. ***/

static void *filter_open(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	return self;
}

static void filter_close(void *state)
{
	(void)state;
}

static int filter_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct pb_self *self = state;
	struct pb_span rest = pb_field(ev, "list"), key, value;
	size_t n = 0;
	while (pb_each(&rest, &key, &value))
		n++;
	char *word = pb_text(pb_field(ev, "word"));
	if (word == NULL || n != 2) {
		pb_error(err, NULL, "no word, or no list");
		free(word);
		return -EBADMSG;
	}
	if (pb_isset(self, "drop") && strcmp(word, pb_str(self, "drop")) == 0) {
		free(word);
		return 0;
	}
	struct pb_event *copy = pb_event_copy(self, ev, pb_event_body(ev));
	int failed = copy == NULL ? -ENOMEM : pb_event_set(copy, "word", word);
	free(word);
	if (failed == 0)
		pb_pass(self, copy);
	else if (copy != NULL)
		pb_event_free(copy);
	return failed == 0 ? 0 : -EAGAIN;
}

static const struct pb_option filter_options[] = {
	{ .name = "drop", .type = PB_STRING, .value = "", .help = "The word of those that are dropped." },
	{ 0 }
};

/*** The sink: a line each. ***/

struct sink {
	struct pb_self *self;
	struct pb_metric *lines;
	FILE *file;
	int64_t n;
};

static void *sink_open(struct pb_self *self, struct pb_error *err)
{
	struct sink *s = calloc(1, sizeof *s);
	if (s == NULL)
		return pb_error(err, NULL, "out of memory");
	s->self = self;
	s->lines = pb_gauge(self, "lines", "Lines written.");
	s->file = fopen(pb_str(self, "path"), "ae");
	if (s->file != NULL)
		return s;
	pb_error(err, "path", "%s", strerror(errno));
	free(s);
	return NULL;
}

static void sink_close(void *state)
{
	struct sink *s = state;
	fclose(s->file);
	free(s);
}

static bool sink_line(struct sink *s, const struct pb_event *ev)
{
	const char *missing = NULL, *name, *value, *word = pb_event_attr(ev, "word");
	size_t len;
	char *text = pb_render(s->self, "text", ev, &len, &missing);
	struct pb_bytes whole = { 0 };
	bool good = text != NULL && pb_cloudevent(ev, &whole) == 0 && whole.len > len &&
		    (word == NULL || pb_event_attr_at(ev, 0, &name, &value));
	if (good)
		good = fprintf(s->file, "%s %s %s %s %lld %s\n", text, pb_event_type(ev), pb_event_source(ev),
			       pb_event_subject(ev), (long long)pb_event_time(ev), word != NULL ? word : "-") > 0;
	good = good && pb_event_id(ev)[0] != '\0' && pb_event_content_type(ev)[0] == '\0';
	if (good && pb_bool(s->self, "flush"))
		good = fflush(s->file) == 0;
	free(text);
	free(whole.data);
	return good;
}

static void sink_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct sink *s = state;
	for (size_t i = 0; i < n; i++) {
		bool good = sink_line(s, pb_delivery_event(d[i])) && pb_delivery_attempt(d[i]) > 0;
		pb_set(s->lines, s->n += good);
		pb_answer(d[i], good ? PB_OK : PB_REJECT, 0, (struct pb_span){ "written", 7 }, "%s",
			  good ? "" : "cannot be written");
		if (!good)
			return;
	}
}

static const struct pb_option sink_options[] = {
	{ .name = "path", .type = PB_PATH, .help = "The file." },
	{ .name = "text", .type = PB_TEMPLATE, .value = "{{data.n}}", .help = "What a line begins with." },
	{ .name = "flush", .type = PB_BOOL, .value = "yes", .help = "Whether each is written at once." },
	{ 0 }
};

static void *load(struct pb_self *self, struct pb_error *err)
{
	static char shared[] = "shared";
	(void)err;
	pb_log(self, PB_INFO, "loaded");
	return shared;
}

PB_PLUGIN(.name = "trio", .version = "1", .summary = "All that ABI 1.0 has",
	  .source = PB_SOURCE(.options = source_options, .check = source_check, .open = source_open,
			      .close = source_close, .run = source_run, .settled = source_settled,
			      .may_refuse = true, .reopen = source_reopen),
	  .filter = PB_FILTER(.options = filter_options, .open = filter_open, .close = filter_close,
			      .apply = filter_apply),
	  .sink = PB_SINK(.options = sink_options, .open = sink_open, .close = sink_close, .write = sink_write,
			  .max_batch = 10),
	  .load = load);
