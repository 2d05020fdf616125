/* rate.h - the text of `rate =` to a number a time. */
#ifndef CONFIG_RATE_H
#define CONFIG_RATE_H

#include <stdint.h>

#include "base/error.h"

struct rate {
	int64_t count;		/* 0: no limit */
	int64_t period_ms;
};

/* "100/s", "30/m", "1000/h", or "" for none. 0, or -EINVAL after error_add(err, "rate", …). */
int rate_parse(const char *text, struct rate *, struct pb_error *err);

#endif
