/* timer.c - a binary heap; each timer knows its place. */
#include "dispatch/timer.h"

#include <stdlib.h>

#include "base/memory.h"

void timers_free(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){ 0 };
}

static void put(struct timers *t, size_t i, struct timer *x)
{
	t->heap[i] = x;
	x->place = i + 1;
}

static void rise(struct timers *t, size_t i)
{
	struct timer *x = t->heap[i];
	while (i > 0 && t->heap[(i - 1) / 2]->at > x->at) {
		put(t, i, t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(t, i, x);
}

static void sink(struct timers *t, size_t i)
{
	struct timer *x = t->heap[i];
	for (size_t child; (child = 2 * i + 1) < t->n; i = child) {
		if (child + 1 < t->n && t->heap[child + 1]->at < t->heap[child]->at)
			child++;
		if (x->at <= t->heap[child]->at)
			break;
		put(t, i, t->heap[child]);
	}
	put(t, i, x);
}

void timer_set(struct timers *t, struct timer *x, int64_t at)
{
	if (x->place == 0) {
		if (t->n == t->room) {
			t->room = t->room * 2 + 16;
			t->heap = xrealloc(t->heap, t->room, sizeof(struct timer *));
		}
		put(t, t->n++, x);
	}
	x->at = at;
	rise(t, x->place - 1);
	sink(t, x->place - 1);
}

void timer_sooner(struct timers *t, struct timer *x, int64_t at)
{
	if (x->place == 0 || at < x->at)
		timer_set(t, x, at);
}

void timer_clear(struct timers *t, struct timer *x)
{
	if (x->place == 0)
		return;
	size_t i = x->place - 1;
	struct timer *last = t->heap[--t->n];
	x->place = 0;
	if (last == x)
		return;
	put(t, i, last);
	rise(t, i);
	sink(t, last->place - 1);
}

struct timer *timers_due(struct timers *t, int64_t now)
{
	if (t->n == 0 || t->heap[0]->at > now)
		return NULL;
	struct timer *x = t->heap[0];
	timer_clear(t, x);
	return x;
}

int64_t timers_next(const struct timers *t)
{
	return t->n == 0 ? TIMER_NEVER : t->heap[0]->at;
}
