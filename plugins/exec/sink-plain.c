/* sink-plain.c - a sink that runs a process for each event, or for some of them. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "exec/plain.h"
#include "exec/sink.h"

static const struct pb_span nothing = { NULL, 0 };

/* Those that one process gets: of one batch. */
static size_t take_some(struct sink *s, struct sink_item *items[])
{
	size_t n = 0;
	while (n < s->per_process && s->waiting.first != NULL &&
	       (n == 0 || s->waiting.first->batch == items[0]->batch))
		items[n++] = sink_queue_take(&s->waiting);
	return n;
}

static bool make_input(const struct sink *s, struct sink_item *const items[], size_t n, struct pb_bytes *input)
{
	for (size_t i = 0; i < n; i++) {
		const struct pb_event *ev = pb_delivery_event(items[i]->delivery);
		struct pb_span body = pb_event_body(ev);
		if (s->body_only)
			return wire_bytes_add(input, body.data, body.len);
		if (pb_cloudevent(ev, input) < 0 || !wire_bytes_add(input, "\n", 1))
			return false;
	}
	return true;
}

static bool must_break_off(void *arg)
{
	struct sink *s = arg;
	sink_woken(s);
	pthread_mutex_lock(&s->lock);
	bool breaking = s->breaking;
	pthread_mutex_unlock(&s->lock);
	return breaking;
}

static void answer_all(struct sink *s, struct sink_item *items[], size_t n, const struct process_result *result)
{
	enum pb_code code = plain_code(result);
	struct pb_span response = { result->output.data, result->output.len };
	for (size_t i = 0; i < n; i++)
		sink_answer(s, items[i], code, 0, response, result->why);
}

static void run(struct sink *s, struct sink_item *items[], size_t n)
{
	char *environment[PLAIN_VARIABLES];
	struct pb_bytes input = { 0 };
	struct process_result result;
	if (!plain_environment(pb_delivery_event(items[0]->delivery), pb_delivery_attempt(items[0]->delivery),
			       environment) || !make_input(s, items, n, &input)) {
		for (size_t i = 0; i < n; i++)
			sink_answer(s, items[i], PB_UNTRIED, 0, nothing, "out of memory");
		free(input.data);
		return;
	}
	process_run(&(struct process){
		.settings = &s->settings, .self = s->self, .environment = environment,
		.input = { input.data, input.len }, .max_output = s->max_response,
		.stop_fd = s->wake, .stops = must_break_off, .arg = s }, &result);
	plain_environment_free(environment);
	free(input.data);
	answer_all(s, items, n, &result);
	free(result.output.data);
}

void *sink_run_plain(void *arg)
{
	struct sink *s = arg;
	struct sink_item **items = calloc(s->per_process, sizeof *items), *one;
	bool stopping = false, breaking, reopens;
	if (items == NULL)
		items = &one;
	if (items == &one)
		s->per_process = 1;
	while (!stopping) {
		sink_look(s, &stopping, &breaking, &reopens);
		if (stopping) {
			sink_refuse(s, PB_UNTRIED, "patchbay stops");
		} else if (s->waiting.first != NULL) {
			size_t n = take_some(s, items);
			run(s, items, n);
		} else {
			poll(&(struct pollfd){ .fd = s->wake, .events = POLLIN }, 1, -1);
			sink_woken(s);
		}
	}
	if (items != &one)
		free(items);
	return NULL;
}
