/* share.c - the store is filling: how much less may each sink take? */
#include "dispatch/share.h"

#include "base/log.h"
#include "dispatch/router.h"

#define SHARE 4			/* of the store: the whole is this part of it, … */
#define TOGETHER 8		/* … and this part all of them may always have together */
#define STEP 8			/* this part of itself it shrinks by */
#define PATIENCE 5000		/* ms that what sinks have beyond it may stay as it is: some of it is out, or comes back */

void share_init(struct share *s, uint64_t max_size)
{
	s->whole = s->now = max_size > 0 ? max_size / SHARE : UINT64_MAX;
}

/* What those take that no quota of their own bounds. */
struct taken {
	uint64_t most;		/* each may have */
	uint64_t within;	/* of what they have that much: all of them together */
	uint64_t over;		/* what is beyond it, and can go */
};

static void add(struct taken *t, uint64_t bytes, bool can_go)
{
	t->within += bytes < t->most ? bytes : t->most;
	t->over += can_go && bytes > t->most ? bytes - t->most : 0;
}

/* Sinks, and lanes that were removed or are. A sink that blocks gives nothing up. */
static struct taken take_stock(const struct router *r)
{
	struct taken t = { .most = r->share.now };
	for (size_t i = 0; i < r->n_outlets; i++) {
		const struct quota *q = &r->outlets[i]->quota;
		if (!q->own)
			add(&t, q->rows, !q->blocks);
		if (!q->dead_own)
			add(&t, q->dead, true);
	}
	for (size_t i = 0; i < r->n_leaving; i++)
		add(&t, r->leaving[i]->dead_bytes, true);
	for (size_t i = 0; i < r->n_removed; i++)
		add(&t, r->removed[i].dead_bytes, true);
	return t;
}

static bool is_under_way(const struct router *r)
{
	return r->shed != NULL || r->gone != NULL || r->yield.due || r->open.yields || r->open.piece ||
	       r->open.trim_seq != 0;
}

/* Is what the last step asked for done, as far as it can be? */
static bool has_shrunk(struct router *r, uint64_t over)
{
	struct share *s = &r->share;
	if (over == 0 && !is_under_way(r))
		return true;
	if (over < s->over) {
		s->over = over;
		s->since = router_now(r);
	}
	return router_now(r) - s->since >= PATIENCE;
}

/* Until somebody has to give something up, or it is others who fill the store. */
static void shrink(struct router *r)
{
	struct share *s = &r->share;
	struct taken t = take_stock(r);
	if (t.within <= r->max_size / TOGETHER || !has_shrunk(r, t.over))
		return;
	if (s->now == s->whole)
		log_warn("the store fills with what waits for several sinks or is dead: those that set no max_backlog or "
			 "dead_max_size may take less now, until it is below half of max_size");
	do {
		s->now -= s->now / STEP;
		t = take_stock(r);
	} while (t.over == 0 && t.within > r->max_size / TOGETHER && s->now > STEP);
	s->over = UINT64_MAX;
	s->since = router_now(r);
	r->space_due = true;
	dead_look(r);
}

void share_look(struct router *r)
{
	struct share *s = &r->share;
	struct journal_stat stat;
	journal_stat(r->journal, &stat);
	if (r->filling) {
		shrink(r);
	} else if (s->now < s->whole && stat.bytes + r->charged < r->max_size / 2) {
		s->now = s->whole;
		log_info("the store is below half of max_size: sinks that set no max_backlog or dead_max_size may take "
			 "a quarter of it again");
	}
}
