/* bucket.h - a token bucket: so many a time, with a burst. */
#ifndef DISPATCH_BUCKET_H
#define DISPATCH_BUCKET_H

#include <stddef.h>
#include <stdint.h>

#include "config/rate.h"

struct bucket {
	struct rate rate;	/* count 0: no limit */
	double burst, tokens;
	int64_t at;		/* monotonic ms when `tokens` was right */
};

/* Full at first. `burst` 0: what the rate gives in a second, at least one. */
void bucket_init(struct bucket *, const struct rate *, int64_t burst, int64_t now);
/* How many may go now: SIZE_MAX without a limit. */
size_t bucket_has(struct bucket *, int64_t now);
/* `n` went, of those that bucket_has() allowed. */
void bucket_take(struct bucket *, size_t n);
/* ms until one more may go; at least 1. */
int64_t bucket_wait(const struct bucket *, int64_t now);

#endif
