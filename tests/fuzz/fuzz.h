/*
 * fuzz.h - a fuzz target: libFuzzer's own interface.
 *
 * With --enable-fuzz a target is a libFuzzer program. Without, replay.c gives it every
 * file of its corpus, tests/fuzz/corpus/NAME/, as part of `make check`.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Do what is to be tested with any bytes at all; assert what must hold. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
