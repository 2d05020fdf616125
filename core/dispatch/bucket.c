/* bucket.c - rates. */
#include "dispatch/bucket.h"

void bucket_init(struct bucket *b, const struct rate *rate, int64_t burst, int64_t now)
{
	double second = rate->count > 0 ? (double)rate->count * 1000 / (double)rate->period_ms : 0;
	*b = (struct bucket){ .rate = *rate, .at = now };
	b->burst = burst > 0 ? (double)burst : second < 1 ? 1 : second;
	b->tokens = b->burst;
}

size_t bucket_has(struct bucket *b, int64_t now)
{
	if (b->rate.count == 0)
		return SIZE_MAX;
	b->tokens += (double)(now - b->at) * (double)b->rate.count / (double)b->rate.period_ms;
	if (b->tokens > b->burst)
		b->tokens = b->burst;
	b->at = now;
	return (size_t)b->tokens;
}

void bucket_take(struct bucket *b, size_t n)
{
	if (b->rate.count > 0)
		b->tokens -= (double)n;
}

int64_t bucket_wait(const struct bucket *b, int64_t now)
{
	double missing = 1 - b->tokens;
	double ms = missing * (double)b->rate.period_ms / (double)b->rate.count - (double)(now - b->at);
	return ms < 1 ? 1 : (int64_t)ms + 1;
}
