/* test-magic.c - an object knows what it is, and a member its object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/magic.h"

#define THING_MAGIC 0x7a1b2c3du

struct thing {
	unsigned magic;
	int before;
	int member;
};

static void member_leads_to_object(void **state)
{
	(void)state;
	struct thing thing = { .magic = THING_MAGIC };
	assert_ptr_equal(CONTAINER_OF(&thing.member, struct thing, member), &thing);
}

static void born_object_passes(void **state)
{
	(void)state;
	struct thing thing = { .magic = THING_MAGIC };
	CHECK_OBJ(&thing, THING_MAGIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(member_leads_to_object),
		cmocka_unit_test(born_object_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
