/* run.h - rules to results: each in a child process. */
#ifndef CONFORM_RUN_H
#define CONFORM_RUN_H

#include "conform/conform.h"

struct result {
	const struct rule *rule;
	enum verdict verdict;	/* PASS, FAIL or SKIP */
	int64_t ms;
	char reason[REASON_MAX];
	char *output;		/* what it printed, "" when nothing */
};

struct suite {
	const struct wanted *wanted;
	struct told *told;	/* shared with the children */
	enum kind kind;
	struct result *results;
	size_t n;
	int64_t ms;
};

/* Look at the file: which kinds it has, and choose one. False after saying on standard error why none can
 * be chosen: the command line is wrong. */
bool suite_begin(struct suite *, const struct wanted *);
/* Check all rules that are wanted, telling each(arg, result) of them. */
void suite_run(struct suite *, void (*each)(void *arg, const struct result *), void *arg);
void suite_end(struct suite *);
/* How many results are so. */
size_t suite_count(const struct suite *, enum verdict);

#endif
