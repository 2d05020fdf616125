/*
 * probe_filter: a filter that does as it is told, for tests of the engine.
 *
 * What it does is `mode`, or the event's own field `filter`: pass; drop; split (into
 * `count` events, the i-th with the i-th of the list `answers` as its `answer`); retry and
 * reject (fail that way the first `count` times that the event comes, 0: always); hold
 * (wait until the file `until` is there).
 */
#include <config.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include <patchbay/plugin.h>

/* How often an event has come. */
struct seen {
	UT_hash_handle hh;
	int64_t times;
	char id[];
};

#define LOOK 5	/* ms between two looks for a file */

struct probe {
	struct pb_self *self;
	struct seen *seen;
};

static const struct pb_option options[] = {
	{ "mode", PB_CHOICE, "pass", "pass drop split retry reject hold",
	  .help = "What it does with an event that does not say." },
	{ "count", PB_INT, "0", .max = 10000, .help = "How many parts, or how many failures." },
	{ "until", PB_PATH, "", .help = "The file that `hold` waits for." },
	{ 0 }
};

static void *probe_open(struct pb_self *self, struct pb_error *err)
{
	struct probe *p = calloc(1, sizeof *p);
	if (p == NULL)
		return pb_error(err, NULL, "out of memory");
	p->self = self;
	return p;
}

static void probe_close(void *state)
{
	struct probe *p = state;
	struct seen *s, *next;
	HASH_ITER(hh, p->seen, s, next) {
		HASH_DEL(p->seen, s);
		free(s);
	}
	free(p);
}

static int64_t times_seen(struct probe *p, const char *id)
{
	struct seen *s;
	HASH_FIND_STR(p->seen, id, s);
	if (s == NULL) {
		size_t len = strlen(id);
		s = calloc(1, sizeof *s + len + 1);
		if (s == NULL)
			abort();
		memcpy(s->id, id, len);
		HASH_ADD_KEYPTR(hh, p->seen, s->id, len, s);
	}
	return ++s->times;
}

static void split(struct probe *p, struct pb_event *ev, int64_t parts)
{
	for (int64_t i = 0; i < parts; i++) {
		char path[32], body[256];
		snprintf(path, sizeof path, "answers.%lld", (long long)i);
		struct pb_span answer = pb_field(ev, path);
		if (answer.data == NULL)
			answer = (struct pb_span){ "\"ok\"", 4 };
		int len = snprintf(body, sizeof body, "{\"part\":%lld,\"answer\":%.*s}",
				   (long long)i + 1, (int)answer.len, (const char *)answer.data);
		struct pb_event *part = pb_event_copy(p->self, ev,
						      (struct pb_span){ body, (size_t)len });
		if (part == NULL)
			abort();
		pb_pass(p->self, part);
	}
}

static void hold(struct probe *p)
{
	const char *until = pb_str(p->self, "until");
	while (access(until, F_OK) != 0)
		poll(NULL, 0, LOOK);
}

static int do_as_told(struct probe *p, const char *mode, struct pb_event *ev, struct pb_error *err)
{
	int64_t count = pb_int(p->self, "count");
	bool again = strcmp(mode, "retry") == 0;
	if (strcmp(mode, "drop") == 0)
		return 0;
	if (strcmp(mode, "split") == 0) {
		split(p, ev, count);
		return 0;
	}
	if (strcmp(mode, "hold") == 0)
		hold(p);
	if (again || strcmp(mode, "reject") == 0) {
		int64_t times = times_seen(p, pb_event_id(ev));
		if (count == 0 || times <= count) {
			pb_error(err, NULL, "told to %s", mode);
			return again ? -EAGAIN : -EBADMSG;
		}
	}
	pb_pass(p->self, ev);
	return 0;
}

static int probe_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct probe *p = state;
	struct pb_span field = pb_field(ev, "filter");
	char *own = field.data != NULL ? pb_text(field) : NULL;
	int result = do_as_told(p, own != NULL ? own : pb_str(p->self, "mode"), ev, err);
	free(own);
	return result;
}

PB_PLUGIN(.name = "probe_filter", .version = PACKAGE_VERSION,
	  .summary = "Does with events as a test tells it",
	  .filter = PB_FILTER(.options = options, .open = probe_open, .close = probe_close,
			      .apply = probe_apply));
