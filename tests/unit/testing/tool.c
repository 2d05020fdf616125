/* tool.c - a plugin that does what a test wants. */
#define PB_PLUGIN_SYMBOL tool_plugin
#include "unit/testing/tool.h"

#include <stdio.h>
#include <stdlib.h>

struct tool_hooks tool_hooks;

static void tool_check(struct pb_self *self, struct pb_error *err)
{
	if (tool_hooks.check != NULL)
		tool_hooks.check(self, err);
}

static void *tool_open(struct pb_self *self, struct pb_error *err)
{
	struct tool *t = calloc(1, sizeof *t);
	t->self = self;
	pb_counter(self, "opened", "How often it was opened.");
	if (tool_hooks.open == NULL || tool_hooks.open(t, err))
		return t;
	free(t);
	return NULL;
}

static void tool_close(void *state)
{
	if (tool_hooks.close != NULL)
		tool_hooks.close(state);
	free(state);
}

void tool_must(bool is)
{
	if (is)
		return;
	fputs("a thread of the plugin found what it did not expect\n", stderr);
	abort();
}

int tool_emit(struct tool *t, const char *body, void *token)
{
	struct pb_event *ev = pb_event_new(t->self, (struct pb_span){ body, strlen(body) });
	tool_must(ev != NULL);
	pb_event_set(ev, "type", "t");
	return pb_emit(t->self, &ev, 1, NULL, token);
}

int tool_wait(struct tool *t)
{
	while (pb_wait(t->self, -1, -1) >= 0)
		;
	return 0;
}

static int tool_run(void *state)
{
	return tool_hooks.run == NULL ? tool_wait(state) : tool_hooks.run(state);
}

static void tool_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct tool *t = state;
	t->settled++;
	t->outcome = pb_receipt_outcome(receipt);
	t->duplicate = pb_receipt_duplicate(receipt, 0);
	snprintf(t->reason, sizeof t->reason, "%s", pb_receipt_reason(receipt));
	snprintf(t->id, sizeof t->id, "%s", pb_receipt_id(receipt, 0));
	if (tool_hooks.settled != NULL)
		tool_hooks.settled(t, token, receipt);
}

static void tool_reopen(void *state)
{
	(void)state;
	tool_hooks.reopened++;
}

static int tool_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct tool *t = state;
	if (tool_hooks.apply != NULL)
		return tool_hooks.apply(t, ev, err);
	pb_pass(t->self, ev);
	return 0;
}

static void tool_write(void *state, struct pb_delivery *const d[], size_t n)
{
	if (tool_hooks.write != NULL)
		tool_hooks.write(state, d, n);
	for (size_t i = 0; i < n && tool_hooks.write == NULL; i++)
		pb_answer(d[i], PB_OK, 0, (struct pb_span){ "yes", 3 }, "attempt %u",
			  pb_delivery_attempt(d[i]));
}

static void tool_stop(void *state)
{
	if (tool_hooks.stop != NULL)
		tool_hooks.stop(state);
}

static const struct pb_option options[] = {
	{ .name = "size", .type = PB_INT, .value = "3", .min = 1, .max = 9, .help = "A number." },
	{ .name = "listen", .type = PB_ADDRESS, .value = "127.0.0.1:0", .help = "Where it listens." },
	{ .name = "text", .type = PB_TEMPLATE, .value = "{{type}}", .help = "A template." },
	{ .name = "note", .type = PB_TEMPLATE, .value = "", .help = "A template that may be unset." },
	{ 0 }
};

#define FACE .options = options, .check = tool_check, .open = tool_open, .close = tool_close

PB_PLUGIN(.name = "tool", .version = "1", .summary = "For tests",
	  .source = PB_SOURCE(FACE, .run = tool_run, .settled = tool_settled, .reopen = tool_reopen),
	  .filter = PB_FILTER(FACE, .apply = tool_apply),
	  .sink = PB_SINK(FACE, .write = tool_write, .max_batch = 8, .reopen = tool_reopen));

#undef PB_PLUGIN_SYMBOL
#define PB_PLUGIN_SYMBOL tool_async_plugin
PB_PLUGIN(.name = "tool_async", .version = "1", .summary = "For tests",
	  .source = PB_SOURCE(FACE, .run = tool_run, .settled = tool_settled, .may_refuse = true),
	  .sink = PB_SINK(FACE, .submit = tool_write, .stop = tool_stop, .max_batch = 8));
