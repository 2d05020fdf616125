/* id.h - UUIDv7 (RFC 9562 section 5.7): 48 bits of ms, then random; ids of one generator ascend. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdint.h>

#define ID_TEXT_SIZE 37

/* One a thread: no lock. Random bits are from getrandom(2), read ahead in bulk. */
struct id_gen {
	int64_t last_ms;
	uint32_t counter;	/* within one ms: rand_a and more, so that order holds */
	unsigned have;		/* unused bytes at the end of pool */
	unsigned char pool[256];
};

/* Nothing taken yet; no memory of its own. A fork must not go on with its parent's. */
void id_gen_init(struct id_gen *);
/* A new id for the time `wall_ms`, as text. A clock that goes back does not make ids descend: the
 * latest ms is kept. Without random bytes the process ends. */
void id_new(struct id_gen *, int64_t wall_ms, char text[static ID_TEXT_SIZE]);
/* Uniform below `bound` (> 0): for jitter. */
uint64_t random_below(struct id_gen *, uint64_t bound);

#endif
