/* life.c - opening and closing. */
#include "conform/growth.h"
#include "conform/rules.h"

#define LOADS 16		/* what libraries leave in memory each time is not the plugin's */
#define START_EACH 20		/* of a source's lives one is lived */
#define REOPENS 5

static void live(struct check *c, unsigned round)
{
	struct pbt_instance *in = box_open(c, "test");
	if (c->kind == KIND_SOURCE && round % START_EACH == 0) {
		box_start(c, in);
		box_stop(c, in);
	}
	box_close(c, in);
}

void life_repeats(struct check *c)
{
	struct growth growth;
	box_load(c);
	growth_begin(&growth, (unsigned)c->wanted->rounds);
	while (growth_round(&growth))
		live(c, growth.done);
	growth_end(c, &growth, true, "open() and close()");
	box_free(c, false);
}

void life_loads(struct check *c)
{
	struct growth growth;
	growth_begin(&growth, LOADS);
	while (growth_round(&growth)) {
		box_load(c);
		box_close(c, box_open(c, "test"));
		box_free(c, false);
	}
	growth_end(c, &growth, false, "load and unload");
}

void life_two(struct check *c)
{
	box_load(c);
	struct pbt_instance *one = box_open(c, "one"), *two = box_try(c, "two", NULL, NULL, NULL);
	if (two == NULL)
		check_skip(c, "a second one does not open beside the first: %s", pbt_errors(c->host));
	struct pbt_instance *both[] = { one, two };
	enum known before = c->told->events;
	for (unsigned i = 0; i < 2; i++) {
		if (c->kind == KIND_SOURCE)
			box_start(c, both[i]);
		work(c, both[i]);
	}
	if (c->kind == KIND_SOURCE)
		box_stop(c, one);
	box_close(c, one);
	work(c, two);
	if (c->kind == KIND_SOURCE && pbt_wait_ended(two, 0, NULL))
		check_fail(c, "run() of the second returned when the first was stopped");
	if (c->kind == KIND_SOURCE)
		box_stop(c, two);
	if (before == UNKNOWN && c->told->events == NO)
		c->told->events = UNKNOWN;	/* the other may have had them */
	box_close(c, two);
	box_free(c, false);
}

void life_clean(struct check *c)
{
	work_whole(c, true);
}

void life_reopen(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	if (c->kind == KIND_SOURCE ? c->plugin->source->reopen == NULL : c->plugin->sink->reopen == NULL)
		check_skip(c, "it has no reopen()");
	enum pb_code before = c->kind == KIND_SINK ? deliver_one(c, in) : PB_OK;
	for (unsigned i = 0; i < REOPENS; i++) {
		doing(c, "in reopen()");
		pbt_reopen(in);
		work(c, in);
	}
	if (c->kind == KIND_SINK && deliver_one(c, in) != before)
		check_fail(c, "it answers differently after reopen()");
	if (c->kind == KIND_SOURCE && pbt_wait_ended(in, 0, NULL))
		check_fail(c, "run() returned after reopen()");
	if (c->kind == KIND_SOURCE)
		box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
}
