/* fuzz-cron.c - a cron expression up to the first newline, a zone's rule after it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "timer/schedule.h"

static char *text_of(const uint8_t *data, size_t len)
{
	char *text = calloc(1, len + 1);
	assert(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	return text;
}

/* Ticks come one after another, on whole seconds. */
static void walk(const struct schedule *s)
{
	int64_t at = INT64_C(1767225600000);
	for (int i = 0; i < 4 && at != SCHEDULE_NEVER; i++) {
		int64_t next = schedule_next(s, at);
		assert(next > at);
		assert(next == SCHEDULE_NEVER || next % 1000 == 0);
		at = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
	size_t len = newline == NULL ? size : (size_t)(newline - data);
	char why[160] = "", *text = text_of(data, len);
	char *rule = newline == NULL ? text_of((const uint8_t *)"UTC0", 4) : text_of(newline + 1, size - len - 1);
	struct schedule s = { .zone = zone_open("UTC", why, sizeof why) };
	assert(s.zone != NULL);
	zone_rule(s.zone, rule, 0);
	why[0] = '\0';
	if (cron_parse(&s.cron, text, why, sizeof why))
		walk(&s);
	else
		assert(why[0] != '\0');
	zone_free(s.zone);
	free(rule);
	free(text);
	return 0;
}
