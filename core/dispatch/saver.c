/* saver.c - batches to the state. */
#include "dispatch/saver.h"

#include <errno.h>

#include "base/log.h"
#include "base/thread.h"

#define FULL_PAUSE 500	/* ms between two tries */

void saver_init(struct saver *s, struct state *state, struct inbox *inbox)
{
	*s = (struct saver){ .state = state, .inbox = inbox };
	pthread_mutex_init(&s->lock, NULL);
	cond_init(&s->wake);
	batch_init(&s->batch);
}

void saver_fini(struct saver *s)
{
	batch_free(&s->batch);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
}

/* A full disk: what was answered waits here for room, and so do the slots behind it. */
static int apply(struct saver *s)
{
	int result;
	bool said = false;
	while ((result = state_apply(s->state, &s->batch)) == -ENOSPC) {
		if (!said)
			log_error("no space to save the state: progress is not saved until space returns");
		said = true;
		pthread_mutex_lock(&s->lock);
		bool stopping = s->stopping;
		if (!stopping)
			cond_wait_ms(&s->wake, &s->lock, FULL_PAUSE);
		pthread_mutex_unlock(&s->lock);
		if (stopping)
			break;
	}
	return result;
}

static void *run(void *arg)
{
	struct saver *s = arg;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		if (!s->busy && s->stopping)
			break;
		if (!s->busy) {
			pthread_cond_wait(&s->wake, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		int result = apply(s);
		pthread_mutex_lock(&s->lock);
		batch_reset(&s->batch);
		s->busy = false;
		inbox_saved(s->inbox, result);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int saver_start(struct saver *s)
{
	int failed = thread_start(&s->thread, "saver", run, s);
	s->started = failed == 0;
	return failed;
}

void saver_apply(struct saver *s, struct state_batch *batch)
{
	pthread_mutex_lock(&s->lock);
	struct state_batch empty = s->batch;
	s->batch = *batch;
	*batch = empty;
	s->busy = s->started;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (s->started)
		return;
	int result = state_apply(s->state, &s->batch);	/* a test, which has no threads */
	batch_reset(&s->batch);
	inbox_saved(s->inbox, result);
}

void saver_stop(struct saver *s)
{
	if (!s->started)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->started = false;
}
