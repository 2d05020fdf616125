/* test-siphash.c - against the reference implementation's own table: key 00 01 … 0f, input 00 01 … */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/siphash.h"

static void reference(void **state)
{
	static const struct { size_t len; const char *hash; } cases[] = {
		{ 0, "a3817f04ba25a8e66df67214c7550293" },
		{ 1, "da87c1d86b99af44347659119b22fc45" },
		{ 7, "a1f1ebbed8dbc153c0b84aa61ff08239" },
		{ 8, "3b62a9ba6258f5610f83e264f31497b4" },
		{ 15, "5493e99933b0a8117e08ec0f97cfc3d9" },
		{ 16, "6ee2a4ca67b054bbfd3315bf85230577" },
		{ 17, "473d06e8738db89854c066c47ae47740" },
		{ 63, "5150d1772f50834a503e069a973fbd7c" },
	};
	unsigned char key[SIPHASH_KEY], input[64], hash[SIPHASH_SIZE];
	(void)state;
	for (unsigned char i = 0; i < sizeof key; i++)
		key[i] = i;
	for (unsigned char i = 0; i < sizeof input; i++)
		input[i] = i;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[2 * SIPHASH_SIZE + 1];
		siphash(key, input, cases[i].len, hash);
		for (size_t k = 0; k < sizeof hash; k++)
			snprintf(text + 2 * k, 3, "%02x", hash[k]);
		assert_string_equal(text, cases[i].hash);
	}
}

static void key_counts(void **state)
{
	unsigned char key[SIPHASH_KEY] = { 0 }, one[SIPHASH_SIZE], other[SIPHASH_SIZE];
	(void)state;
	siphash(key, "a", 1, one);
	key[15] = 1;
	siphash(key, "a", 1, other);
	assert_memory_not_equal(one, other, sizeof one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference),
		cmocka_unit_test(key_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
