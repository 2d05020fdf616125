/* test-http-bearer.c - which Authorization headers show the token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/bearer.h"

static const struct {
	bool good;
	const char *authorization, *token;
} rows[] = {
	{ true, "Bearer secret", "secret" },
	{ true, "bearer secret", "secret" },
	{ true, "Bearer   secret", "secret" },
	{ false, NULL, "secret" },
	{ false, "", "secret" },
	{ false, "Bearer", "secret" },
	{ false, "Bearer ", "secret" },
	{ false, "secret", "secret" },
	{ false, "Basic secret", "secret" },
	{ false, "Bearersecret", "secret" },
	{ false, "Bearer secre", "secret" },
	{ false, "Bearer secretsecret", "secret" },
	{ false, "Bearer secret ", "secret" },
	{ false, "Bearer Secret", "secret" },
	{ false, "Bearer xecret", "secret" },
	{ false, "Bearer secrex", "secret" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (bearer_matches(rows[i].authorization, rows[i].token) != rows[i].good)
			fail_msg("row %zu: %s", i, rows[i].authorization);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
