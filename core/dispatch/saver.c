/* saver.c - batches to the state. */
#include "dispatch/saver.h"

#include <errno.h>

#include "base/log.h"
#include "base/step.h"
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

bool saver_step(struct saver *s)
{
	pthread_mutex_lock(&s->lock);
	bool busy = s->busy;
	pthread_mutex_unlock(&s->lock);
	if (!busy)
		return false;
	step_at("save: to be applied");
	int result = state_apply(s->state, &s->batch);
	step_at("save: applied");
	if (result == -ENOSPC) {	/* what was answered waits for room, and so do the slots behind it */
		if (!s->full)
			log_error("no space to save the state: progress is not saved until space returns");
		s->full = true;
		return false;
	}
	pthread_mutex_lock(&s->lock);
	batch_reset(&s->batch);
	s->busy = s->full = false;
	pthread_mutex_unlock(&s->lock);
	inbox_saved(s->inbox, result);
	return true;
}

static void *run(void *arg)
{
	struct saver *s = arg;
	for (bool ended = false; !ended; ) {
		if (saver_step(s))
			continue;
		pthread_mutex_lock(&s->lock);
		bool idle = !s->busy || s->full;
		ended = s->stopping && idle;
		if (!ended && idle)	/* woken to stop, it tries once more */
			cond_wait_ms(&s->wake, &s->lock, s->full ? FULL_PAUSE : -1);
		pthread_mutex_unlock(&s->lock);
	}
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
	s->busy = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
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
