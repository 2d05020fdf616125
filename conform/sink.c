/* sink.c - a sink and its deliveries. */
#include <stdio.h>

#include "conform/rules.h"

#define ORDINARY 20
#define BATCH_MAX 256

static const char *code_name(enum pb_code code)
{
	static const char *const names[] = {
		"PB_UNTRIED", "PB_OK", "PB_RETRY", "PB_REJECT", "PB_DOWN", "PB_GONE",
	};
	return names[code];
}

static void deliver_ordinary(struct check *c, struct pbt_instance *in, size_t n,
			     void (*each)(void *, size_t, const struct pbt_answer *), void *arg)
{
	struct pb_event *evs[BATCH_MAX];
	for (size_t i = 0; i < n; i++)
		evs[i] = event_ordinary(c);
	deliver_batch(c, in, evs, n, each, arg);
}

void sink_delivers(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	char reason[DOING_MAX];
	enum pb_code code = deliver_told(c, in, reason);
	if (code == PB_RETRY || code == PB_DOWN)
		check_skip(c, "needs a receiver that takes it; the answer is %s: %.120s", code_name(code), reason);
	if (code != PB_OK)
		check_fail(c, "the answer is %s: %.120s (--body and --type say what event it is)",
			   code_name(code), reason);
	box_close(c, in);
	box_free(c, false);
}

/* With a receiver that takes them, then with one that does not. */
static void with_both(struct check *c, void (*what)(struct check *, struct pbt_instance *))
{
	struct pbt_instance *in = box_ready(c);
	what(c, in);
	box_close(c, in);
	if (c->wanted->failing.n > 0) {
		in = box_open_failing(c, "test", NULL);
		what(c, in);
		box_close(c, in);
	}
	box_free(c, false);
}

static void answer_ordinary(struct check *c, struct pbt_instance *in)
{
	for (unsigned i = 0; i < ORDINARY; i++)
		deliver_one(c, in);
}

void sink_answers(struct check *c)
{
	with_both(c, answer_ordinary);
}

struct batch {
	size_t ok, given;
	bool first;
};

static void count(void *arg, size_t i, const struct pbt_answer *answer)
{
	struct batch *b = arg;
	b->ok += answer->code == PB_OK;
	b->given += answer->given;
	if (i == 0)
		b->first = answer->code != PB_UNTRIED;
}

static void answer_batches(struct check *c, struct pbt_instance *in)
{
	size_t most = deliver_most(c, in), sizes[] = { 1, 2, most / 2, most };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct batch b = { 0 };
		if (sizes[i] == 0 || sizes[i] > most)
			continue;
		deliver_ordinary(c, in, sizes[i], count, &b);
		if (c->plugin->sink->submit != NULL && b.given < sizes[i])
			check_fail(c, "of a batch of %zu %zu are answered", sizes[i], b.given);
		if (b.ok > 0 && !b.first)
			check_fail(c, "the first of a batch of %zu was left, and not the rest", sizes[i]);
		if (c->told->delivers == YES && b.ok == 0 && i > 0)
			check_skip(c, "nothing of a batch of %zu is ok", sizes[i]);
	}
}

void sink_batches(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	answer_batches(c, in);
	box_close(c, in);
	box_free(c, false);
}

/* pbt_wait() sees to the order of the answers of a batch. */
void sink_order(struct check *c)
{
	static const struct given strict = { (char *)"order", "strict" };
	box_load(c);
	if (c->plugin->sink->submit != NULL)
		check_skip(c, "the daemon hands to submit() one event at a time in strict order");
	struct pbt_instance *in = box_try(c, "test", &strict, NULL, NULL);
	if (in == NULL)
		check_skip(c, "it does not open with order = strict: %s", pbt_errors(c->host));
	answer_batches(c, in);
	box_close(c, in);
	in = box_open_failing(c, "test", &strict);
	size_t most = deliver_most(c, in);
	struct batch b = { 0 };
	deliver_ordinary(c, in, most < 16 ? most : 16, count, &b);
	if (b.ok > 0)
		check_skip(c, "with the --failing options %zu events are ok", b.ok);
	box_close(c, in);
	box_free(c, false);
}

static void must_say_why(void *arg, size_t i, const struct pbt_answer *answer)
{
	struct check *c = arg;
	(void)i;
	if (answer->given && answer->code != PB_OK && answer->code != PB_UNTRIED && *answer->reason == '\0')
		check_fail(c, "%s is answered without a reason", code_name(answer->code));
}

static void deliver_hostile(struct check *c, struct pbt_instance *in, bool why)
{
	const char *what;
	struct pb_event *ev;
	for (size_t i = 0; (ev = event_hostile(c, i, &what)) != NULL; i++) {
		deliver_batch(c, in, &ev, 1, why ? must_say_why : NULL, c);
		doing(c, "after an event with %s", what);
	}
}

static void reasons(struct check *c, struct pbt_instance *in)
{
	deliver_ordinary(c, in, 1, must_say_why, c);
	deliver_hostile(c, in, true);
}

void sink_reasons(struct check *c)
{
	with_both(c, reasons);
}

void sink_hostile(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	enum pb_code before = deliver_one(c, in);
	deliver_hostile(c, in, false);
	enum pb_code after = deliver_one(c, in);
	if (before != after)
		check_fail(c, "an ordinary event is answered with %s before them and %s after",
			   code_name(before), code_name(after));
	box_close(c, in);
	box_free(c, false);
}
