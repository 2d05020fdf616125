/*
 * counter: a source that counts from 1 to `count`, cannot refuse, and keeps its place in a
 * mark, for tests of the engine. Its log says at which number each run began and
 * how each emission was settled.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#define MARK "n"

struct counter {
	struct pb_self *self;
	int log;
	int64_t n;		/* the last number emitted */
	char *pad;
};

static const struct pb_option options[] = {
	{ "count", PB_INT, NULL, .min = 1, .max = INT64_MAX, .help = "How far it counts." },
	{ "group", PB_INT, "1", .min = 1, .max = 1000, .help = "Events of one emission." },
	{ "turn", PB_INT, "16", .min = 1, .max = 1000, .help = "Emissions of one commit." },
	{ "pause", PB_DURATION, "0s", .help = "The time between two commits." },
	{ "pad", PB_INT, "0", .max = 1000000, .help = "Bytes that make each event larger." },
	{ "log", PB_PATH, NULL, .help = "The file it writes its own log to." },
	{ 0 }
};

static void *counter_open(struct pb_self *self, struct pb_error *err)
{
	struct counter *c = calloc(1, sizeof *c);
	size_t pad = (size_t)pb_int(self, "pad");
	if (c == NULL || (c->pad = malloc(pad + 1)) == NULL) {
		free(c);
		return pb_error(err, NULL, "out of memory");
	}
	memset(c->pad, 'x', pad);
	c->pad[pad] = '\0';
	c->self = self;
	c->log = open(pb_str(self, "log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (c->log >= 0)
		return c;
	free(c->pad);
	free(c);
	return pb_error(err, "log", "%s", strerror(errno));
}

static void counter_close(void *state)
{
	struct counter *c = state;
	close(c->log);
	free(c->pad);
	free(c);
}

static void say(struct counter *c, const char *what, int64_t n)
{
	dprintf(c->log, "%s %" PRId64 "\n", what, n);
}

static struct pb_event *next_event(struct counter *c)
{
	char *body;
	int len = asprintf(&body, "{\"n\":%" PRId64 ",\"pad\":\"%s\"}", ++c->n, c->pad);
	if (len < 0)
		abort();
	struct pb_event *ev = pb_event_new(c->self, (struct pb_span){ body, (size_t)len });
	free(body);
	if (ev == NULL || pb_event_set(ev, "type", "count") != 0)
		abort();
	return ev;
}

static int emit_group(struct counter *c, int64_t count)
{
	struct pb_event *evs[1000];
	size_t n = 0, most = (size_t)pb_int(c->self, "group");
	char at[32];
	while (n < most && c->n < count)
		evs[n++] = next_event(c);
	int len = snprintf(at, sizeof at, "%" PRId64, c->n);
	struct pb_mark mark = { MARK, { at, (size_t)len } };
	return pb_emit(c->self, evs, n, &mark, (void *)(intptr_t)c->n);
}

static int counter_run(void *state)
{
	struct counter *c = state;
	int64_t count = pb_int(c->self, "count"), turn = pb_int(c->self, "turn");
	char at[32] = "0";
	int len = pb_restore(c->self, MARK, at, sizeof at - 1);
	at[len < 0 ? 1 : len] = '\0';
	c->n = strtoll(at, NULL, 10);
	say(c, "from", c->n);
	for (int waited = 0; waited != -ECANCELED; ) {
		for (int64_t i = 0; i < turn && c->n < count; i++)
			if (emit_group(c, count) < 0)
				break;
		waited = pb_wait(c->self, -1, c->n < count ? pb_int(c->self, "pause") : -1);
	}
	return 0;
}

static void counter_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	bool stored = pb_receipt_outcome(receipt) == PB_ACCEPTED;
	say(state, stored ? "stored" : "failed", (int64_t)(intptr_t)token);
}

PB_PLUGIN(.name = "counter", .version = PACKAGE_VERSION,
	  .summary = "Counts, and keeps its place in a mark",
	  .source = PB_SOURCE(.options = options, .open = counter_open, .close = counter_close,
			      .run = counter_run, .settled = counter_settled));
