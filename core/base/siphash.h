/*
 * siphash.h - SipHash-2-4 with 128 bits: a keyed hash of short input.
 *
 * Who does not know the key cannot make two inputs meet, so the hash can stand for what a sender chose. A
 * few lines of ours, since no library that the core links has one.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>

#define SIPHASH_KEY 16
#define SIPHASH_SIZE 16

/* The hash of `len` bytes under the key, as the reference implementation writes it. [any] */
void siphash(const unsigned char key[static SIPHASH_KEY], const void *data, size_t len,
	     unsigned char to[static SIPHASH_SIZE]);

#endif
