/* base64.c - three bytes to four characters and back. */
#include <errno.h>
#include <string.h>

#include "event/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(const unsigned char *s, size_t n, char out[static 4])
{
	uint32_t bits = (uint32_t)s[0] << 16;

	if (n > 1)
		bits |= (uint32_t)s[1] << 8;
	if (n > 2)
		bits |= s[2];
	for (size_t i = 0; i < 4; i++)
		out[i] = i > n ? '=' : alphabet[bits >> (18 - 6 * i) & 0x3f];
}

int base64_encode(struct buf *to, struct pb_span bytes)
{
	const unsigned char *s = bytes.data;
	int rc = buf_reserve(to, bytes.len / 3 * 4 + 4);

	for (size_t left = bytes.len; rc == 0 && left > 0; ) {
		size_t n = left < 3 ? left : 3;
		char group[4];

		encode_group(s, n, group);
		rc = buf_add(to, group, sizeof group);
		s += n;
		left -= n;
	}
	return rc;
}

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The bytes of one group, of which the last may be padded: 1 to 3, or 0 for a fault. */
static size_t decode_group(const char *s, bool last, unsigned char out[static 3])
{
	size_t digits = last && s[3] == '=' ? (s[2] == '=' ? 2 : 3) : 4;
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < digits ? digit_value(s[i]) : 0;

		if (digit < 0)
			return 0;
		bits = bits << 6 | (uint32_t)digit;
	}
	if ((digits == 2 && (bits & 0xffff) != 0) || (digits == 3 && (bits & 0xff) != 0))
		return 0;
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8 & 0xff);
	out[2] = (unsigned char)(bits & 0xff);
	return digits - 1;
}

int base64_decode(struct buf *to, struct pb_span text)
{
	const char *s = text.data;
	size_t before = to->len;
	int rc;

	if (text.len % 4 != 0)
		return -EINVAL;
	rc = buf_reserve(to, text.len / 4 * 3);
	for (size_t i = 0; rc == 0 && i < text.len; i += 4) {
		unsigned char bytes[3];
		size_t n = decode_group(s + i, i + 4 == text.len, bytes);

		rc = n == 0 ? -EINVAL : buf_add(to, bytes, n);
	}
	if (rc != 0 && to->data != NULL) {
		to->len = before;
		to->data[before] = '\0';
	}
	return rc;
}
