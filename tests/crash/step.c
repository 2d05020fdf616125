/* step.c - ends the program at one of the engine's steps (base/step.h). Linked into tests/crash/patchbay-steps only. */
#include "base/step.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* How often the one that matters was reached. */
struct count {
	pthread_mutex_t lock;	/* guards the number */
	unsigned long reached;
};

static struct count *the_count(void)
{
	static struct count count = { .lock = PTHREAD_MUTEX_INITIALIZER };
	return &count;
}

void step_reached(const char *name)
{
	const char *at = getenv("PATCHBAY_KILL_AT");
	const char *slash = at == NULL ? NULL : strrchr(at, '/');
	size_t len = strlen(name);
	if (slash == NULL || (size_t)(slash - at) != len || memcmp(at, name, len) != 0)
		return;
	struct count *count = the_count();
	pthread_mutex_lock(&count->lock);
	if (++count->reached == strtoul(slash + 1, NULL, 10))
		raise(SIGKILL);
	pthread_mutex_unlock(&count->lock);
}
