/* source.c - a program as a source: what it emits, and the receipts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/kinds.h"
#include "exec/program.h"

#define KEY_MAX 1024		/* of `keys` */
#define MARK_KEY_MAX 480
#define MARK_VALUE_MAX 4096

struct source {
	struct pb_self *self;
	struct program program;
	const char *type;
	bool running;		/* inside run() */
	size_t unsettled, max_unsettled;
	unsigned run;		/* of the program */
};

/* An emit without its receipt. */
struct unit {
	unsigned run;
	bool answered;		/* it has a token */
	int64_t token;
};

/* What was read of one emit. */
struct batch {
	struct pb_event *events[WIRE_EVENTS_MAX];
	size_t n;
	char mark_key[MARK_KEY_MAX + 1];
	struct pb_bytes mark_value;
	struct pb_mark mark;
	bool has_mark;
};

/*** Receipts. ***/

static void put_ids(struct wire_writer *w, const struct pb_receipt *receipt, size_t n, size_t repeats)
{
	wire_put_key(w, "ids");
	wire_put_list(w, n);
	for (size_t i = 0; i < n; i++)
		wire_put_text(w, pb_receipt_id(receipt, i));
	wire_put_list_end(w);
	if (repeats == 0)
		return;
	wire_put_key(w, "duplicates");
	wire_put_list(w, repeats);
	for (size_t i = 0; i < n; i++)
		if (pb_receipt_duplicate(receipt, i))
			wire_put_int(w, (int64_t)i);
	wire_put_list_end(w);
}

static size_t count_ids(const struct pb_receipt *receipt, size_t *repeats)
{
	size_t n = 0;
	for (*repeats = 0; *pb_receipt_id(receipt, n) != '\0'; n++)
		*repeats += pb_receipt_duplicate(receipt, n);
	return n;
}

static void put_outcome(struct wire_writer *w, int64_t token, const char *outcome)
{
	wire_put_key(w, "token");
	wire_put_int(w, token);
	wire_put_key(w, "outcome");
	wire_put_text(w, outcome);
}

static void fail_receipt(struct source *s, int64_t token, const char *reason)
{
	struct wire_writer *w = program_writer(&s->program);
	wire_message(w, "receipt", 3);
	put_outcome(w, token, "failed");
	wire_put_key(w, "reason");
	wire_put_text(w, reason);
	if (wire_message_end(w) < 0)
		program_fail(&s->program, "out of memory");
}

static void put_receipt(struct source *s, int64_t token, const struct pb_receipt *receipt)
{
	struct wire_writer *w = program_writer(&s->program);
	enum pb_outcome outcome = pb_receipt_outcome(receipt);
	size_t repeats, n;
	if (outcome == PB_FAILED) {
		fail_receipt(s, token, pb_receipt_reason(receipt));
		return;
	}
	n = count_ids(receipt, &repeats);
	wire_message(w, "receipt", repeats > 0 ? 4 : 3);
	put_outcome(w, token, outcome == PB_ACCEPTED ? "accepted" : "undeliverable");
	put_ids(w, receipt, n, repeats);
	if (wire_message_end(w) < 0)
		program_fail(&s->program, "out of memory");
}

void source_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct source *s = state;
	struct unit *unit = token;
	if (unit == NULL)	/* a line: nobody asks */
		return;
	if (unit->run == s->run) {
		s->unsettled--;
		if (unit->answered && s->program.state == PROGRAM_UP)
			put_receipt(s, unit->token, receipt);
	}
	free(unit);
}

/*** Emits. ***/

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		pb_event_free(b->events[i]);
	free(b->mark_value.data);
	free(b);
}

static int read_events(struct source *s, const struct wire_value *list, struct batch *b, struct wire_fault *fault)
{
	struct wire_cursor c;
	struct pb_span key;
	struct wire_value value;
	int failed = 0;
	if (list->type == WIRE_ABSENT)
		return 0;
	wire_begin(&c, list);
	while (failed == 0 && wire_next(&c, &key, &value)) {
		if (b->n == WIRE_EVENTS_MAX) {
			wire_fail(fault, "emit: more than %d events", WIRE_EVENTS_MAX);
			return -EBADMSG;
		}
		failed = wire_event_make(s->self, &value, NULL, s->type, &b->events[b->n], fault);
		b->n += failed == 0;
	}
	return failed;
}

static int set_key(struct pb_event *ev, const struct wire_value *value)
{
	struct pb_bytes key = { 0 };
	if (value->type == WIRE_NULL)
		return 0;
	int failed = wire_content(value, &key);
	if (failed == 0)
		failed = pb_event_set_key(ev, (struct pb_span){ key.len > 0 ? key.data : "", key.len });
	free(key.data);
	return failed;
}

static int read_keys(const struct wire_value *list, struct batch *b, struct wire_fault *fault)
{
	struct wire_cursor c;
	struct pb_span key;
	struct wire_value value;
	size_t n = 0;
	int failed = 0;
	if (list->type == WIRE_ABSENT)
		return 0;
	for (wire_begin(&c, list); failed == 0 && n < b->n && wire_next(&c, &key, &value); n++)
		failed = set_key(b->events[n], &value);
	if (failed == 0 && (n < b->n || wire_next(&c, &key, &value)))
		failed = -EINVAL;
	if (failed == -EINVAL)
		wire_fail(fault, "emit: \"keys\" is not as long as \"events\", or one is no text of at most %d bytes",
			  KEY_MAX);
	return failed == -EINVAL ? -EBADMSG : failed;
}

static int read_mark_value(const struct wire_value *value, const struct wire_value *base64, struct batch *b)
{
	if (base64->type != WIRE_ABSENT)
		return value->type != WIRE_ABSENT ? -EINVAL : wire_content_base64(base64, &b->mark_value);
	return value->type == WIRE_NULL ? 0 : wire_content(value, &b->mark_value);
}

static int read_mark(const struct wire_value *map, struct batch *b, struct pb_span *unknown, struct wire_fault *fault)
{
	static const struct wire_field fields[] = {
		{ "key", WIRE_TEXT, true }, { "value", WIRE_TEXT | WIRE_BYTES | WIRE_NULL, false },
		{ "value_base64", WIRE_TEXT, false }
	};
	struct wire_value v[3];
	if (map->type == WIRE_ABSENT)
		return 0;
	if (!wire_fields(map, fields, 3, v, unknown, fault))
		return -EBADMSG;
	int failed = wire_text(&v[0], b->mark_key, sizeof b->mark_key) <= 0 ? -EINVAL : 0;
	if (failed == 0)
		failed = read_mark_value(&v[1], &v[2], b);
	if (failed == -EINVAL || b->mark_value.len > MARK_VALUE_MAX) {
		wire_fail(fault, "emit: a mark needs a key of 1 to %d bytes, and a value of at most %d or null",
			  MARK_KEY_MAX, MARK_VALUE_MAX);
		return -EBADMSG;
	}
	bool removes = v[1].type == WIRE_NULL;
	b->has_mark = true;
	b->mark = (struct pb_mark){ b->mark_key, { removes ? NULL : b->mark_value.len > 0 ? b->mark_value.data : "",
						   b->mark_value.len } };
	return failed;
}

static int read_batch(struct source *s, const struct message *m, struct batch *b, struct wire_fault *fault)
{
	struct pb_span unknown = { NULL, 0 };
	int failed = read_events(s, &m->values[EMIT_EVENTS], b, fault);
	if (failed == 0)
		failed = read_keys(&m->values[EMIT_KEYS], b, fault);
	if (failed == 0)
		failed = read_mark(&m->values[EMIT_MARK], b, &unknown, fault);
	return failed;
}

/* The events are the core's from here. */
static void emit(struct source *s, struct batch *b, const struct unit *what)
{
	struct unit *unit = malloc(sizeof *unit);
	if (unit == NULL) {
		program_fail(&s->program, "out of memory");
		return;
	}
	*unit = *what;
	s->unsettled++;
	int failed = pb_emit(s->self, b->events, b->n, b->has_mark ? &b->mark : NULL, unit);
	b->n = 0;
	if (failed < 0) {
		s->unsettled--;
		free(unit);
	}
}

static bool take_emit(struct source *s, const struct message *m, struct wire_fault *fault)
{
	struct unit unit = { .run = s->run, .answered = m->values[EMIT_TOKEN].type != WIRE_ABSENT };
	if (unit.answered && !message_int(m, EMIT_TOKEN, "token", 0, WIRE_INT_MAX - 1, &unit.token, fault))
		return false;
	struct batch *b = calloc(1, sizeof *b);
	int failed = b == NULL ? -ENOMEM : read_batch(s, m, b, fault);
	if (failed == 0)
		emit(s, b, &unit);
	else if (failed == -ENOMEM && unit.answered)
		fail_receipt(s, unit.token, "out of memory");
	else if (failed == -ENOMEM)
		program_fail(&s->program, "out of memory");
	if (b != NULL)
		batch_free(b);
	return failed != -EBADMSG;
}

static bool take_restore(struct source *s, const struct message *m, struct wire_fault *fault)
{
	char key[MARK_KEY_MAX + 1], value[MARK_VALUE_MAX];
	struct wire_writer *w = program_writer(&s->program);
	if (wire_text(&m->values[RESTORE_KEY], key, sizeof key) <= 0)
		return wire_fail(fault, "restore: \"key\" is no text of 1 to %d bytes", MARK_KEY_MAX);
	int len = pb_restore(s->self, key, value, sizeof value);
	wire_message(w, "mark", 2);
	wire_put_key(w, "key");
	wire_put_text(w, key);
	if (len >= 0) {
		wire_put_bytes(w, "value", (struct pb_span){ value, (size_t)len });
	} else {
		wire_put_key(w, "value");
		wire_put_null(w);
	}
	if (wire_message_end(w) < 0)
		program_fail(&s->program, "out of memory");
	return true;
}

/*** As its program is turned. ***/

static void source_hello(void *owner, struct wire_writer *w)
{
	const struct source *s = owner;
	wire_put_key(w, "max_unsettled");
	wire_put_int(w, (int64_t)s->max_unsettled);
}

static void source_up(void *owner, int64_t max_in_flight)
{
	(void)owner;
	(void)max_in_flight;
}

static bool source_message(void *owner, const struct message *m, struct wire_fault *fault)
{
	if (m->kind == MESSAGE_EMIT)
		return take_emit(owner, m, fault);
	if (m->kind == MESSAGE_RESTORE)
		return take_restore(owner, m, fault);
	return wire_fail(fault, "%s is not for a source", message_name(m->kind));
}

static bool source_line(void *owner, struct pb_span line)
{
	struct source *s = owner;
	struct pb_event *ev = pb_event_new(s->self, line);
	if (ev == NULL || pb_event_set(ev, "type", s->type) < 0) {
		pb_event_free(ev);
		return false;
	}
	pb_emit(s->self, &ev, 1, NULL, NULL);	/* fails only while stopping */
	return true;
}

static void source_down(void *owner)
{
	struct source *s = owner;
	s->run++;
	s->unsettled = 0;
}

static bool source_reads(void *owner)
{
	const struct source *s = owner;
	return s->running && s->unsettled < s->max_unsettled && !pb_stopping(s->self);
}

static const struct program_ops ops = {
	.hello = source_hello, .n_hello = 1, .up = source_up, .message = source_message, .line = source_line,
	.down = source_down, .reads = source_reads,
};

/*** The source. ***/

void source_check(struct pb_self *self, struct pb_error *err)
{
	settings_check(self, err);
	if (*pb_str(self, "type") == '\0')
		pb_error(err, "type", "an event needs a type");
}

void *source_open(struct pb_self *self, struct pb_error *err)
{
	struct source *s = calloc(1, sizeof *s);
	if (s == NULL)
		return pb_error(err, NULL, "out of memory");
	s->self = self;
	s->type = pb_str(self, "type");
	s->max_unsettled = (size_t)pb_int(self, "max_unsettled");
	if (program_open(&s->program, self, "source", &ops, s, err))
		return s;
	free(s);
	return NULL;
}

void source_close(void *state)
{
	struct source *s = state;
	program_close(&s->program);
	free(s);
}

/* What one turn took is on disk, and its receipts are ready to be sent, when pb_wait() returns. */
int source_run(void *state)
{
	struct source *s = state;
	s->running = true;
	do {
		program_turn(&s->program);
		program_rest(&s->program, 0);
	} while (pb_wait(s->self, program_fd(&s->program), -1) >= 0);
	s->running = false;
	program_finish(&s->program);
	return 0;
}

void source_reopen(void *state)
{
	struct source *s = state;
	if (s->program.state == PROGRAM_UP && s->program.settings.format != WIRE_LINES)
		message_bare(program_writer(&s->program), "reopen");
}
