/* sink-talk.c - a sink whose program speaks the protocol: deliveries to it, answers from it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/sink.h"

#define UNSENT_MAX ((uint64_t)1 << 20)	/* bytes that wait to be written, beside one event */

static const struct pb_span nothing = { NULL, 0 };

/*** Answers. ***/

static bool code_of(const char *word, enum pb_code *code)
{
	static const char *const words[] = {
		[PB_UNTRIED] = "untried", [PB_OK] = "ok", [PB_RETRY] = "retry", [PB_REJECT] = "reject",
		[PB_DOWN] = "down", [PB_GONE] = "gone",
	};
	for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i], word) == 0) {
			*code = (enum pb_code)i;
			return true;
		}
	return false;
}

static struct sink_item *find(struct sink *s, int64_t token)
{
	struct sink_item *item;
	HASH_FIND(hh, s->sent, &token, sizeof token, item);
	return item;
}

static void take_out(struct sink *s, struct sink_item *item)
{
	HASH_DEL(s->sent, item);
	s->n_sent--;
}

/* The response's bytes are the caller's to free. */
static bool read_response(const struct message *m, struct pb_bytes *response, struct wire_fault *fault)
{
	const struct wire_value *text = &m->values[ANSWER_RESPONSE], *base64 = &m->values[ANSWER_RESPONSE_BASE64];
	int failed = 0;
	if (text->type != WIRE_ABSENT)
		failed = wire_content(text, response);
	else if (base64->type != WIRE_ABSENT)
		failed = wire_content_base64(base64, response);
	/* One that finds no memory is left out: it is only to be read. */
	return failed != -EINVAL || wire_fail(fault, "answer: response_base64 is no base64");
}

static bool order_ok(const struct sink *s, const struct sink_item *item, enum pb_code code, struct wire_fault *fault)
{
	if (!s->strict)
		return true;
	if (item != s->sent)
		return wire_fail(fault, "answer: token %lld before an earlier one, in strict order", (long long)item->token);
	if (item->batch->ended && code != PB_UNTRIED)
		return wire_fail(fault, "answer: token %lld is behind one that failed, in strict order: only untried is "
				 "possible", (long long)item->token);
	return true;
}

static bool take_answer(struct sink *s, const struct message *m, struct wire_fault *fault)
{
	struct pb_bytes response = { 0 };
	char word[16], reason[MESSAGE_REASON + 1];
	enum pb_code code;
	int64_t token, after = 0;
	if (!message_int(m, ANSWER_TOKEN, "token", 0, WIRE_INT_MAX, &token, fault))
		return false;
	struct sink_item *item = find(s, token);
	if (item == NULL)
		return wire_fail(fault, "answer: token %lld is unknown, or was answered already", (long long)token);
	if (wire_text(&m->values[ANSWER_CODE], word, sizeof word) < 0 || !code_of(word, &code))
		return wire_fail(fault, "answer: \"code\" is none of ok, retry, reject, down, gone, untried");
	if (m->values[ANSWER_AFTER].type != WIRE_ABSENT &&
	    !message_int(m, ANSWER_AFTER, "after", 0, WIRE_INT_MAX, &after, fault))
		return false;
	if (!order_ok(s, item, code, fault))
		return false;
	message_reason(&m->values[ANSWER_REASON], reason, sizeof reason);
	bool readable = read_response(m, &response, fault);
	if (readable) {
		take_out(s, item);
		sink_answer(s, item, code, after, (struct pb_span){ response.data, response.len }, reason);
	}
	free(response.data);
	return readable;
}

/*** As its program is turned. ***/

static void talk_hello(void *owner, struct wire_writer *w)
{
	const struct sink *s = owner;
	wire_put_key(w, "max_in_flight");
	wire_put_int(w, (int64_t)s->limit);
	wire_put_key(w, "order");
	wire_put_text(w, s->strict ? "strict" : "relaxed");
}

static void talk_up(void *owner, int64_t max_in_flight)
{
	struct sink *s = owner;
	s->max_sent = max_in_flight < (int64_t)s->limit ? (size_t)max_in_flight : s->limit;
	s->token = 0;
	s->was_up = true;
}

static bool talk_message(void *owner, const struct message *m, struct wire_fault *fault)
{
	if (m->kind == MESSAGE_ANSWER)
		return take_answer(owner, m, fault);
	return wire_fail(fault, "%s is not for a sink", message_name(m->kind));
}

static bool talk_reads(void *owner)
{
	(void)owner;
	return true;
}

/* What it was given whole may have been sent on; the rest waits for the next one, in front of all others. */
static void talk_down(void *owner)
{
	struct sink *s = owner;
	struct sink_item *item, *next;
	struct sink_queue back, behind = s->waiting;
	char reason[MESSAGE_REASON + 64];
	uint64_t written = program_written(&s->program);
	snprintf(reason, sizeof reason, "the program ended before it answered: %s", s->program.reason);
	sink_queue_init(&back);
	if (s->was_up)
		s->down_since = program_now();
	s->was_up = false;
	HASH_ITER(hh, s->sent, item, next)
		if (item->end > written) {
			take_out(s, item);
			item->at = program_now();
			sink_queue_add(&back, item);
		}
	while ((item = sink_queue_take(&behind)) != NULL)
		sink_queue_add(&back, item);
	sink_queue_init(&s->waiting);
	while ((item = sink_queue_take(&back)) != NULL)
		sink_queue_add(&s->waiting, item);
	while ((item = s->sent) != NULL) {
		take_out(s, item);
		sink_answer(s, item, PB_RETRY, 0, nothing, reason);
	}
}

const struct program_ops sink_ops = {
	.hello = talk_hello, .n_hello = 2, .up = talk_up, .message = talk_message, .down = talk_down,
	.reads = talk_reads,
};

/*** Deliveries. ***/

static bool put_delivery(struct sink *s, const struct sink_item *item, bool more)
{
	struct wire_writer *w = program_writer(&s->program);
	wire_message(w, "deliver", more ? 4 : 3);
	wire_put_key(w, "token");
	wire_put_int(w, item->token);
	wire_put_key(w, "attempt");
	wire_put_int(w, pb_delivery_attempt(item->delivery));
	if (more) {
		wire_put_key(w, "more");
		wire_put_bool(w, true);
	}
	wire_put_key(w, "event");
	wire_put_event(w, pb_delivery_event(item->delivery));
	return wire_message_end(w) == 0;
}

static bool has_room(const struct sink *s, size_t beside)
{
	uint64_t unsent = program_end(&s->program) - program_written(&s->program);
	return s->n_sent < s->max_sent && unsent + beside < UNSENT_MAX;
}

/* It says that another follows only if that is written in the same turn. */
static void send_waiting(struct sink *s)
{
	bool more = s->program.state == PROGRAM_UP && s->waiting.first != NULL && has_room(s, 0);
	while (more) {
		struct sink_item *item = s->waiting.first;
		size_t len = pb_event_body(pb_delivery_event(item->delivery)).len;
		more = item->next != NULL && s->n_sent + 1 < s->max_sent && has_room(s, 2 * len + 4096);
		item->token = s->token + 1;
		if (!put_delivery(s, item, more)) {
			program_fail(&s->program, "out of memory");
			return;
		}
		sink_queue_take(&s->waiting);
		s->token++;
		s->n_sent++;
		item->at = program_now();
		item->end = program_end(&s->program);
		HASH_ADD(hh, s->sent, token, sizeof item->token, item);
	}
	program_send(&s->program);
}

/* Since when what waits first has waited for a program. */
static int64_t refused_at(const struct sink *s)
{
	int64_t since = s->waiting.first->at > s->down_since ? s->waiting.first->at : s->down_since;
	return since + s->timeout;
}

/* One that is ending will be gone soon, and then started again. */
static bool is_missing(const struct sink *s)
{
	return s->program.state == PROGRAM_DOWN || s->program.state == PROGRAM_STARTING ||
	       s->program.state == PROGRAM_GIVEN_UP;
}

static void look_at_limits(struct sink *s)
{
	char reason[MESSAGE_REASON + 64];
	int64_t now = program_now();
	if (s->sent != NULL && now - s->sent->at > s->timeout)
		program_fail(&s->program, "has not answered a delivery within %lld ms", (long long)s->timeout);
	if (s->waiting.first == NULL || !is_missing(s) ||
	    (s->program.state != PROGRAM_GIVEN_UP && now < refused_at(s)))
		return;
	snprintf(reason, sizeof reason, "the program does not run: %s", s->program.reason);
	sink_refuse(s, PB_DOWN, reason);
}

static int64_t next_limit(const struct sink *s)
{
	if (s->sent != NULL && s->program.state == PROGRAM_UP)
		return s->sent->at + s->timeout + 1;
	return s->waiting.first != NULL && is_missing(s) ? refused_at(s) : 0;
}

static void break_off(struct sink *s)
{
	struct sink_item *item;
	uint64_t written = program_written(&s->program);
	while ((item = s->sent) != NULL) {
		bool whole = item->end <= written;
		take_out(s, item);
		sink_answer(s, item, whole ? PB_RETRY : PB_UNTRIED, 0, nothing, "patchbay stops");
	}
}

static void reopen(struct sink *s)
{
	if (s->program.state == PROGRAM_UP)
		message_bare(program_writer(&s->program), "reopen");
}

static void wait_for_either(struct sink *s)
{
	struct pollfd fds[2] = { { .fd = program_fd(&s->program), .events = POLLIN },
				 { .fd = s->wake, .events = POLLIN } };
	program_rest(&s->program, next_limit(s));
	poll(fds, 2, -1);
	if (fds[1].revents != 0)
		sink_woken(s);
}

void *sink_talk(void *arg)
{
	struct sink *s = arg;
	bool stopping, breaking, reopens;
	while (!program_is_gone(&s->program)) {
		sink_look(s, &stopping, &breaking, &reopens);
		program_turn(&s->program);
		look_at_limits(s);
		if (stopping)
			sink_refuse(s, PB_UNTRIED, "patchbay stops");
		if (breaking)
			break_off(s);
		if (reopens)
			reopen(s);
		send_waiting(s);
		if (stopping && s->sent == NULL && !s->program.closing)
			program_stop(&s->program);
		if (!program_is_gone(&s->program))
			wait_for_either(s);
	}
	return NULL;
}
