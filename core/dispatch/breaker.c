/* breaker.c - a sink as a whole. */
#include "dispatch/breaker.h"

unsigned long breaker_allows(const struct breaker *b, unsigned long in_flight, unsigned long most)
{
	switch (b->state) {
	case BREAKER_CLOSED:
		if (b->ramp > 0 && b->ramp < most)
			most = b->ramp;
		return most > in_flight ? most - in_flight : 0;
	case BREAKER_PROBING:
		return b->probe_out || in_flight > 0 ? 0 : 1;
	default:
		return 0;
	}
}

void breaker_sent(struct breaker *b)
{
	if (b->state == BREAKER_PROBING)
		b->probe_out = true;
}

bool breaker_alive(struct breaker *b, unsigned long most)
{
	b->failures = 0;
	if (b->state == BREAKER_CLOSED && b->ramp > 0)
		b->ramp = b->ramp * 2 < most ? b->ramp * 2 : 0;
	/* Answers that were under way when it opened say nothing of the receiver now. */
	if (b->state != BREAKER_PROBING || !b->probe_out)
		return false;
	b->state = BREAKER_CLOSED;
	b->trips = 0;
	b->probe_out = false;
	b->ramp = 1;
	return true;
}

bool breaker_waited(struct breaker *b, unsigned long in_flight)
{
	if (b->state != BREAKER_CLOSED || b->ramp == 0 || in_flight < b->ramp)
		return false;
	b->ramp++;
	return true;
}

static void open_for(struct breaker *b, int64_t now, int64_t after)
{
	int64_t pause = b->first_pause;
	for (unsigned i = 0; i < b->trips && pause < b->longest_pause; i++)
		pause *= 2;
	if (pause > b->longest_pause)
		pause = b->longest_pause;
	pause += pause * b->spread / 1024;
	if (pause < after)
		pause = after;
	b->state = BREAKER_OPEN;
	b->probe_out = false;
	b->failures = 0;
	b->until = now + pause;
}

bool breaker_down(struct breaker *b, int64_t now, int64_t after)
{
	if (b->state == BREAKER_DISABLED || b->state == BREAKER_OPEN)
		return false;
	bool first = b->state == BREAKER_CLOSED;
	open_for(b, now, after);
	b->trips++;
	return first;
}

bool breaker_failed(struct breaker *b, int64_t now)
{
	if (b->state == BREAKER_PROBING && b->probe_out)
		return breaker_down(b, now, 0);
	if (b->state != BREAKER_CLOSED || b->failures_max == 0 || ++b->failures < b->failures_max)
		return false;
	return breaker_down(b, now, 0);
}

void breaker_untried(struct breaker *b, int64_t now)
{
	if (b->state == BREAKER_CLOSED || b->state == BREAKER_PROBING)
		open_for(b, now, 0);
}

bool breaker_gone(struct breaker *b)
{
	bool first = b->state != BREAKER_DISABLED;
	b->state = BREAKER_DISABLED;
	b->probe_out = false;
	return first;
}

void breaker_enable(struct breaker *b)
{
	b->state = BREAKER_CLOSED;
	b->failures = b->trips = 0;
	b->ramp = 1;
}

void breaker_expired(struct breaker *b, int64_t now)
{
	if (b->state == BREAKER_OPEN && now >= b->until)
		b->state = BREAKER_PROBING;
}

const char *breaker_name(const struct breaker *b)
{
	static const char *const names[] = { "running", "down", "probing", "disabled" };
	return names[b->state];
}
