/* retry.h - the text of `retry =` to waits. */
#ifndef CONFIG_RETRY_H
#define CONFIG_RETRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define RETRY_WAITS_MAX 1000

struct retry {
	size_t n;	/* waits; an event has n + 1 attempts */
	int64_t *waits;	/* ms */
};

/* "5s, 5m, 30m", "exponential(1s, 1h, 20)" (first, cap, count; doubling) or "none". 0, or
 * -EINVAL after error_add(err, "retry", …). */
int retry_parse(const char *text, struct retry *, struct pb_error *err);
void retry_free(struct retry *);

#endif
