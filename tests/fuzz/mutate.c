/*
 * mutate.c - inputs made from a corpus: bytes changed, dropped, repeated, spliced.
 *
 * The targets run in a child process. The input under way is in memory that both share, so
 * that the parent can keep it whatever ended the child.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"

#define SIZE_MAX_MADE 65536
#define CHANGES_MAX 8

struct made {
	unsigned long number;
	size_t size;
	uint8_t data[SIZE_MAX_MADE];
};

/* xorshift64*: the same everywhere, which rand() is not */
static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static size_t below(uint64_t *seed, size_t bound)
{
	return bound == 0 ? 0 : (size_t)(next(seed) >> 11) % bound;
}

/* Put `len` bytes of `from` in at `at`, in place of `old` bytes. */
static void put(struct made *made, size_t at, size_t old, const uint8_t *from, size_t len)
{
	size_t after = made->size - at - old;

	if (at + len + after > SIZE_MAX_MADE)
		return;
	memmove(made->data + at + len, made->data + at + old, after);
	if (len > 0)
		memcpy(made->data + at, from, len);
	made->size = at + len + after;
}

static void change(struct made *made, const struct input *other, uint64_t *seed)
{
	static const uint8_t special[] = "\"\\{}[]:,.0-+eEu/ \n\t\x00\x7f\x80\xc0\xc2\xe0\xed\xf0\xf4\xff";
	size_t at = below(seed, made->size), left = made->size - at;
	size_t from = below(seed, other->size), len = 1 + below(seed, 16);
	uint8_t own[16], byte = (uint8_t)next(seed);

	switch (below(seed, 7)) {
	case 0:
		if (left > 0)
			made->data[at] ^= (uint8_t)(1u << (byte & 7));
		break;
	case 1:
		put(made, at, left > 0, &byte, 1);
		break;
	case 2:
		put(made, at, 0, &special[byte % (sizeof special - 1)], 1);
		break;
	case 3:
		put(made, at, len < left ? len : left, NULL, 0);
		break;
	case 4:
		len = len < left ? len : left;
		memcpy(own, made->data + at, len);
		put(made, below(seed, made->size + 1), 0, own, len);
		break;
	case 5:
		if (other->size > 0)
			put(made, at, 0, other->data + from,
			    other->size - from < len ? other->size - from : len);
		break;
	default:
		if (other->size > 0)
			put(made, at, left, other->data + from, other->size - from);
	}
}

static void make(struct made *made, const struct input corpus[], size_t n, uint64_t *seed)
{
	const struct input *base = &corpus[below(seed, n)];

	made->size = base->size < SIZE_MAX_MADE ? base->size : SIZE_MAX_MADE;
	memcpy(made->data, base->data, made->size);
	for (size_t i = 1 + below(seed, CHANGES_MAX); i > 0; i--)
		change(made, &corpus[below(seed, n)], seed);
}

static void run_all(struct made *made, const struct input corpus[], size_t n, uint64_t seed,
		    unsigned long count)
{
	seed = seed * 2 + 1;	/* never 0 */
	for (made->number = 0; made->number < count; made->number++) {
		uint8_t *exact;

		make(made, corpus, n, &seed);
		exact = malloc(made->size);
		if (exact != NULL && made->size > 0)
			memcpy(exact, made->data, made->size);
		LLVMFuzzerTestOneInput(exact, made->size);
		free(exact);
	}
}

static void keep_input(const struct made *made, const char *keep)
{
	FILE *file = fopen(keep, "wb");

	if (file == NULL || fwrite(made->data, 1, made->size, file) != made->size)
		perror(keep);
	if (file != NULL)
		fclose(file);
	fprintf(stderr, "input %lu failed; it is in %s\n", made->number, keep);
}

int mutate_run(const struct input corpus[], size_t n, uint64_t seed, unsigned long count,
	       const char *keep)
{
	struct made *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t child;

	if (made == MAP_FAILED || n == 0 || (child = fork()) < 0) {
		perror("mutate");
		return 1;
	}
	if (child == 0) {
		run_all(made, corpus, n, seed, count);
		exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0) {
		if (made->number < count)
			keep_input(made, keep);
		munmap(made, sizeof *made);
		return 1;
	}
	munmap(made, sizeof *made);
	return 0;
}
