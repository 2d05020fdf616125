/* plain.c - attributes into the environment, exit statuses to answers. */
#include "exec/plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>

#define NOT_EXECUTABLE 126	/* what shells and env(1) say */
#define NOT_FOUND 127

static bool add(char *list[PLAIN_VARIABLES], size_t *n, const char *name, const char *value)
{
	if (asprintf(&list[*n], "%s=%s", name, value) < 0) {
		list[*n] = NULL;
		return false;
	}
	list[++*n] = NULL;
	return true;
}

/* RFC 3339, with milliseconds. */
static void format_time(int64_t ms, char *text, size_t size)
{
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;
	char date[32];
	if (gmtime_r(&seconds, &tm) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		date[0] = '\0';
	snprintf(text, size, "%s.%03dZ", date, (int)(ms - (int64_t)seconds * 1000));
}

bool plain_environment(const struct pb_event *ev, unsigned attempt, char *list[PLAIN_VARIABLES])
{
	char time[64], number[16];
	size_t n = 0;
	format_time(pb_event_time(ev), time, sizeof time);
	snprintf(number, sizeof number, "%u", attempt);
	list[0] = NULL;
	if (add(list, &n, "PATCHBAY_ID", pb_event_id(ev)) && add(list, &n, "PATCHBAY_TYPE", pb_event_type(ev)) &&
	    add(list, &n, "PATCHBAY_SOURCE", pb_event_source(ev)) &&
	    add(list, &n, "PATCHBAY_SUBJECT", pb_event_subject(ev)) &&
	    add(list, &n, "PATCHBAY_CONTENT_TYPE", pb_event_content_type(ev)) &&
	    add(list, &n, "PATCHBAY_TIME", time) && add(list, &n, "PATCHBAY_ATTEMPT", number))
		return true;
	plain_environment_free(list);
	return false;
}

void plain_environment_free(char *list[PLAIN_VARIABLES])
{
	for (size_t i = 0; list[i] != NULL; i++)
		free(list[i]);
}

enum pb_code plain_code(const struct process_result *result)
{
	if (result->end == PROCESS_NONE)
		return PB_DOWN;
	if (result->end != PROCESS_EXITED || !WIFEXITED(result->status))
		return PB_RETRY;
	switch (WEXITSTATUS(result->status)) {
	case EX_OK:
		return PB_OK;
	case EX_DATAERR:
		return PB_REJECT;
	case EX_NOHOST:
	case EX_UNAVAILABLE:
	case EX_OSFILE:
	case EX_NOPERM:
	case EX_CONFIG:
	case NOT_EXECUTABLE:
	case NOT_FOUND:
		return PB_DOWN;
	default:
		return PB_RETRY;
	}
}
