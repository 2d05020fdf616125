/* report.h - results for a reader, and for a program. */
#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include <stdio.h>

#include "conform/run.h"

/* How results are printed on standard output. */
struct report {
	const struct suite *suite;
	bool colour;
	size_t group_len;	/* of the group printed last */
	const char *group;
};

/* All rules, a line each, or with `json` an object. */
void report_rules(bool json);
/* The head; each result, for suite_run(); the sum. */
void report_begin(struct report *, const struct suite *, bool colour);
void report_result(void *report, const struct result *);
void report_result_json(void *report, const struct result *);
void report_end(const struct report *);
/* The whole as JUnit XML. */
void report_junit(const struct suite *, FILE *);

#endif
