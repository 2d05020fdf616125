/* census.c - what this process has: descriptors, threads, memory. */
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conform/conform.h"

void census_each(bool threads, void (*each)(void *arg, long number), void *arg)
{
	DIR *dir = opendir(threads ? "/proc/self/task" : "/proc/self/fd");
	if (dir == NULL)
		return;
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		char *end;
		long number = strtol(e->d_name, &end, 10);
		if (end != e->d_name && (threads || number != dirfd(dir)))
			each(arg, number);
	}
	closedir(dir);
}

static void count(void *arg, long number)
{
	(void)number;
	++*(size_t *)arg;
}

size_t census_descriptors(void)
{
	size_t n = 0;
	census_each(false, count, &n);
	return n;
}

size_t census_threads(void)
{
	size_t n = 0;
	census_each(true, count, &n);
	return n;
}

size_t census_heap(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

size_t census_resident(void)
{
	char text[128] = "";
	FILE *f = fopen("/proc/self/statm", "re");
	if (f == NULL)
		return 0;
	if (fgets(text, sizeof text, f) == NULL)
		text[0] = '\0';
	fclose(f);
	char *end;
	strtoull(text, &end, 10);
	return (size_t)strtoull(end, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

const char *census_target(int fd, char text[static DOING_MAX])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(path, text, DOING_MAX - 1);
	text[len < 0 ? 0 : len] = '\0';
	return text;
}
