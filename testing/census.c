/* census.c - the descriptors and threads of this process, before and after. */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "testing/host.h"

#define THREADS_END 2000	/* ms that a thread may need to be gone after it was joined */

/* A descriptor or a thread. */
struct item {
	long number;
	char what[256];		/* what the descriptor is open on; the thread's name */
};

struct items {
	struct item *at;
	size_t n;
};

struct census {
	struct items fds, threads;
};

static void describe(struct item *item, bool thread)
{
	char path[64];
	if (!thread) {
		snprintf(path, sizeof path, "/proc/self/fd/%ld", item->number);
		ssize_t len = readlink(path, item->what, sizeof item->what - 1);
		item->what[len < 0 ? 0 : len] = '\0';
		return;
	}
	snprintf(path, sizeof path, "/proc/self/task/%ld/comm", item->number);
	FILE *f = fopen(path, "re");
	if (f == NULL || fgets(item->what, sizeof item->what, f) == NULL)
		item->what[0] = '\0';
	item->what[strcspn(item->what, "\n")] = '\0';
	if (f != NULL)
		fclose(f);
}

static struct items list(bool thread)
{
	struct items items = { 0 };
	DIR *dir = opendir(thread ? "/proc/self/task" : "/proc/self/fd");
	if (dir == NULL)
		misuse(NULL, "/proc is not there: what the plugin leaves cannot be counted");
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		char *end;
		long number = strtol(e->d_name, &end, 10);
		if (end == e->d_name || (!thread && number == dirfd(dir)))
			continue;
		items.at = xrealloc(items.at, items.n + 1, sizeof *items.at);
		items.at[items.n] = (struct item){ .number = number };
		describe(&items.at[items.n++], thread);
	}
	closedir(dir);
	return items;
}

static void *nothing(void *arg)
{
	return arg;
}

struct census *census_take(void)
{
	struct census *census = xcalloc(1, sizeof *census);
	pthread_t first;
	/* A sanitizer starts a thread of its own with the first of the program. */
	if (thread_start(&first, "first", nothing, NULL) == 0)
		pthread_join(first, NULL);
	*census = (struct census){ .fds = list(false), .threads = list(true) };
	return census;
}

void census_free(struct census *census)
{
	free(census->fds.at);
	free(census->threads.at);
	free(census);
}

/* A number is used again: a descriptor is the same only when it is open on the same. */
static bool holds(const struct items *items, const struct item *item, bool thread)
{
	for (size_t i = 0; i < items->n; i++)
		if (items->at[i].number == item->number &&
		    (thread || strcmp(items->at[i].what, item->what) == 0))
			return true;
	return false;
}

static size_t new_ones(const struct items *before, const struct items *now, bool thread,
		       struct pbt_host *told)
{
	size_t n = 0;
	for (size_t i = 0; i < now->n; i++) {
		if (holds(before, &now->at[i], thread))
			continue;
		n++;
		if (told != NULL)
			complain(told, NULL, "%s %ld (%s) is left by the plugin",
				 thread ? "thread" : "descriptor", now->at[i].number,
				 now->at[i].what);
	}
	return n;
}

bool census_threads_ended(const struct census *before)
{
	int64_t end = clock_mono(&clock_system) + THREADS_END;
	struct items now = list(true);
	while (new_ones(&before->threads, &now, true, NULL) > 0 && clock_mono(&clock_system) < end) {
		poll(NULL, 0, 1);
		free(now.at);
		now = list(true);
	}
	bool ended = new_ones(&before->threads, &now, true, NULL) == 0;
	free(now.at);
	return ended;
}

void census_compare(const struct census *before, struct pbt_host *host)
{
	struct items threads = list(true), fds = list(false);
	new_ones(&before->threads, &threads, true, host);
	new_ones(&before->fds, &fds, false, host);
	free(threads.at);
	free(fds.at);
}
