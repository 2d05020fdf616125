/*
 * crash.c - whose plugin was it?
 *
 * A plugin's fault ends the whole daemon. Threads have the names of their sections, so one line tells an
 * operator where to look. Only what is safe in a signal handler is called.
 */
#include "core/crash.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define THREAD_NAME_MAX 16

static void add(char *line, size_t size, const char *text)
{
	size_t len = strlen(line), more = strlen(text);
	if (len + more < size)
		memcpy(line + len, text, more + 1);
}

static const char *name_of(int number)
{
	switch (number) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS (a file was cut short, or the disk cannot be read)";
	case SIGABRT:
		return "SIGABRT";
	case SIGFPE:
		return "SIGFPE";
	default:
		return "SIGILL";
	}
}

/* The handler was reset when it was entered: the fault, or abort(), then ends the process as ever. */
static void crashed(int number)
{
	char line[160] = "patchbay: crashed in thread '", thread[THREAD_NAME_MAX + 1] = "";
	prctl(PR_GET_NAME, thread);
	add(line, sizeof line, thread);
	add(line, sizeof line, "' by ");
	add(line, sizeof line, name_of(number));
	add(line, sizeof line, "\n");
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		_exit(128 + number);
	raise(number);
}

void crash_open(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct sigaction old, ours = { .sa_handler = crashed, .sa_flags = (int)SA_RESETHAND };
		sigemptyset(&ours.sa_mask);
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(numbers[i], &ours, NULL);
	}
}
