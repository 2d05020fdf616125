/* page-end.h - bytes that end where memory ends, so that a look past them is a fault. */
#ifndef PLUGIN_PAGE_END_H
#define PLUGIN_PAGE_END_H

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A copy of the `len` bytes, fewer than a page, at the end of a page behind which nothing may be read.
 * Never unmapped: a test is short. */
static inline void *page_end(const void *data, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	assert(len <= page);
	char *first = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(first != MAP_FAILED);
	int failed = mprotect(first + page, page, PROT_NONE);
	assert(failed == 0);
	return memcpy(first + page - len, data, len);
}

#endif
