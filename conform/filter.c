/* filter.c - a filter and what it makes of events. */
#include "conform/rules.h"

/* Apply it; what it was given is freed. */
static int apply(struct check *c, struct pbt_instance *in, struct pb_event *ev, const char *what)
{
	doing(c, "in apply() of an event with %s", what);
	int result = pbt_apply(in, ev);
	pb_event_free(ev);
	return result;
}

static void each_hostile(struct check *c, struct pbt_instance *in,
			 void (*each)(struct check *, struct pbt_instance *, int result, const char *what))
{
	const char *what;
	struct pb_event *ev;
	for (size_t i = 0; (ev = event_hostile(c, i, &what)) != NULL; i++) {
		int result = apply(c, in, ev, what);
		if (each != NULL)
			each(c, in, result, what);
	}
}

void filter_hostile(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	int before = apply(c, in, event_ordinary(c), "nothing special");
	each_hostile(c, in, NULL);
	int after = apply(c, in, event_ordinary(c), "nothing special");
	if (before != after)
		check_fail(c, "apply() of an ordinary event is %d before them and %d after", before, after);
	box_close(c, in);
	box_free(c, false);
}

static void same_again(struct check *c, struct pbt_instance *in, struct pb_event *ev, const char *what)
{
	doing(c, "in apply() of an event with %s", what);
	int first = pbt_apply(in, ev);
	size_t n = pbt_n_passed(in);
	int second = pbt_apply(in, ev);
	if (first != second)
		check_fail(c, "with %s apply() is %d, and %d for the same event", what, first, second);
	if (n != pbt_n_passed(in))
		check_fail(c, "with %s it passes %zu events, and %zu for the same one: what comes again after a "
			   "crash would have other ids", what, n, pbt_n_passed(in));
	pb_event_free(ev);
}

void filter_same(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	const char *what;
	struct pb_event *ev;
	same_again(c, in, event_ordinary(c), "nothing special");
	for (size_t i = 0; (ev = event_hostile(c, i, &what)) != NULL; i++)
		same_again(c, in, ev, what);
	box_close(c, in);
	box_free(c, false);
}

static void must_say_why(struct check *c, struct pbt_instance *in, int result, const char *what)
{
	if (result != 0 && *pbt_reason(in) == '\0')
		check_fail(c, "apply() of an event with %s failed without pb_error()", what);
}

void filter_reasons(struct check *c)
{
	struct pbt_instance *in = box_ready(c);
	must_say_why(c, in, apply(c, in, event_ordinary(c), "nothing special"), "nothing special");
	each_hostile(c, in, must_say_why);
	box_close(c, in);
	box_free(c, false);
}
