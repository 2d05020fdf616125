/* verify-seen.c - the keys by which repeats are known. */
#include "state/verify-part.h"

struct strays {
	struct pass *p;
	uint64_t end;
};

static const char *source_name(const struct inspect *in, uint32_t number)
{
	for (size_t i = 0; i < in->n_names; i++)
		if (in->names[i].kind == NAME_SOURCE && in->names[i].number == number)
			return in->names[i].name;
	return "a source without a name";
}

static void note(void *arg, const struct seen_stray *stray)
{
	const struct strays *s = arg;
	struct finding f = { .wrong = WRONG_SEEN, .table = STATE_SEEN, .key = stray->key, .seq = stray->seq };
	const char *name = stray->malformed ? "" : source_name(s->p->in, stray->source);
	if (stray->malformed)
		verify_wrong(s->p, f, "it counts for nothing", "(e) a row in seen is none");
	else if (stray->seq >= s->end)
		verify_wrong(s->p, f, "a repeat is answered with an event that is not there",
			     "(e) %s knows a key of event %llu, which was never accepted", name,
			     (unsigned long long)stray->seq);
	else if (stray->by_hash)
		verify_wrong(s->p, f, "it is never forgotten", "(e) the key of event %llu of %s has no row in order",
			     (unsigned long long)stray->seq, name);
	else
		verify_wrong(s->p, f, "a repeat of it is stored once more",
			     "(e) the key of event %llu of %s has no row by its hash", (unsigned long long)stray->seq, name);
}

int verify_seen(struct pass *p)
{
	const struct inspect *in = p->in;
	struct strays s = { p, in->stat.next_seq > in->meta.applied_seq ? in->stat.next_seq : in->meta.applied_seq };
	if (in->journal == NULL)
		s.end = UINT64_MAX;	/* nobody knows */
	return rows_each_stray_seen(in->state, s.end, note, &s);
}
