/* memory.h - small allocations of the program's own, which cannot be done without: short memory
 * ends the process with a message. Never for sizes that come from outside. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* calloc(), never NULL, also for no bytes. [any] */
void *xcalloc(size_t n, size_t size);
/* reallocarray() likewise; a product that overflows ends the process. [any] */
void *xrealloc(void *, size_t n, size_t size);
/* A copy, and a formatted text, that the caller frees. [any] */
char *xstrdup(const char *);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
