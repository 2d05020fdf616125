/* sender.c - batches to plugins. */
#include "dispatch/sender.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/step.h"
#include "base/thread.h"
#include "dispatch/outlet.h"

void sender_init(struct sender *s, const char *name)
{
	*s = (struct sender){ .name = name };
	s->last = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	cond_init(&s->wake);
	cond_init(&s->ended_cond);
}

void sender_fini(struct sender *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->ended_cond);
	free(s->outlets);
}

void sender_add(struct sender *s, struct outlet *o)
{
	pthread_mutex_lock(&s->lock);
	s->outlets = xrealloc(s->outlets, s->n_outlets + 1, sizeof(struct outlet *));
	s->outlets[s->n_outlets++] = o;
	pthread_mutex_unlock(&s->lock);
}

/* With the lock held. */
static void take_out(struct sender *s, const struct outlet *o)
{
	for (size_t i = 0; i < s->n_outlets; i++)
		if (s->outlets[i] == o)
			s->outlets[i] = s->outlets[--s->n_outlets];
}

void sender_remove(struct sender *s, const struct outlet *o)
{
	pthread_mutex_lock(&s->lock);
	take_out(s, o);
	pthread_mutex_unlock(&s->lock);
}

bool sender_leave(struct sender *s, const struct outlet *o, const struct clock *clock, int64_t deadline)
{
	pthread_mutex_lock(&s->lock);
	take_out(s, o);
	s->n_leaving++;
	for (int64_t left; atomic_load(&s->calling) == o && (left = deadline - clock_mono(clock)) > 0; )
		cond_wait_ms(&s->ended_cond, &s->lock, left);
	s->n_leaving--;
	bool left = atomic_load(&s->calling) != o;
	pthread_mutex_unlock(&s->lock);
	return left;
}

static void answer_rest(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!atomic_load(&b->d[i].answered))
			delivery_answer(&b->d[i], PB_UNTRIED, 0, (struct pb_span){ NULL, 0 }, NULL);
}

/* The outlet may be gone once all is answered and the thread is not inside its plugin any more. */
static void hand_over(struct sender *s, struct batch *b, bool stopping)
{
	const struct pb_self *self = &b->outlet->self;
	const struct pb_sink *sink = self->plugin->sink;
	atomic_store(&s->since, clock_mono(self->env->clock));
	atomic_store(&s->calling, b->outlet);
	if (stopping) {
		answer_rest(b);
	} else if (b->outlet->async) {
		step_at("send: to be submitted");
		sink->submit(self->state, b->list, b->n);
		step_at("send: submitted");
	} else {
		step_at("send: to be written");
		sink->write(self->state, b->list, b->n);
		step_at("send: written");
		answer_rest(b);
	}
	atomic_store(&s->calling, NULL);
	batch_unref(b);
}

/* The i-th outlet, which is then being called; NULL when there are no more. */
static struct outlet *call_next(struct sender *s, size_t i)
{
	pthread_mutex_lock(&s->lock);
	struct outlet *o = i < s->n_outlets ? s->outlets[i] : NULL;
	atomic_store(&s->calling, o);
	if (s->n_leaving > 0)
		pthread_cond_broadcast(&s->ended_cond);
	pthread_mutex_unlock(&s->lock);
	return o;
}

static void reopen_all(struct sender *s)
{
	struct outlet *o;
	for (size_t i = 0; (o = call_next(s, i)) != NULL; i++) {
		atomic_store(&s->since, clock_mono(o->self.env->clock));
		if (o->self.opened && o->self.plugin->sink->reopen != NULL)
			o->self.plugin->sink->reopen(o->self.state);
	}
}

static struct batch *take(struct sender *s)
{
	struct batch *b = s->first;
	if (b != NULL)
		s->first = b->next;
	if (s->first == NULL)
		s->last = &s->first;
	return b;
}

bool sender_step(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	bool reopen = s->reopen, stopping = s->stopping;
	struct batch *b = take(s);
	s->reopen = false;
	if (s->n_leaving > 0)
		pthread_cond_broadcast(&s->ended_cond);
	pthread_mutex_unlock(&s->lock);
	if (reopen)
		reopen_all(s);
	if (b != NULL)
		hand_over(s, b, stopping);
	return reopen || b != NULL;
}

static void *run(void *arg)
{
	struct sender *s = arg;
	for (bool ended = false; !ended; ) {
		if (sender_step(s))
			continue;
		pthread_mutex_lock(&s->lock);
		if (s->first == NULL && !s->reopen && !s->stopping)
			pthread_cond_wait(&s->wake, &s->lock);
		ended = s->ended = s->stopping && s->first == NULL;
		pthread_cond_broadcast(&s->ended_cond);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

int sender_start(struct sender *s)
{
	int failed = thread_start(&s->thread, s->name, run, s);
	s->started = failed == 0;
	return failed;
}

void sender_queue(struct sender *s, struct batch *b)
{
	b->next = NULL;
	pthread_mutex_lock(&s->lock);
	*s->last = b;
	s->last = &b->next;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void sender_reopen(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	s->reopen = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void sender_stop(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

bool sender_join(struct sender *s, const struct clock *clock, int64_t deadline)
{
	if (!s->started)
		return true;
	pthread_mutex_lock(&s->lock);
	for (int64_t left; !s->ended && (left = deadline - clock_mono(clock)) > 0; )
		cond_wait_ms(&s->ended_cond, &s->lock, left);
	bool ended = s->ended;
	pthread_mutex_unlock(&s->lock);
	if (ended)
		pthread_join(s->thread, NULL);
	s->started = !ended;
	return ended;
}
