/* siphash.c - SipHash-2-4-128, as Aumasson and Bernstein describe it. */
#include "base/siphash.h"

#include <stdint.h>

#include "base/bytes.h"

struct sip {
	uint64_t v[4];
};

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void rounds(struct sip *s, int n)
{
	uint64_t *v = s->v;
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void take(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	rounds(s, 2);
	s->v[0] ^= word;
}

static uint64_t finish(struct sip *s)
{
	rounds(s, 4);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

void siphash(const unsigned char key[static SIPHASH_KEY], const void *data, size_t len,
	     unsigned char to[static SIPHASH_SIZE])
{
	const unsigned char *at = data;
	uint64_t k0 = get_le64(key), k1 = get_le64(key + 8), last = (uint64_t)len << 56;
	struct sip s = { {
		k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573),
	} };
	for (; len >= 8; len -= 8, at += 8)
		take(&s, get_le64(at));
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)at[i] << (8 * i);
	take(&s, last);
	s.v[2] ^= 0xee;
	put_le64(to, finish(&s));
	s.v[1] ^= 0xdd;
	put_le64(to + 8, finish(&s));
}
