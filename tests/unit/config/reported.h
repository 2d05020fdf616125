/* reported.h - what a report prints, as a string to compare. */
#ifndef UNIT_CONFIG_REPORTED_H
#define UNIT_CONFIG_REPORTED_H

#include <stdio.h>
#include <stdlib.h>

#include "config/report.h"

/* The report as text (or JSON), which the caller frees. The report is empty afterwards. */
static inline char *reported(struct report *report, bool json)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	report_print(report, to, json);
	fclose(to);
	report_free(report);
	return text;
}

#endif
