/* keep.h - the text of `keep =`: how long, or how much of, what is delivered stays in the journal. */
#ifndef CONFIG_KEEP_H
#define CONFIG_KEEP_H

#include <stdint.h>

#include "base/error.h"

#define KEEP_SHARE_MAX(max_size) ((max_size) / 5 * 2)	/* what is only kept has no more of the store's `max_size` */

struct keep {
	int64_t ms;		/* 0: not by age */
	uint64_t bytes;		/* 0: not by size */
};

/* "7d", "2GiB", or "" or "0" for nothing. 0, or -EINVAL after error_add(err, "keep", …). */
int keep_parse(const char *text, struct keep *, struct pb_error *err);

#endif
