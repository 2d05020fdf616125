/* schedule.c - the next tick: span by span of one offset each, within which local time is even. */
#include "timer/schedule.h"

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t ceil_div(int64_t a, int64_t b)
{
	return a / b + (a % b > 0);
}

/* Does the clock leap over a time that matches, when this span begins? */
static bool leaps_over(const struct cron *cron, const struct zone_span *span)
{
	int64_t from = span->begin + span->before, to = span->begin + span->offset;
	if (to <= from || to - from > SCHEDULE_SHIFT)
		return false;
	int64_t minute = cron_next(cron, ceil_div(from, 60));
	return minute != CRON_NEVER && minute * 60 < to;
}

/* From which local time on it is not a second time. */
static int64_t not_again(const struct zone_span *span, int64_t local)
{
	int64_t back = span->before - span->offset, first = span->begin + span->before;
	return back > 0 && back <= SCHEDULE_SHIFT && first > local ? first : local;
}

/* The first tick within the span, from `t` on; SCHEDULE_NEVER: none. */
static int64_t tick_within(const struct cron *cron, const struct zone_span *span, int64_t t)
{
	int64_t local = t + span->offset;
	if (cron->fixed && span->begin != INT64_MIN) {
		if (t <= span->begin && leaps_over(cron, span))
			return span->begin;
		local = not_again(span, local);
	}
	int64_t minute = cron_next(cron, ceil_div(local, 60));
	if (minute == CRON_NEVER)
		return SCHEDULE_NEVER;
	int64_t tick = minute * 60 - span->offset;
	return tick < span->end ? tick : SCHEDULE_NEVER;
}

int64_t schedule_next(const struct schedule *s, int64_t ms)
{
	if (s->every > 0)
		return (floor_div(ms, s->every) + 1) * s->every;
	int64_t t = floor_div(ms, 1000) + 1;
	for (;;) {
		struct zone_span span = zone_at(s->zone, t);
		int64_t tick = tick_within(&s->cron, &span, t);
		if (tick != SCHEDULE_NEVER)
			return tick * 1000;
		if (span.end == INT64_MAX)
			return SCHEDULE_NEVER;
		t = span.end;
	}
}
