/* mutate.h - inputs made from a corpus, for fuzz targets in an ordinary build. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct input {
	uint8_t *data;
	size_t size;
};

/* Make `count` inputs from the `n` of the corpus and give each to the target. The same seed
 * makes the same inputs. An input that ends the process is left in the file `keep`. 0, or 1 when
 * one did. */
int mutate_run(const struct input corpus[], size_t n, uint64_t seed, unsigned long count,
	       const char *keep);

#endif
