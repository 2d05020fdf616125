/*
 * calls.c - calls of the plugin that fail when the test says so.
 *
 * Some are given nothing that leads to a host, so the counts are the process's.
 */
#include "testing/host.h"

static struct {
	_Atomic unsigned made, fails_at;
} calls[PBT_CALLS];

void pbt_fail_at(enum pbt_call call, unsigned nth)
{
	if ((int)call < 0 || call >= PBT_CALLS)
		misuse(NULL, "pbt_fail_at() of call %d, which is none", (int)call);
	atomic_store(&calls[call].fails_at, nth);
	atomic_store(&calls[call].made, 0);
}

unsigned pbt_calls(enum pbt_call call)
{
	return atomic_load(&calls[call].made);
}

bool call_fails(enum pbt_call call)
{
	unsigned nth = atomic_fetch_add(&calls[call].made, 1) + 1;
	return nth == atomic_load(&calls[call].fails_at);
}
