/* rate.c - events a second, minute or hour. */
#include "config/rate.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

#define COUNT_MAX INT64_C(1000000000)

int rate_parse(const char *text, struct rate *rate, struct pb_error *err)
{
	static const struct { const char *unit; int64_t ms; } units[] = {
		{ "/s", 1000 }, { "/m", 60000 }, { "/h", 3600000 },
	};
	size_t len = strlen(text);
	char number[24] = "";
	*rate = (struct rate){ 0, 1000 };
	if (len == 0)
		return 0;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (len < 3 || len - 2 >= sizeof number || strcmp(text + len - 2, units[i].unit) != 0)
			continue;
		memcpy(number, text, len - 2);
		if (parse_int(number, &rate->count) == 0 && rate->count > 0 && rate->count <= COUNT_MAX) {
			rate->period_ms = units[i].ms;
			return 0;
		}
	}
	*rate = (struct rate){ 0, 1000 };
	error_add(err, "rate", "\"%s\" is not a rate; expected a number a second, minute or hour, "
		  "such as 100/s, 30/m or 1000/h", text);
	return -EINVAL;
}
