/* story.c - stories made and told. */
#include "simulate/story.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* How often a deed comes up, of all the weights together. */
static const struct {
	const char *name;
	unsigned weight, a, b;	/* arguments are below these */
} deeds[DEEDS] = {
	[EMIT] = { "emit", 60, 2, 6 },
	[COMMIT] = { "commit", 50, 2, 1 },
	[TURN] = { "turn", 100, 1, 1 },
	[SAVE] = { "save", 40, 1, 1 },
	[SEND] = { "send", 70, 4, 1 },
	[FILTER] = { "filter", 40, 1, 1 },
	[ANSWER] = { "answer", 90, 64, 16 },
	[SLEEP] = { "sleep", 40, 4000, 1 },
	[JUMP] = { "jump", 2, 20000, 1 },
	[CRASH] = { "crash", 5, STORY_CONFIGS, 3 },
	[RESTART] = { "restart", 2, STORY_CONFIGS, 3 },
	[DISK_FULL] = { "disk full", 2, 1, 1 },
	[DISK_ROOM] = { "disk room", 6, 1, 1 },
	[STATE_FULL] = { "state full", 2, 1, 1 },
	[POWER] = { "power", 3, 12, 1 },
	[POWER_SAVE] = { "power in a save", 2, 2, 1 },
	[BAD_DISK] = { "bad disk", 2, 2, 1 },
	[BAD_STATE] = { "bad state", 2, 2, 1 },
	[REPLAY] = { "replay", 15, 64, 5 },
	[PURGE] = { "purge", 8, 64, 3 },
	[RESEND] = { "replay --to", 15, 64, 9 },
	[SINK] = { "sink", 13, 3, 4 },
	[RELOAD] = { "reload", 6, STORY_CONFIGS, 2 },
	[CHECKPOINT] = { "checkpoint", 2, 1, 1 },
};

/* splitmix64: small, and the same everywhere. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned below(uint64_t *state, unsigned bound)
{
	return (unsigned)(draw(state) % bound);
}

static struct step make_step(uint64_t *state)
{
	unsigned sum = 0;
	for (int i = 0; i < DEEDS; i++)
		sum += deeds[i].weight;
	unsigned at = below(state, sum);
	int deed = 0;
	while (at >= deeds[deed].weight)
		at -= deeds[deed++].weight;
	struct step step = { .deed = (enum deed)deed };
	step.a = below(state, deeds[deed].a);
	step.b = below(state, deeds[deed].b);
	return step;
}

/* The sinks that the routes of a configuration are to: one of three sets for each number of them. */
static const char *const tos[][3] = {
	{ "s0", "s0", "s0" }, { "s0", "s1", "s0, s1" }, { "s2", "s1, s2", "s0, s1, s2" },
};

static void make_route(struct story *s, unsigned config, unsigned i, unsigned sinks, uint64_t *state)
{
	static const char *const froms[] = { "in", "other", "in, other" };
	struct story_route *route = &s->routes[config][i];
	unsigned from = below(state, 3);
	bool all = below(state, 2) != 0, filtered = below(state, 3) == 0;
	const char *to = tos[sinks - 1][below(state, 3)];
	size_t len = strlen(s->inis[config]);
	*route = (struct story_route){ .there = true, .all = all, .filtered = filtered, .from = from };
	for (unsigned k = 0; k < 3; k++)
		route->to[k] = strchr(to, (int)('0' + k)) != NULL;
	snprintf(s->inis[config] + len, sizeof s->inis[config] - len,
		 "[route r%u]\nfrom = %s\nevents = %s\n%sto = %s\n", i, froms[from], all ? "*" : "a*",
		 filtered ? "filters = f\n" : "", to);
}

/* The sections before the routes; what differs from one configuration to another is of no matter to the model. */
static void make_head(char *ini, size_t size, unsigned config, const char *mode, char sinks[3][256], unsigned n,
		      const char *const orders[3], const char *keep)
{
	size_t len = (size_t)snprintf(ini, size, "[patchbay]\nstate = /nowhere\n%s[source in]\nplugin = drive\ndedupe = 365d\n"
				      "[source other]\nplugin = drive\n[filter f]\nplugin = shape\nmode = %s\n"
				      "workers = %u\n", keep, mode, 1 + config / 2);
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(ini + len, size - len, "%s%stimeout = %us\n", sinks[i], orders[i],
					20 + (i + config) / 2);
}

static const char *draw_order(uint64_t *state)
{
	static const char *const orders[] = {
		"", "order = strict\n", "order = relaxed\n", "order_by = type\n", "order_by = subject\n",
		"order_by = subject\nmax_keys = 1\n",
	};
	return orders[below(state, sizeof orders / sizeof *orders)];
}

static void make_inis(struct story *s, uint64_t *state)
{
	static const char *const modes[] = { "pass", "split", "drop" };
	static const char *const overflows[] = { "", "", "overflow = block\n", "max_backlog = 20KiB\n" };
	char sinks[3][256];
	const char *orders[3];
	static const char *const keeps[] = { "", "", "keep = 1MiB\n", "keep = 20s\n" };
	const char *mode = modes[below(state, 3)], *keep = keeps[below(state, 4)];
	unsigned n = 1 + below(state, 3), routes = 1 + below(state, 3);
	for (unsigned i = 0; i < n; i++)
		snprintf(sinks[i], sizeof sinks[i], "[sink s%u]\nplugin = script%s\nretry = 1s, 5s, 20s\n"
			 "expire = %s\ndead_keep = 0\ndead_max = %u\nmax_in_flight = %u\n%s", i,
			 below(state, 2) != 0 ? "_async" : "", below(state, 4) != 0 ? "3650d" : "40s",
			 below(state, 3) != 0 ? 100000 : 3,
			 1 + below(state, 8), overflows[below(state, 4)]);
	for (unsigned config = 0; config < STORY_CONFIGS; config++) {
		for (unsigned i = 0; i < n && (config == 0 || s->reorders); i++)
			orders[i] = draw_order(state);
		make_head(s->inis[config], sizeof s->inis[config], config, mode, sinks, n, orders, keep);
		for (unsigned i = 0; i < 3; i++)
			if (config == 0 ? i < routes : below(state, 3) != 0)
				make_route(s, config, i, n, state);
	}
}

void story_make(struct story *s, uint64_t seed, size_t n)
{
	uint64_t state = seed;
	*s = (struct story){ .seed = seed, .n = n, .steps = xcalloc(n, sizeof *s->steps) };
	s->reloads = below(&state, 3) == 0;
	s->reorders = s->reloads && below(&state, 2) != 0;
	make_inis(s, &state);
	s->max_size = below(&state, 2) != 0 ? UINT64_C(1) << 30 : UINT64_C(16384) << below(&state, 3);
	for (size_t i = 0; i < n; i++)
		s->steps[i] = make_step(&state);
}

void story_free(struct story *s)
{
	free(s->steps);
}

void story_tell(const struct story *s, FILE *out)
{
	for (unsigned i = 0; i < (s->reloads ? STORY_CONFIGS : 1); i++)
		fprintf(out, "%s\n", s->inis[i]);
	fprintf(out, "max_size = %llu\n", (unsigned long long)s->max_size);
	for (size_t i = 0; i < s->n; i++) {
		const struct step *step = &s->steps[i];
		fprintf(out, "%4zu  %s", i + 1, deeds[step->deed].name);
		if (deeds[step->deed].a > 1)
			fprintf(out, " %u", step->a);
		if (deeds[step->deed].b > 1)
			fprintf(out, " %u", step->b);
		fputc('\n', out);
	}
}
