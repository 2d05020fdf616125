/* breaker.c - a sink as a whole. */
#include "dispatch/breaker.h"

unsigned long breaker_allows(const struct breaker *b, unsigned long in_flight, unsigned long most)
{
	switch (b->state) {
	case BREAKER_CLOSED:
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

bool breaker_alive(struct breaker *b)
{
	/* Answers that were under way when it opened say nothing of the receiver now. */
	if (b->state != BREAKER_PROBING || !b->probe_out)
		return false;
	*b = (struct breaker){ .state = BREAKER_CLOSED };
	return true;
}

static void open_for(struct breaker *b, int64_t now, int64_t after)
{
	int64_t pause = BREAKER_FIRST_PAUSE;
	for (unsigned i = 0; i < b->trips && pause < BREAKER_LONGEST_PAUSE; i++)
		pause *= 2;
	if (pause > BREAKER_LONGEST_PAUSE)
		pause = BREAKER_LONGEST_PAUSE;
	if (pause < after)
		pause = after;
	b->state = BREAKER_OPEN;
	b->probe_out = false;
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

void breaker_untried(struct breaker *b, int64_t now)
{
	if (b->state == BREAKER_CLOSED || b->state == BREAKER_PROBING)
		open_for(b, now, 0);
}

bool breaker_gone(struct breaker *b)
{
	bool first = b->state != BREAKER_DISABLED;
	*b = (struct breaker){ .state = BREAKER_DISABLED };
	return first;
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
