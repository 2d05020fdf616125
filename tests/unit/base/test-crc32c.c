/* test-crc32c.c - both ways to the checksum, against RFC 3720 and against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/crc32c.h"

typedef uint32_t crc_function(uint32_t, const void *, size_t);
static crc_function *const both[] = { crc32c, crc32c_portable };

/* RFC 3720 appendix B.4's SCSI Read (10) command. */
static const unsigned char scsi_read[48] = {
	0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00,
	0x00, 0x18, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00,
};

static void vectors_of_the_rfc(void **state)
{
	(void)state;
	unsigned char zeros[32] = { 0 }, ones[32], up[32], down[32];
	memset(ones, 0xff, sizeof ones);
	for (unsigned char i = 0; i < 32; i++) {
		up[i] = i;
		down[i] = (unsigned char)(31 - i);
	}
	const struct {
		const void *data;
		size_t len;
		uint32_t crc;
	} vectors[] = {
		{ zeros, 32, 0x8a9136aa }, { ones, 32, 0x62a8ab43 }, { up, 32, 0x46dd794e },
		{ down, 32, 0x113fdb5c }, { scsi_read, 48, 0xd9963a56 },
		{ "123456789", 9, 0xe3069283 }, { "", 0, 0 },
	};
	for (size_t f = 0; f < 2; f++)
		for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
			assert_int_equal(both[f](0, vectors[i].data, vectors[i].len),
					 vectors[i].crc);
}

/* The definition, a bit at a time, is the judge. */
static uint32_t by_bits(const unsigned char *p, size_t len)
{
	uint32_t crc = UINT32_MAX;
	for (; len > 0; len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void fill(unsigned char *p, size_t len)
{
	uint32_t x = 1;
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (unsigned char)(x >> 24);
	}
}

static void every_length_and_alignment(void **state)
{
	(void)state;
	unsigned char data[96];
	fill(data, sizeof data);
	for (size_t start = 0; start < 9; start++)
		for (size_t len = 0; start + len <= sizeof data; len++)
			for (size_t f = 0; f < 2; f++)
				assert_int_equal(both[f](0, data + start, len),
						 by_bits(data + start, len));
}

static void parts_make_the_whole(void **state)
{
	(void)state;
	unsigned char data[64];
	fill(data, sizeof data);
	for (size_t f = 0; f < 2; f++)
		for (size_t cut = 0; cut <= sizeof data; cut++) {
			uint32_t first = both[f](0, data, cut);
			assert_int_equal(both[f](first, data + cut, sizeof data - cut),
					 both[1 - f](0, data, sizeof data));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_rfc),
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(parts_make_the_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
