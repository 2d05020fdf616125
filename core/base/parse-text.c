/* parse-text.c - lists, globs and UTF-8. */
#include "base/parse.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t\r\n"

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, BLANKS);
}

/* Each of the two moves *p past what it took, or to the fault. */
static int take_word(const char **p, char *item, size_t size)
{
	size_t len = strcspn(*p, "," BLANKS "\"");
	if (len == 0)
		return -EINVAL;
	if (len >= size)
		return -ERANGE;
	memcpy(item, *p, len);
	item[len] = '\0';
	*p += len;
	return 1;
}

static int take_quoted(const char **p, char *item, size_t size)
{
	size_t len = 0;
	const char *s = *p + 1;
	for (; *s != '"'; s++) {
		const char *at = s;
		if (*s == '\\')
			s++;
		if (*s == '\0' || (s != at && *s != '"' && *s != '\\')) {
			*p = at;
			return -EINVAL;
		}
		if (len + 1 >= size)
			return -ERANGE;
		item[len++] = *s;
	}
	item[len] = '\0';
	*p = s + 1;
	return 1;
}

int parse_list_next(const char **next, char *item, size_t size)
{
	const char *p = *next = skip_blanks(*next);
	if (*p == '\0')
		return 0;
	int r = *p == '"' ? take_quoted(next, item, size) : take_word(next, item, size);
	if (r != 1)
		return r;
	*next = skip_blanks(*next);
	if (**next == '\0')
		return 1;
	if (**next != ',')
		return -EINVAL;
	/* A comma promises another item, here rather than in the next call, which could
	 * not tell it from the beginning. */
	p = skip_blanks(*next + 1);
	if (*p == '\0')
		return -EINVAL;
	*next = p;
	return 1;
}

bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;
	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			/* Only the last star need take more: an earlier one gains nothing. */
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool is_tail(const unsigned char *p, size_t n)
{
	for (; n > 0; n--, p++)
		if ((*p & 0xc0) != 0x80)
			return false;
	return true;
}

size_t utf8_length(const void *at, size_t left)
{
	const unsigned char *p = at;
	if (left == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (n == 0 || left < n || !is_tail(p + 1, n - 1))
		return 0;
	bool wrong = (p[0] == 0xe0 && p[1] < 0xa0) ||	/* overlong */
		     (p[0] == 0xed && p[1] > 0x9f) ||	/* surrogate */
		     (p[0] == 0xf0 && p[1] < 0x90) ||	/* overlong */
		     (p[0] == 0xf4 && p[1] > 0x8f);	/* past U+10FFFF */
	return wrong ? 0 : n;
}

/* Most text is ASCII: eight bytes at a time. */
static size_t ascii_run(const unsigned char *p, size_t len)
{
	size_t i = 0;
	for (uint64_t v; len - i >= sizeof v; i += sizeof v) {
		memcpy(&v, p + i, sizeof v);
		if ((v & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return i;
}

bool utf8_valid(const void *data, size_t len)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < len; ) {
		i += ascii_run(p + i, len - i);
		if (i == len)
			break;
		size_t n = utf8_length(p + i, len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
