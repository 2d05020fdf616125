/* keep.c - a duration or a size. */
#include "config/keep.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

#define AGE_MAX (INT64_C(3650) * 86400000)
#define SIZE_MIN (INT64_C(1) << 20)

int keep_parse(const char *text, struct keep *keep, struct pb_error *err)
{
	int64_t value;
	*keep = (struct keep){ 0 };
	if (*text == '\0' || strcmp(text, "0") == 0)
		return 0;
	if (parse_duration(text, &value) == 0 && value > 0 && value <= AGE_MAX) {
		keep->ms = value;
		return 0;
	}
	if (parse_size(text, &value) == 0 && value >= SIZE_MIN) {
		keep->bytes = (uint64_t)value;
		return 0;
	}
	error_add(err, "keep", "\"%s\" is neither a time nor a size; expected how long what is delivered is kept, such "
		  "as 7d (up to 3650d), or how much, such as 2GiB (from 1MiB on)", text);
	return -EINVAL;
}
