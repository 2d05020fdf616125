/* clock.c - the time that a plugin sees. */
#include "base/magic.h"
#include "testing/host.h"

static int64_t now(const struct clock *clock)
{
	const struct host_clock *c = CONTAINER_OF(clock, struct host_clock, clock);
	int64_t since = atomic_load(&c->since);
	int64_t more = since < 0 ? 0 : clock_mono(&clock_system) - since;
	return atomic_load(&c->passed) + more;
}

static int64_t wall(const struct clock *clock)
{
	return HOST_CLOCK_BEGIN + now(clock);
}

static int64_t fine(const struct clock *clock)
{
	return now(clock) * 1000;
}

void host_clock_init(struct host_clock *c)
{
	c->clock = (struct clock){ .wall = wall, .mono = now, .fine = fine };
	atomic_init(&c->passed, 0);
	atomic_init(&c->since, -1);
}

int64_t pbt_now(const struct pbt_host *host)
{
	return clock_wall(&host->clock.clock);
}
