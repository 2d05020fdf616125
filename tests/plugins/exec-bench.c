/* exec-bench.c - see exec-bench.h. */
#include "plugins/exec-bench.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct pb_plugin patchbay_plugin;

int bench_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	signal(SIGPIPE, SIG_IGN);	/* as in the daemon */
	snprintf(b->folder, sizeof b->folder, "/tmp/patchbay-exec-XXXXXX");
	if (mkdtemp(b->folder) == NULL)
		return -1;
	snprintf(b->program, sizeof b->program, "%s/program", b->folder);
	b->host = pbt_new(&patchbay_plugin);
	*state = b;
	return 0;
}

int bench_down(void **state)
{
	struct bench *b = *state;
	int left = pbt_free(b->host);
	unlink(b->program);
	rmdir(b->folder);
	free(b);
	return left;
}

struct pbt_instance *bench_try(struct bench *b, const char *section, const char *script, const char *more)
{
	FILE *file = fopen(b->program, "w");
	assert_non_null(file);
	fputs(script, file);
	fclose(file);
	const char *pause = strstr(more, "restart_pause") != NULL ? "" : "restart_pause = 1ms\nrestart_max_pause = 1h\n";
	return pbt_open(b->host, "[%s]\ncommand = /bin/sh, %s\n%s%s", section, b->program, pause, more);
}

struct pbt_instance *bench_open(struct bench *b, const char *section, const char *script, const char *more)
{
	struct pbt_instance *in = bench_try(b, section, script, more);
	if (in == NULL)
		fail_msg("%s", pbt_errors(b->host));
	return in;
}

struct pb_event *bench_event(struct bench *b, const char *body)
{
	return pbt_event(b->host, body, strlen(body), NULL);
}

static bool process_is_gone(long pid)
{
	char path[64], state = 'Z';
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return true;
	int read = fscanf(file, "%*d (%*[^)]) %c", &state);
	fclose(file);
	return read != 1 || state == 'Z' || state == 'X';
}

int bench_all_gone(struct bench *b)
{
	char path[128];
	long pid;
	int n = 0;
	snprintf(path, sizeof path, "%s.pids", b->program);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	for (; fscanf(file, "%ld", &pid) == 1; n++)
		for (int i = 0; !process_is_gone(pid); i++) {
			assert_true(i < 10000);
			poll(NULL, 0, 1);	/* SIGKILL takes its time */
		}
	fclose(file);
	unlink(path);
	return n;
}
