/* inbox.c - the router's inbox. */
#include "dispatch/inbox.h"

#include <errno.h>
#include <stdlib.h>

#include "base/thread.h"
#include "dispatch/chain.h"
#include "dispatch/delivery.h"
#include "event/event.h"

void inbox_init(struct inbox *in, size_t limit)
{
	*in = (struct inbox){ .limit = limit };
	in->committed_last = &in->committed;
	in->calls_last = &in->calls;
	pthread_mutex_init(&in->lock, NULL);
	cond_init(&in->wake);
	cond_init(&in->called);
}

void inbox_fini(struct inbox *in)
{
	pthread_mutex_destroy(&in->lock);
	pthread_cond_destroy(&in->wake);
	pthread_cond_destroy(&in->called);
}

void inbox_limit(struct inbox *in, size_t limit)
{
	pthread_mutex_lock(&in->lock);
	in->limit = limit;
	pthread_mutex_unlock(&in->lock);
}

/* The stack's newest-first to oldest-first. */
static struct pb_delivery *oldest_first(struct pb_delivery *d)
{
	struct pb_delivery *turned = NULL;
	while (d != NULL) {
		struct pb_delivery *next = d->next;
		d->next = turned;
		turned = d;
		d = next;
	}
	return turned;
}

static struct chain_job *jobs_oldest_first(struct chain_job *job)
{
	struct chain_job *turned = NULL;
	while (job != NULL) {
		struct chain_job *next = job->next;
		job->next = turned;
		turned = job;
		job = next;
	}
	return turned;
}

void inbox_take(struct inbox *in, struct intake *got)
{
	got->answers = oldest_first(atomic_exchange(&in->answers, NULL));
	pthread_mutex_lock(&in->lock);
	got->committed = in->committed;
	got->chained = jobs_oldest_first(in->chained);
	got->calls = in->calls;
	got->saved = in->saved;
	got->saved_result = in->saved_result;
	in->committed = NULL;
	in->committed_last = &in->committed;
	in->bytes = 0;
	in->chained = NULL;
	in->calls = NULL;
	in->calls_last = &in->calls;
	in->saved = in->poked = false;
	pthread_mutex_unlock(&in->lock);
}

void intake_free(struct intake *got)
{
	for (struct pb_delivery *d = got->answers, *next; d != NULL; d = next) {
		next = d->next;
		free(d->text);
		free(d->response);
		batch_unref(d->batch);
	}
	for (struct committed *c = got->committed, *next; c != NULL; c = next) {
		next = c->next;
		for (size_t i = 0; c->in_memory && i < c->n; i++)
			event_unref(c->events[i]);
		buf_free(&c->marks);
		free(c->ids);
		free(c);
	}
	for (struct chain_job *job = got->chained, *next; job != NULL; job = next) {
		next = job->next;
		chain_job_free(job);
	}
}

static bool holds_nothing(const struct inbox *in)
{
	return !in->poked && in->committed == NULL && in->chained == NULL && in->calls == NULL && !in->saved &&
	       atomic_load(&in->answers) == NULL;
}

bool inbox_empty(struct inbox *in)
{
	pthread_mutex_lock(&in->lock);
	bool empty = holds_nothing(in);
	pthread_mutex_unlock(&in->lock);
	return empty;
}

void inbox_wait(struct inbox *in, int64_t ms)
{
	pthread_mutex_lock(&in->lock);
	atomic_store(&in->asleep, true);	/* before the look at `answers`: see inbox_answer() */
	if (holds_nothing(in))
		cond_wait_ms(&in->wake, &in->lock, ms);
	atomic_store(&in->asleep, false);
	pthread_mutex_unlock(&in->lock);
}

void inbox_wake(struct inbox *in)
{
	pthread_mutex_lock(&in->lock);
	in->poked = true;
	pthread_cond_signal(&in->wake);
	pthread_mutex_unlock(&in->lock);
}

bool inbox_has_room(struct inbox *in, size_t bytes)
{
	pthread_mutex_lock(&in->lock);
	bool room = in->bytes + bytes <= in->limit;
	pthread_mutex_unlock(&in->lock);
	return room;
}

size_t inbox_bytes(struct inbox *in)
{
	pthread_mutex_lock(&in->lock);
	size_t bytes = in->bytes;
	pthread_mutex_unlock(&in->lock);
	return bytes;
}

void inbox_committed(struct inbox *in, struct committed *c)
{
	pthread_mutex_lock(&in->lock);
	c->next = NULL;
	*in->committed_last = c;
	in->committed_last = &c->next;
	in->bytes += c->bytes;
	pthread_cond_signal(&in->wake);
	pthread_mutex_unlock(&in->lock);
}

void inbox_answer(struct inbox *in, struct pb_delivery *d)
{
	struct pb_delivery *newest = atomic_load(&in->answers);
	do
		d->next = newest;
	while (!atomic_compare_exchange_weak(&in->answers, &newest, d));
	/* Only the first of a pile can find the router asleep on an empty one. */
	if (newest == NULL && atomic_load(&in->asleep))
		inbox_wake(in);
}

void inbox_chained(struct inbox *in, struct chain_job *job)
{
	pthread_mutex_lock(&in->lock);
	job->next = in->chained;
	in->chained = job;
	pthread_cond_signal(&in->wake);
	pthread_mutex_unlock(&in->lock);
}

void inbox_saved(struct inbox *in, int result)
{
	pthread_mutex_lock(&in->lock);
	in->saved = true;
	in->saved_result = result;
	pthread_cond_signal(&in->wake);
	pthread_mutex_unlock(&in->lock);
}

int inbox_call(struct inbox *in, struct inbox_call *call)
{
	pthread_mutex_lock(&in->lock);
	bool refused = in->closed;
	if (!refused) {
		call->next = NULL;
		call->done = call->later = false;
		*in->calls_last = call;
		in->calls_last = &call->next;
		pthread_cond_signal(&in->wake);
		while (!call->done && !in->closed)
			pthread_cond_wait(&in->called, &in->lock);
		refused = !call->done;
	}
	pthread_mutex_unlock(&in->lock);
	return refused ? -EAGAIN : 0;
}

void inbox_called(struct inbox *in, struct inbox_call *call)
{
	pthread_mutex_lock(&in->lock);
	call->done = true;
	pthread_cond_broadcast(&in->called);
	pthread_mutex_unlock(&in->lock);
}

void inbox_close(struct inbox *in)
{
	pthread_mutex_lock(&in->lock);
	in->closed = true;
	pthread_cond_broadcast(&in->called);
	pthread_mutex_unlock(&in->lock);
}
