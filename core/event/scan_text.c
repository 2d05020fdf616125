/* scan_text.c - what a JSON value says, as text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "event/scan.h"
#include "event/scan_part.h"

struct pb_span scan_trim(struct pb_span json)
{
	const char *s, *end;

	if (json.len == 0)
		return json;
	end = (const char *)json.data + json.len;
	s = scan_space(json.data, end);
	while (end > s && scan_space(end - 1, end) == end)
		end--;
	return span_of(s, (size_t)(end - s));
}

struct pb_span scan_piece(const char **at, const char *end, char utf8[static 4])
{
	const char *start = *at, *escape;

	if (*start == '\\')
		return span_of(utf8, scan_unescape(at, utf8));
	escape = memchr(start, '\\', (size_t)(end - start));
	*at = escape == NULL ? end : escape;
	return span_of(start, (size_t)(*at - start));
}

static long copy(struct pb_span text, char *out, size_t size)
{
	if (text.len >= size)
		return -ERANGE;
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return (long)text.len;
}

long scan_text(struct pb_span json, char *out, size_t size)
{
	struct pb_span value = scan_trim(json);
	const char *s = value.data, *end;
	char utf8[4], *to = out;

	if (!scan_valid(value, NULL))
		return -EINVAL;
	if (*s != '"')
		return copy(value, out, size);
	end = s++ + value.len - 1;
	while (s < end) {
		struct pb_span piece = scan_piece(&s, end, utf8);
		long len = copy(piece, to, size - (size_t)(to - out));

		if (len < 0)
			return len;
		if (piece.data == utf8 && utf8[0] == '\0')
			return -EINVAL;
		to += len;
	}
	return to == out ? copy(span_of("", 0), out, size) : to - out;
}

char *scan_text_new(struct pb_span json)
{
	char *text = malloc(json.len + 1);
	if (text != NULL && scan_text(json, text, json.len + 1) < 0)
		text[0] = '\0';
	return text;
}
