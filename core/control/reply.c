/* reply.c - the lines of an answer. */
#include "control/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/span.h"

json_t *reply_span(struct pb_span from)
{
	char *clean = xcalloc(from.len + 1, 1);
	const char *s = from.data;
	size_t left = from.len, n = 0;
	while (n < left) {
		size_t len = utf8_length(s + n, left - n);
		if (len > 0)
			memcpy(clean + n, s + n, len);
		else
			clean[n] = '?';
		n += len > 0 ? len : 1;
	}
	json_t *made = json_stringn(clean, n);
	free(clean);
	return made;
}

json_t *reply_text(const char *s)
{
	size_t len = strlen(s);
	return reply_span(span_of(s, len < REPLY_TEXT_MAX ? len : REPLY_TEXT_MAX));
}

json_t *reply_date(int64_t wall_ms)
{
	char s[TIME_TEXT_SIZE];
	time_format(wall_ms, s);
	return json_string(s);
}

json_t *reply_count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static int add_text(const char *s, size_t len, void *out)
{
	return buf_add(out, s, len);
}

void reply_line(struct buf *out, json_t *object)
{
	bool added = object != NULL &&
		     json_dump_callback(object, add_text, out, JSON_COMPACT) == 0;
	buf_add_char(out, '\n');
	if (!added && out->failed == 0)
		out->failed = -ENOMEM;
	json_decref(object);
}

void reply_end(struct buf *out)
{
	reply_line(out, json_pack("{s:b}", "end", 1));
}

void reply_error(struct buf *out, const char *code, const char *fmt, ...)
{
	char message[REPLY_TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof message, fmt, args);
	va_end(args);
	reply_line(out, json_pack("{s:o, s:s}", "error", reply_text(message), "code", code));
}
