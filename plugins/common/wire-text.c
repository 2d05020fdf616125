/* wire-text.c - bytes that grow, UTF-8, base64, JSON strings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

bool wire_bytes_add(struct pb_bytes *to, const void *data, size_t len)
{
	if (len > to->room - to->len) {
		size_t room = to->room * 2 + len + 256;
		char *grown = realloc(to->data, room);
		if (grown == NULL)
			return false;
		to->data = grown;
		to->room = room;
	}
	if (len > 0)
		memcpy(to->data + to->len, data, len);
	to->len += len;
	return true;
}

/* RFC 3629: the least and greatest second byte, by the first. */
size_t wire_utf8(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	if (left == 0 || s[0] < 0x80)
		return left > 0;
	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || len > left)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool wire_is_text(struct pb_span bytes)
{
	const char *s = bytes.data;
	for (size_t at = 0, n; at < bytes.len; at += n)
		if (s[at] == '\0' || (n = wire_utf8(s + at, bytes.len - at)) == 0)
			return false;
	return true;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool wire_base64(struct pb_bytes *to, struct pb_span bytes)
{
	const unsigned char *s = bytes.data;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
		unsigned group = s[i] << 16 | (n > 1 ? s[i + 1] << 8 : 0) | (n > 2 ? s[i + 2] : 0);
		char four[4] = { digits[group >> 18], digits[group >> 12 & 63],
				 n > 1 ? digits[group >> 6 & 63] : '=', n > 2 ? digits[group & 63] : '=' };
		if (!wire_bytes_add(to, four, 4))
			return false;
	}
	return true;
}

static int base64_digit(char c)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);
	return at == NULL ? -1 : (int)(at - digits);
}

/* The bytes of four characters, 0 when they are wrong; only the last four may be padded. */
static size_t base64_four(const char *s, bool last, char three[3])
{
	size_t pad = !last || s[3] != '=' ? 0 : s[2] == '=' ? 2 : 1;
	unsigned group = 0;
	for (size_t i = 0; i < 4; i++) {
		int digit = i >= 4 - pad ? 0 : base64_digit(s[i]);
		if (digit < 0)
			return 0;
		group = group << 6 | (unsigned)digit;
	}
	if (pad > 0 && (group & (pad == 2 ? 0xffffu : 0xffu)) != 0)
		return 0;	/* bits that stand for nothing */
	three[0] = (char)(group >> 16);
	three[1] = (char)(group >> 8);
	three[2] = (char)group;
	return 3 - pad;
}

/* In place of `text`, which is four thirds as long. Its length, or -EINVAL. */
static long base64_decode(char *text, size_t len)
{
	size_t made = 0;
	if (len % 4 != 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 4) {
		char three[3];
		size_t n = base64_four(text + i, i + 4 == len, three);
		if (n == 0)
			return -EINVAL;
		memcpy(text + made, three, n);
		made += n;
	}
	return (long)made;
}

int wire_content_base64(const struct wire_value *value, struct pb_bytes *to)
{
	size_t before = to->len;
	int failed = wire_content(value, to);
	if (failed < 0)
		return failed;
	long len = to->len == before ? 0 : base64_decode(to->data + before, to->len - before);
	to->len = before + (len > 0 ? (size_t)len : 0);
	return len < 0 ? -EINVAL : 0;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static bool add_escaped(struct pb_bytes *to, const char *s, size_t n)
{
	char text[8];
	if (n == 0)
		return wire_bytes_add(to, "\xef\xbf\xbd", 3);
	if (n > 1)
		return wire_bytes_add(to, s, n);
	snprintf(text, sizeof text, *s == '"' || *s == '\\' ? "\\%c" : "\\u%04x", *s);
	return wire_bytes_add(to, text, strlen(text));
}

bool wire_quote(struct pb_bytes *to, struct pb_span text)
{
	const char *s = text.data;
	bool added = wire_bytes_add(to, "\"", 1);
	for (size_t at = 0; added && at < text.len; ) {
		size_t plain = at;
		while (plain < text.len && is_plain(s[plain]))
			plain++;
		if (plain > at) {
			added = wire_bytes_add(to, s + at, plain - at);
			at = plain;
			continue;
		}
		size_t n = wire_utf8(s + at, text.len - at);
		added = add_escaped(to, s + at, n);
		at += n > 0 ? n : 1;
	}
	return added && wire_bytes_add(to, "\"", 1);
}

static unsigned hex4(const char *s)
{
	unsigned n = 0;
	for (int i = 0; i < 4; i++)
		n = n << 4 | (unsigned)(s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
	return n;
}

/* \uXXXX, or two of them, at `s`: how long it is. */
static size_t unescape_unicode(const char *s, char utf8[4], size_t *len)
{
	unsigned c = hex4(s + 2);
	size_t taken = 6;
	if (c >= 0xd800 && c < 0xdc00) {
		c = 0x10000 + ((c - 0xd800) << 10) + (hex4(s + 8) - 0xdc00);
		taken = 12;
	}
	*len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = *len; i-- > 1; c >>= 6)
		utf8[i] = (char)(0x80 | (c & 63));
	utf8[0] = (char)(first[*len] | c);
	return taken;
}

static size_t unescape_one(const char *s, char utf8[4], size_t *len)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	if (s[1] == 'u')
		return unescape_unicode(s, utf8, len);
	const char *at = strchr(from, s[1]);
	utf8[0] = at != NULL ? to[at - from] : s[1];
	*len = 1;
	return 2;
}

bool wire_unescape(struct pb_bytes *to, struct pb_span raw)
{
	const char *s = raw.data, *end = s + raw.len;
	while (s < end) {
		const char *escape = memchr(s, '\\', (size_t)(end - s));
		const char *plain_end = escape != NULL ? escape : end;
		char utf8[4];
		size_t len;
		if (!wire_bytes_add(to, s, (size_t)(plain_end - s)))
			return false;
		if (escape == NULL)
			return true;
		s = escape + unescape_one(escape, utf8, &len);
		if (!wire_bytes_add(to, utf8, len))
			return false;
	}
	return true;
}
