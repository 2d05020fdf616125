/* deliver.c - deliveries for a sink, each of which must be answered in time. */
#include <stdio.h>

#include "conform/conform.h"

#define MOST 256
#define GRACE 2000		/* ms beyond the sink's timeout */
#define TRIES 10		/* of a delivery that was left */

size_t deliver_most(struct check *c, struct pbt_instance *in)
{
	int64_t wanted = pb_int(pbt_self(in), "max_batch");
	size_t most = c->plugin->sink->max_batch;
	if (wanted > 0 && (size_t)wanted < most)
		most = (size_t)wanted;
	return most < MOST ? most : MOST;
}

static void wait_answers(struct check *c, struct pbt_instance *in, struct pb_delivery *const d[], size_t n)
{
	int64_t timeout = pb_int(pbt_self(in), "timeout");
	int64_t begin = now_ms();
	bool write = c->plugin->sink->write != NULL;
	doing(c, "in %s", write ? "write()" : "submit(), or with deliveries under way");
	pbt_send(in, d, n);
	if (now_ms() - begin > timeout + GRACE)
		check_fail(c, "%s took %lld ms for %zu deliveries; the sink's timeout is %lld ms",
			   write ? "write()" : "submit()", (long long)(now_ms() - begin), n,
			   (long long)timeout);
	if (!pbt_wait(d, n, timeout + GRACE))
		check_fail(c, "not all of %zu deliveries are answered %lld ms after submit(); the "
			   "sink's timeout is %lld ms", n, (long long)(timeout + GRACE),
			   (long long)timeout);
}

void deliver_batch(struct check *c, struct pbt_instance *in, struct pb_event *const evs[], size_t n,
		   void (*each)(void *arg, size_t i, const struct pbt_answer *), void *arg)
{
	struct pb_delivery *d[MOST];
	for (size_t i = 0; i < n; i++)
		d[i] = pbt_delivery(in, evs[i]);
	wait_answers(c, in, d, n);
	for (size_t i = 0; i < n; i++) {
		struct pbt_answer answer = pbt_answer(d[i]);
		if (answer.after < 0)
			check_fail(c, "answered with a wait of %lld ms", (long long)answer.after);
		if (each != NULL)
			each(arg, i, &answer);
	}
	for (size_t i = 0; i < n; i++)
		pbt_delivery_free(d[i]);
}

struct kept {
	enum pb_code code;
	char reason[DOING_MAX];
};

static void keep(void *arg, size_t i, const struct pbt_answer *answer)
{
	struct kept *kept = arg;
	(void)i;
	kept->code = answer->code;
	snprintf(kept->reason, sizeof kept->reason, "%s", answer->reason);
}

static struct kept deliver(struct check *c, struct pbt_instance *in)
{
	struct kept kept;
	for (unsigned i = 0; i < TRIES; i++) {
		struct pb_event *ev = event_ordinary(c);
		deliver_batch(c, in, &ev, 1, keep, &kept);
		if (kept.code != PB_UNTRIED)
			return kept;
		pause_ms(10);
	}
	check_fail(c, "an event was left untried %d times in a row, though it was alone", TRIES);
}

enum pb_code deliver_one(struct check *c, struct pbt_instance *in)
{
	return deliver(c, in).code;
}

enum pb_code deliver_told(struct check *c, struct pbt_instance *in, char reason[static DOING_MAX])
{
	struct kept kept = deliver(c, in);
	c->told->delivers = kept.code == PB_OK ? YES : NO;
	snprintf(reason, DOING_MAX, "%s", kept.reason);
	return kept.code;
}
