/* memory.c - small allocations that cannot be done without. */
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing here may allocate, so no log_write(). */
static void *must_have(void *p)
{
	static const char message[] = "patchbay: out of memory\n";
	if (p == NULL) {
		ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
		(void)ignored;
		abort();
	}
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	return must_have(calloc(n == 0 ? 1 : n, size == 0 ? 1 : size));
}

void *xrealloc(void *p, size_t n, size_t size)
{
	return must_have(reallocarray(p, n == 0 ? 1 : n, size == 0 ? 1 : size));
}

char *xstrdup(const char *s)
{
	return must_have(strdup(s));
}

char *xasprintf(const char *fmt, ...)
{
	char *s;
	va_list args;
	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		s = NULL;
	va_end(args);
	return must_have(s);
}
