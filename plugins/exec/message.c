/* message.c - one table of all that a program may say. */
#include <string.h>

#include "exec/message.h"

#define ANY_BYTES (WIRE_TEXT | WIRE_BYTES)

static const struct kind {
	const char *name;
	size_t n;
	struct wire_field fields[MESSAGE_VALUES];
} kinds[MESSAGE_KINDS] = {
	[MESSAGE_READY] = { "ready", 3, {
		[READY_PROTOCOL] = { "protocol", WIRE_NUMBER, true },
		[READY_MAX_IN_FLIGHT] = { "max_in_flight", WIRE_NUMBER, false },
		[READY_METRICS] = { "metrics", WIRE_LIST, false } } },
	[MESSAGE_ERROR] = { "error", 2, {
		[ERROR_OPTION] = { "option", WIRE_TEXT, false },
		[ERROR_REASON] = { "reason", WIRE_TEXT, true } } },
	[MESSAGE_LOG] = { "log", 2, {
		[LOG_LEVEL] = { "level", WIRE_TEXT, true },
		[LOG_TEXT] = { "text", WIRE_TEXT, true } } },
	[MESSAGE_METRIC] = { "metric", 3, {
		[METRIC_NAME] = { "name", WIRE_TEXT, true },
		[METRIC_ADD] = { "add", WIRE_NUMBER, false },
		[METRIC_SET] = { "set", WIRE_NUMBER, false } } },
	[MESSAGE_EMIT] = { "emit", 4, {
		[EMIT_TOKEN] = { "token", WIRE_NUMBER, false },
		[EMIT_EVENTS] = { "events", WIRE_LIST, false },
		[EMIT_MARK] = { "mark", WIRE_MAP, false },
		[EMIT_KEYS] = { "keys", WIRE_LIST, false } } },
	[MESSAGE_RESTORE] = { "restore", 1, {
		[RESTORE_KEY] = { "key", WIRE_TEXT, true } } },
	[MESSAGE_ANSWER] = { "answer", 6, {
		[ANSWER_TOKEN] = { "token", WIRE_NUMBER, true },
		[ANSWER_CODE] = { "code", WIRE_TEXT, true },
		[ANSWER_AFTER] = { "after", WIRE_NUMBER, false },
		[ANSWER_RESPONSE] = { "response", ANY_BYTES, false },
		[ANSWER_RESPONSE_BASE64] = { "response_base64", WIRE_TEXT, false },
		[ANSWER_REASON] = { "reason", WIRE_TEXT, false } } },
	[MESSAGE_PASSED] = { "passed", 2, {
		[PASSED_TOKEN] = { "token", WIRE_NUMBER, true },
		[PASSED_EVENTS] = { "events", WIRE_LIST, false } } },
	[MESSAGE_FAILED] = { "failed", 3, {
		[FAILED_TOKEN] = { "token", WIRE_NUMBER, true },
		[FAILED_RETRY] = { "retry", WIRE_BOOL, false },
		[FAILED_REASON] = { "reason", WIRE_TEXT, false } } },
};

const char *message_name(enum message_kind kind)
{
	return kinds[kind].name;
}

bool message_read(enum wire_format format, struct pb_span frame, struct message *m, struct wire_fault *fault)
{
	struct pb_span name;
	struct wire_value body;
	char why[sizeof fault->text];
	if (!wire_open(format, frame, &name, &body, fault))
		return false;
	unsigned i = 0;
	while (i < MESSAGE_KINDS && !wire_is(name, kinds[i].name))
		i++;
	if (i == MESSAGE_KINDS)
		return wire_fail(fault, "\"%.*s\" is no kind of message", name.len < 40 ? (int)name.len : 40,
				 (const char *)name.data);
	*m = (struct message){ .kind = (enum message_kind)i };
	if (wire_fields(&body, kinds[i].fields, kinds[i].n, m->values, &m->unknown, fault))
		return true;
	memcpy(why, fault->text, sizeof why);
	return wire_fail(fault, "%s: %.200s", kinds[i].name, why);
}

bool message_int(const struct message *m, unsigned value, const char *name, int64_t min, int64_t max, int64_t *to,
		 struct wire_fault *fault)
{
	return wire_int(&m->values[value], min, max, to) ||
	       wire_fail(fault, "%s: \"%s\" is no integer from %lld to %lld", kinds[m->kind].name, name,
			 (long long)min, (long long)max);
}

void message_one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

void message_reason(const struct wire_value *value, char *to, size_t size)
{
	wire_text_cut(value, to, size);
	message_one_line(to);
}

int message_bare(struct wire_writer *w, const char *kind)
{
	wire_message(w, kind, 0);
	return wire_message_end(w);
}
