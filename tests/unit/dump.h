/* dump.h - the worked examples of doc/store-format.md, for the tests that hold them to what is written. */
#ifndef UNIT_DUMP_H
#define UNIT_DUMP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of the dump under the heading; lines "00000040: 50 42 …  text". */
static inline size_t read_dump(const char *heading, unsigned char *bytes, size_t size)
{
	char path[600], line[256];
	const char *srcdir = getenv("srcdir");
	snprintf(path, sizeof path, "%s/doc/store-format.md", srcdir != NULL ? srcdir : ".");
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	bool found = false;
	size_t n = 0;
	while (fgets(line, sizeof line, f) != NULL) {
		unsigned offset, byte;
		int used;
		found = found || strncmp(line, heading, strlen(heading)) == 0;
		if (n > 0 && strncmp(line, "```", 3) == 0)
			break;
		if (!found || sscanf(line, "%8x:%n", &offset, &used) != 1 || line[8] != ':')
			continue;
		assert_int_equal(offset, n);
		for (const char *at = line + used; sscanf(at, " %2x%n", &byte, &used) == 1 && n < size; at += used) {
			bytes[n++] = (unsigned char)byte;
			if (n % 16 == 0)
				break;
		}
	}
	fclose(f);
	return n;
}

static inline void print_dump(const unsigned char *bytes, size_t n)
{
	for (size_t at = 0; at < n; at += 16) {
		fprintf(stderr, "%08zx:", at);
		for (size_t i = at; i < at + 16; i++)
			fprintf(stderr, i < n ? " %02x" : "   ", bytes[i < n ? i : at]);
		fprintf(stderr, "  ");
		for (size_t i = at; i < at + 16 && i < n; i++)
			fputc(bytes[i] > 31 && bytes[i] < 127 ? bytes[i] : '.', stderr);
		fputc('\n', stderr);
	}
}

#endif
