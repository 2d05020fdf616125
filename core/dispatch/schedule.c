/* schedule.c - waits between attempts. */
#include "dispatch/schedule.h"

int64_t schedule_wait(const struct retry *retry, unsigned attempts, int64_t after, int64_t max_after,
		      struct id_gen *random)
{
	if (attempts == 0 || attempts > retry->n)
		return -1;
	int64_t wait = retry->waits[attempts - 1];
	int64_t fifth = wait / 5;
	if (fifth > 0)
		wait += (int64_t)random_below(random, (uint64_t)(2 * fifth) + 1) - fifth;
	if (after > max_after)
		after = max_after;
	return wait > after ? wait : after;
}
