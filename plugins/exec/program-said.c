/* program-said.c - what a program of any kind may say: ready, error, log, metric. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/program.h"

#define SHOWN 80	/* bytes of a message that is not right */
#define TEXT_MAX 2048	/* of a log line */

static bool metric_name_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return *name >= 'a' && *name <= 'z' && name[len] == '\0' && len <= PROGRAM_METRIC_NAME;
}

static size_t metric_find(const struct program *p, const char *name)
{
	size_t i = 0;
	while (i < p->n_metrics && strcmp(p->metrics[i].name, name) != 0)
		i++;
	return i;
}

/* Only open() may make one. */
static void metric_make(struct program *p, const char *name, bool gauge, const char *help)
{
	char full[PROGRAM_METRIC_NAME + 16];
	size_t i = p->n_metrics;
	if (!p->opening || metric_find(p, name) < i || i == PROGRAM_METRICS)
		return;
	snprintf(full, sizeof full, "program_%s", name);
	p->metrics[i].metric = gauge ? pb_gauge(p->self, full, help) : pb_counter(p->self, full, help);
	p->metrics[i].gauge = gauge;
	memcpy(p->metrics[i].name, name, strlen(name) + 1);
	p->n_metrics++;
}

static bool take_metric(struct program *p, const struct wire_value *map, struct pb_span *unknown, struct wire_fault *fault)
{
	static const struct wire_field fields[] = {
		{ "name", WIRE_TEXT, true }, { "kind", WIRE_TEXT, true }, { "help", WIRE_TEXT, false }
	};
	struct wire_value values[3];
	char name[PROGRAM_METRIC_NAME + 2], kind[16], help[256];
	if (!wire_fields(map, fields, 3, values, unknown, fault))
		return false;
	if (wire_text(&values[0], name, sizeof name) < 0 || !metric_name_ok(name))
		return wire_fail(fault, "ready: a metric's name is not [a-z][a-z0-9_]*, at most %d bytes",
				 PROGRAM_METRIC_NAME);
	if (wire_text(&values[1], kind, sizeof kind) < 0 || (strcmp(kind, "counter") != 0 && strcmp(kind, "gauge") != 0))
		return wire_fail(fault, "ready: the kind of metric %s is neither counter nor gauge", name);
	wire_text_cut(&values[2], help, sizeof help);
	metric_make(p, name, *kind == 'g', *help != '\0' ? help : "As the program counts it.");
	return true;
}

static bool take_metrics(struct program *p, struct message *m, struct wire_fault *fault)
{
	struct wire_cursor c;
	struct pb_span key;
	struct wire_value value;
	if (m->values[READY_METRICS].type == WIRE_ABSENT)
		return true;
	wire_begin(&c, &m->values[READY_METRICS]);
	for (size_t n = 1; wire_next(&c, &key, &value); n++) {
		if (n > PROGRAM_METRICS)
			return wire_fail(fault, "ready: more than %d metrics", PROGRAM_METRICS);
		if (!take_metric(p, &value, &m->unknown, fault))
			return false;
	}
	return true;
}

static bool said_ready(struct program *p, struct message *m, struct wire_fault *fault)
{
	int64_t protocol, in_flight = 1;
	if (p->state != PROGRAM_STARTING)
		return wire_fail(fault, "ready a second time");
	if (!message_int(m, READY_PROTOCOL, "protocol", 1, MESSAGE_PROTOCOL, &protocol, fault))
		return false;
	if (m->values[READY_MAX_IN_FLIGHT].type != WIRE_ABSENT &&
	    !message_int(m, READY_MAX_IN_FLIGHT, "max_in_flight", 1, WIRE_INT_MAX, &in_flight, fault))
		return false;
	if (!take_metrics(p, m, fault))
		return false;
	p->state = PROGRAM_UP;
	p->deadline = 0;
	if (p->restarts > 0)
		pb_log(p->self, PB_INFO, "%s runs again", p->settings.argv[0]);
	p->ops->up(p->owner, in_flight);
	return true;
}

static bool said_error(struct program *p, const struct message *m, struct wire_fault *fault)
{
	char option[64], reason[MESSAGE_REASON];
	if (p->state != PROGRAM_STARTING)
		return wire_fail(fault, "error after ready");
	wire_text_cut(&m->values[ERROR_OPTION], option, sizeof option);
	wire_text_cut(&m->values[ERROR_REASON], reason, sizeof reason);
	p->refused = true;
	p->closing = p->closing || p->opening;
	program_fail(p, "%s%s%s", option, *option != '\0' ? ": " : "", reason);
	return true;
}

static bool said_log(struct program *p, const struct message *m, struct wire_fault *fault)
{
	static const char *const names[] = { [PB_ERROR] = "error", "warning", "info", "debug" };
	char text[TEXT_MAX], level[16];
	wire_text_cut(&m->values[LOG_LEVEL], level, sizeof level);
	wire_text_cut(&m->values[LOG_TEXT], text, sizeof text);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(level, names[i]) == 0) {
			pb_log(p->self, (enum pb_level)i, "%s", text);
			return true;
		}
	return wire_fail(fault, "log: \"level\" is none of error, warning, info, debug");
}

static bool said_metric(struct program *p, const struct message *m, struct wire_fault *fault)
{
	char name[PROGRAM_METRIC_NAME + 1];
	int64_t number;
	unsigned which = m->values[METRIC_SET].type != WIRE_ABSENT ? METRIC_SET : METRIC_ADD;
	if (!message_int(m, which, which == METRIC_SET ? "set" : "add", -WIRE_INT_MAX, WIRE_INT_MAX, &number, fault))
		return false;
	wire_text_cut(&m->values[METRIC_NAME], name, sizeof name);
	size_t i = metric_find(p, name);
	if (i == p->n_metrics) {
		if (!p->said_metric)
			pb_log(p->self, PB_WARN, "metric %s is not one that its first ready named: ignored", name);
		p->said_metric = true;
	} else if (p->metrics[i].gauge && which == METRIC_SET) {
		pb_set(p->metrics[i].metric, number);
	} else if (which == METRIC_ADD && (p->metrics[i].gauge || number >= 0)) {
		pb_add(p->metrics[i].metric, number);
	} else {
		return wire_fail(fault, "metric: %s is a counter, which only grows", name);
	}
	return true;
}

static bool said(struct program *p, struct message *m, struct wire_fault *fault)
{
	switch (m->kind) {
	case MESSAGE_READY:
		return said_ready(p, m, fault);
	case MESSAGE_ERROR:
		return said_error(p, m, fault);
	case MESSAGE_LOG:
		return said_log(p, m, fault);
	case MESSAGE_METRIC:
		return said_metric(p, m, fault);
	default:
		if (p->state == PROGRAM_STARTING)
			return wire_fail(fault, "%s before ready", message_name(m->kind));
		/* One that stops may still say what nobody can take any more. */
		return p->state != PROGRAM_UP || p->ops->message(p->owner, m, fault);
	}
}

static void say_unknown(struct program *p, const struct message *m)
{
	if (m->unknown.data == NULL || p->said_unknown)
		return;
	p->said_unknown = true;
	pb_log(p->self, PB_WARN, "%s: ignored \"%.*s\", which it may not have", message_name(m->kind),
	       m->unknown.len < SHOWN ? (int)m->unknown.len : SHOWN, (const char *)m->unknown.data);
}

/* What is no text is shown in part only. */
static void fail_with(struct program *p, const struct wire_fault *fault, struct pb_span frame)
{
	int len = frame.len < SHOWN ? (int)frame.len : SHOWN;
	if (p->settings.format == WIRE_JSON)
		program_fail(p, "%s: in %.*s%s", fault->text, len, (const char *)frame.data,
			     frame.len > SHOWN ? "…" : "");
	else
		program_fail(p, "%s: in a message of %zu bytes", fault->text, frame.len);
}

void program_said(struct program *p, struct pb_span frame)
{
	struct wire_fault fault = { "" };
	struct message m;
	if (p->settings.format == WIRE_LINES) {
		if (!p->ops->line(p->owner, frame))
			program_fail(p, "out of memory");
		return;
	}
	if (message_read(p->settings.format, frame, &m, &fault) && said(p, &m, &fault))
		say_unknown(p, &m);
	else
		fail_with(p, &fault, frame);
}
