/* model-quota.c - what sinks may have on disk, and the store in all. */
#include "simulate/model.h"

#include "state/rows.h"

static void check_letters(const struct outlet *o)
{
	uint64_t dead = 0;
	for (size_t i = 0; i < o->n_lanes; i++)
		dead += o->lanes[i]->dead;
	expect(dead <= o->dead_max, "sink %s has %llu dead letters of at most %llu", o->config->name,
	       (unsigned long long)dead, (unsigned long long)o->dead_max);
	expect(o->quota.dead <= o->quota.dead_max, "sink %s has %llu bytes of dead letters of at most %llu",
	       o->config->name, (unsigned long long)o->quota.dead, (unsigned long long)o->quota.dead_max);
}

void model_check_letters(const struct model *m)
{
	for (size_t i = 0; i < m->lab->d->router.n_outlets; i++)
		check_letters(m->lab->d->router.outlets[i]);
}

/* The journal is counted from the beginning of a segment, and what is out stays. */
static void check_backlog(const struct model *m, const struct outlet *o)
{
	expect(o->quota.blocks || o->quota.backlog <= o->quota.max_backlog + 2 * m->lab->journal_options.segment_size,
	       "sink %s has a backlog of %llu bytes of at most %llu", o->config->name,
	       (unsigned long long)o->quota.backlog, (unsigned long long)o->quota.max_backlog);
}

/* Letters that can go: a crash would give those ahead of the watermark to the lane as new ones. */
struct passed {
	uint64_t end, bytes;
};

static bool add_passed(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct passed *p = arg;
	if (key.seq >= p->end)
		return false;
	p->bytes += dead_cost(row);
	return true;
}

static uint64_t passed_letters(const struct outlet *o)
{
	struct passed p = { 0 };
	for (size_t i = 0; i < o->n_lanes; i++) {
		p.end = lane_watermark(o->lanes[i]);
		rows_each_dead(o->router->state, o->lanes[i]->number, 0, add_passed, &p);
	}
	return p.bytes;
}

static uint64_t rows_in_all(const struct outlet *o)
{
	uint64_t n = 0;
	for (size_t i = 0; i < o->n_lanes; i++)
		n += o->lanes[i]->stragglers + o->lanes[i]->dead;
	return n;
}

/* What no quota of its own bounds has what the share lets it, and does not fill the store. What is in the journal when that is
 * full still gets its rows, and those of sinks that give nothing up stay. */
static void check_share(const struct model *m)
{
	const struct router *r = &m->lab->d->router;
	uint64_t most = r->share.now, rows = 0, stay = 0;
	struct journal_stat st;
	bool own = false;
	for (size_t i = 0; i < r->n_outlets; i++) {
		const struct outlet *o = r->outlets[i];
		const struct quota *q = &o->quota;
		uint64_t dead = passed_letters(o);
		bool gives = !q->own && !q->blocks;
		own = own || !gives;
		rows += q->rows + dead;
		stay += gives ? 0 : rows_in_all(o);
		expect(!gives || (q->rows <= most && dead <= most),
		       "sink %s has %llu bytes of rows and %llu of dead letters, and may have %llu of each",
		       o->config->name, (unsigned long long)q->rows, (unsigned long long)dead,
		       (unsigned long long)most);
	}
	journal_stat(r->journal, &st);
	uint64_t bytes = st.bytes + r->charged, all = m->story->max_size;
	expect(bytes <= all + 2 * m->lab->journal_options.segment_size + stay * ROW_MAX,
	       "at rest the store has %llu bytes of at most %llu, and %llu rows that stay", (unsigned long long)bytes,
	       (unsigned long long)all, (unsigned long long)stay);
	expect(own || rows <= all / 8 || bytes <= all / 5 * 4 + 2 * m->lab->journal_options.segment_size,
	       "the store has %llu bytes of at most %llu, and the share is %llu", (unsigned long long)bytes,
	       (unsigned long long)all, (unsigned long long)most);
}

void model_check_quotas(const struct model *m)
{
	for (size_t i = 0; i < m->lab->d->router.n_outlets; i++)
		check_backlog(m, m->lab->d->router.outlets[i]);
	check_share(m);
}
