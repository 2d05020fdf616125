/*
 * simulate.c - lives of the engine, one a seed, each in a process of its own.
 *
 *	simulate [--steps N] [--seed S] [COUNT]		(or SIMULATE_LIVES=COUNT)
 *
 * A broken promise prints the seed and the shortest story found that still breaks one.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "simulate/story.h"

#define LIVES_A_PROCESS 50
#define LIFE_SECONDS 60	/* a life that does not end is broken too */

/* Live it in a child; `loud` lets it say what is wrong. */
static bool holds(const struct story *s, bool loud)
{
	pid_t child = fork();
	if (child == 0) {
		if (!loud)
			(void)!freopen("/dev/null", "w", stderr);
		alarm(LIFE_SECONDS);
		story_live(s);
		_exit(0);
	}
	int status = -1;
	waitpid(child, &status, 0);
	if (loud && WIFSIGNALED(status))
		fprintf(stderr, "BROKEN: ended by signal %d\n", WTERMSIG(status));
	return status == 0;
}

/* Leave out ever smaller runs of steps, as long as what is left is still broken. */
static void shorten(struct story *s)
{
	for (size_t run = s->n / 2; run > 0; run /= 2) {
		for (size_t from = 0; from + run <= s->n; ) {
			struct story less = *s;
			less.n = s->n - run;
			less.steps = xcalloc(less.n + 1, sizeof *less.steps);
			memcpy(less.steps, s->steps, from * sizeof *s->steps);
			memcpy(less.steps + from, s->steps + from + run,
			       (s->n - from - run) * sizeof *s->steps);
			if (holds(&less, false)) {
				free(less.steps);
				from += run;
			} else {
				free(s->steps);
				*s = less;
			}
		}
	}
}

static bool explain(uint64_t seed, size_t steps)
{
	struct story s;
	story_make(&s, seed, steps);
	bool right = holds(&s, true);
	if (!right) {
		fprintf(stderr, "seed %llu, %zu steps; shortened to:\n", (unsigned long long)seed, steps);
		shorten(&s);
		story_tell(&s, stderr);
		holds(&s, true);
	}
	story_free(&s);
	return right;
}

/* Many lives in one child: a fork each would cost more than the life. */
static bool many_hold(uint64_t seed, size_t n, size_t steps)
{
	pid_t child = fork();
	if (child == 0) {
		(void)!freopen("/dev/null", "w", stderr);
		alarm(LIFE_SECONDS);
		for (size_t i = 0; i < n; i++) {
			struct story s;
			story_make(&s, seed + i, steps);
			story_live(&s);
			story_free(&s);
		}
		_exit(0);
	}
	int status = -1;
	waitpid(child, &status, 0);
	return status == 0;
}

int main(int argc, char *argv[])
{
	uint64_t seed = 1;
	const char *lives = getenv("SIMULATE_LIVES");
	size_t count = lives != NULL ? strtoul(lives, NULL, 10) : 2000, steps = 400, lived = 0;
	log_open(PB_ERROR);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
			steps = strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 10);
		else
			count = strtoul(argv[i], NULL, 10);
	}
	for (; lived < count; lived += LIVES_A_PROCESS) {
		size_t n = count - lived < LIVES_A_PROCESS ? count - lived : LIVES_A_PROCESS;
		if (many_hold(seed + lived, n, steps))
			continue;
		for (size_t i = 0; i < n; i++)
			if (!explain(seed + lived + i, steps))
				return 1;
		fprintf(stderr, "seeds %llu to %llu fail together, but not one by one\n",
			(unsigned long long)(seed + lived), (unsigned long long)(seed + lived + n - 1));
		return 1;
	}
	printf("%zu lives of %zu steps, from seed %llu: every promise kept\n", count, steps,
	       (unsigned long long)seed);
	return 0;
}
