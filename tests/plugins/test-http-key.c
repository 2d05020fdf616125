/* test-http-key.c - what headers make a key, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/key.h"

static char long_text[2000];

#define IDEM(text) { .idempotency = (text) }
static const struct {
	struct key_given given;
	const char *key;	/* NULL: refused */
	size_t len;
} cases[] = {
	{ { .ce_source = "/s" }, "", 0 },
	{ IDEM("abc"), "kabc", 4 },
	{ IDEM("  abc \t"), "kabc", 4 },
	{ IDEM("\"abc\""), "kabc", 4 },
	{ IDEM("\"abc\" "), "kabc", 4 },
	{ IDEM("\"abc\";a=1"), "kabc", 4 },
	{ IDEM("\"a\\\"b\\\\\""), "ka\"b\\", 5 },
	{ IDEM(""), NULL, 0 },
	{ IDEM("  "), NULL, 0 },
	{ IDEM("\"\""), NULL, 0 },
	{ IDEM("\"abc"), NULL, 0 },
	{ IDEM("\"abc\\"), NULL, 0 },
	{ IDEM("\"a\\bc\""), NULL, 0 },
	{ IDEM("\"abc\"d"), NULL, 0 },
	{ IDEM("\"\xc3\xa4\""), NULL, 0 },
	{ IDEM(long_text), NULL, 0 },
	{ IDEM(long_text + 2000 - 1 - 255), "kxxx", 256 },
	{ IDEM(long_text + 2000 - 1 - 256), NULL, 0 },
	{ { .webhook = "msg_1" }, "wmsg_1", 6 },
	{ { .webhook = " " }, NULL, 0 },
	{ { .webhook = long_text }, NULL, 0 },
	{ { .ce_id = "1", .ce_source = "/s" }, "c/s\0001", 5 },
	{ { .ce_id = "1" }, "c\0001", 3 },
	{ { .ce_id = "", .ce_source = "/s" }, NULL, 0 },
	{ { .ce_id = long_text, .ce_source = "/s" }, NULL, 0 },
	{ { .ce_id = "1", .ce_source = long_text }, NULL, 0 },
	{ { .idempotency = "a", .webhook = "b", .ce_id = "c" }, "ka", 2 },
	{ { .webhook = "b", .ce_id = "c" }, "wb", 2 },
};

static void keys(void **state)
{
	(void)state;
	memset(long_text, 'x', sizeof long_text - 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct key key;
		const char *wrong = key_make(&key, &cases[i].given);
		if ((wrong == NULL) != (cases[i].key != NULL))
			fail_msg("case %zu: %s", i, wrong != NULL ? wrong : "taken");
		if (wrong != NULL)
			continue;
		assert_int_equal(key.len, cases[i].len);
		assert_memory_equal(key.bytes, cases[i].key, key.len < 4 ? key.len : 4);
		if (key.len <= 16)
			assert_memory_equal(key.bytes, cases[i].key, key.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keys) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
