/* escape.c - text from outside. */
#include "cli/escape.h"

#include <stdbool.h>

#include "base/parse.h"

/* C0, DEL, or C1 as UTF-8 has it. */
static bool is_control(const unsigned char *at, size_t len)
{
	return (len == 1 && (*at < 0x20 || *at == 0x7f)) || (len == 2 && *at == 0xc2 && at[1] < 0xa0);
}

void escape_print(FILE *to, struct pb_span text, const char *indent)
{
	const unsigned char *at = text.data, *end = at + text.len;
	bool fresh = true;	/* at the beginning of a line */
	while (at < end) {
		size_t len = utf8_length(at, (size_t)(end - at));
		if (fresh)
			fputs(indent, to);
		fresh = *at == '\n';
		if (len > 0 && (*at == '\n' || *at == '\t' || !is_control(at, len))) {
			fwrite(at, 1, len, to);
			at += len;
			continue;
		}
		for (size_t n = len == 0 ? 1 : len; n > 0; n--)
			fprintf(to, "\\x%02x", *at++);
	}
	if (!fresh)
		fputc('\n', to);
}
