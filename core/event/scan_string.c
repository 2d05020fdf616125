/* scan_string.c - RFC 8259 section 7: sixteen bytes at a time while nothing is special. */
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/parse.h"
#include "event/scan_part.h"

static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

const char *scan_plain(const char *s, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	const __m128i space = _mm_set1_epi8(' ');

	while (end - s >= 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)s);
		/* signed: what is over 0x7f is below a space, too */
		__m128i stop = _mm_or_si128(_mm_cmplt_epi8(bytes, space),
					    _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
							 _mm_cmpeq_epi8(bytes, backslash)));
		unsigned mask = (unsigned)_mm_movemask_epi8(stop);

		if (mask != 0)
			return s + __builtin_ctz(mask);
		s += 16;
	}
#endif
	while (s < end && is_plain(*s))
		s++;
	return s;
}

static bool is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* As utf8_length(), without a call for what most of the world's letters take. */
static size_t letter_length(const char *s, const char *end)
{
	unsigned char lead = (unsigned char)*s;

	if (lead >= 0xc2 && lead < 0xe0 && end - s >= 2 && is_tail(s[1]))
		return 2;
	if (lead > 0xe0 && lead < 0xed && end - s >= 3 && is_tail(s[1]) && is_tail(s[2]))
		return 3;
	return utf8_length(s, (size_t)(end - s));
}

static bool skip_utf8(const char **at, const char *end)
{
	while (*at < end && (unsigned char)**at >= 0x80) {
		size_t len = letter_length(*at, end);

		if (len == 0)
			return false;
		*at += len;
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX whose backslash is at `s`; -1: it is none. */
static long unit_at(const char *s, const char *end)
{
	long unit = 0;

	if (end - s < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_value(s[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static bool skip_escape(const char **at, const char *end)
{
	const char *s = *at;
	long unit;

	if (end - s < 2)
		return false;
	switch (s[1]) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		*at = s + 2;
		return true;
	case 'u':
		break;
	default:
		return false;
	}
	unit = unit_at(s, end);
	if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return false;
	*at = s + 6;
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	unit = unit_at(s + 6, end);
	if (unit < 0xdc00 || unit > 0xdfff)
		return false;
	*at = s + 12;
	return true;
}

bool scan_string(const char **at, const char *end, bool *escaped)
{
	bool ok = true;

	++*at;
	while (ok) {
		*at = scan_plain(*at, end);
		if (*at == end)
			return false;
		if (**at == '"') {
			++*at;
			return true;
		}
		if (**at == '\\') {
			*escaped = true;
			ok = skip_escape(at, end);
		} else {
			ok = (unsigned char)**at >= 0x80 && skip_utf8(at, end);
		}
	}
	return false;
}

static size_t utf8_encode(uint32_t c, char utf8[static 4])
{
	if (c < 0x80) {
		utf8[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		utf8[0] = (char)(0xc0 | c >> 6);
		utf8[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		utf8[0] = (char)(0xe0 | c >> 12);
		utf8[1] = (char)(0x80 | (c >> 6 & 0x3f));
		utf8[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	utf8[0] = (char)(0xf0 | c >> 18);
	utf8[1] = (char)(0x80 | (c >> 12 & 0x3f));
	utf8[2] = (char)(0x80 | (c >> 6 & 0x3f));
	utf8[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t scan_unescape(const char **at, char utf8[static 4])
{
	const char *s = *at;
	uint32_t c;

	*at = s + 2;
	switch (s[1]) {
	case 'b': *utf8 = '\b'; return 1;
	case 'f': *utf8 = '\f'; return 1;
	case 'n': *utf8 = '\n'; return 1;
	case 'r': *utf8 = '\r'; return 1;
	case 't': *utf8 = '\t'; return 1;
	case 'u': break;
	default: *utf8 = s[1]; return 1;
	}
	c = (uint32_t)unit_at(s, s + 6);
	*at = s + 6;
	if (c >= 0xd800 && c <= 0xdfff) {
		c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)unit_at(s + 6, s + 12) - 0xdc00);
		*at = s + 12;
	}
	return utf8_encode(c, utf8);
}
