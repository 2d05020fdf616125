/*
 * id.c - UUIDv7.
 *
 * After the 48 bits of ms comes a counter of 26 bits (rand_a and the first 14 of
 * rand_b; RFC 9562 section 6.2, method 1), which begins each ms at random in its
 * lower half, then 48 bits at random. When the clock stands or goes back the last
 * ms is kept and the counter goes on; when that is full, the ms does.
 */
#include "base/id.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MS_MAX ((INT64_C(1) << 48) - 1)
#define COUNTER_BITS 26
#define COUNTER_MAX ((UINT32_C(1) << COUNTER_BITS) - 1)
#define RANDOM_MASK ((UINT64_C(1) << 48) - 1)

void id_gen_init(struct id_gen *g)
{
	*g = (struct id_gen){ .last_ms = -1 };
}

/* Without random bytes no id can be promised to be unique. */
static void pool_fill(struct id_gen *g)
{
	ssize_t n;
	do {
		n = getrandom(g->pool, sizeof g->pool, 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof g->pool)
		abort();
	g->have = sizeof g->pool;
}

static uint64_t pool_take(struct id_gen *g)
{
	uint64_t v;
	if (g->have < sizeof v)
		pool_fill(g);
	unsigned char *p = g->pool + (sizeof g->pool - g->have);
	memcpy(&v, p, sizeof v);
	memset(p, 0, sizeof v);
	g->have -= (unsigned)sizeof v;
	return v;
}

static void id_step(struct id_gen *g, int64_t wall_ms, uint64_t random)
{
	if (wall_ms <= g->last_ms && g->counter < COUNTER_MAX) {
		g->counter++;
		return;
	}
	g->last_ms = wall_ms > g->last_ms ? wall_ms : g->last_ms + 1;
	g->counter = (uint32_t)(random >> 48) << 9 & (COUNTER_MAX >> 1);
}

#define HEX(high) #high "0" #high "1" #high "2" #high "3" #high "4" #high "5" #high "6" #high "7" \
	#high "8" #high "9" #high "a" #high "b" #high "c" #high "d" #high "e" #high "f"

/* The lowest 8 * `n` bits, two digits a byte. */
static char *put_hex(char *to, uint64_t bits, unsigned n)
{
	static const char bytes[] = HEX(0) HEX(1) HEX(2) HEX(3) HEX(4) HEX(5) HEX(6) HEX(7)
				    HEX(8) HEX(9) HEX(a) HEX(b) HEX(c) HEX(d) HEX(e) HEX(f);
	for (unsigned i = n; i-- > 0; to += 2)
		memcpy(to, bytes + 2 * (bits >> 8 * i & 0xff), 2);
	return to;
}

static void id_write(uint64_t high, uint64_t low, char text[static ID_TEXT_SIZE])
{
	char *p = put_hex(text, high >> 32, 4);
	*p++ = '-';
	p = put_hex(p, high >> 16, 2);
	*p++ = '-';
	p = put_hex(p, high, 2);
	*p++ = '-';
	p = put_hex(p, low >> 48, 2);
	*p++ = '-';
	p = put_hex(p, low, 6);
	*p = '\0';
}

void id_new(struct id_gen *g, int64_t wall_ms, char text[static ID_TEXT_SIZE])
{
	int64_t ms = wall_ms < 0 ? 0 : wall_ms > MS_MAX ? MS_MAX : wall_ms;
	uint64_t random = pool_take(g);
	id_step(g, ms, random);
	uint64_t high = (uint64_t)g->last_ms << 16 | UINT64_C(7) << 12 | g->counter >> 14;
	uint64_t low = UINT64_C(2) << 62 | (uint64_t)(g->counter & 0x3fff) << 48 |
		       (random & RANDOM_MASK);
	id_write(high, low, text);
}

uint64_t random_below(struct id_gen *g, uint64_t bound)
{
	assert(bound > 0);
	/* What is under 2^64 mod bound would make small results likelier. */
	uint64_t skip = (UINT64_MAX - bound + 1) % bound;
	uint64_t v;
	do {
		v = pool_take(g);
	} while (v < skip);
	return v % bound;
}
