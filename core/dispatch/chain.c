/* chain.c - filters at work. */
#include "dispatch/chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/thread.h"
#include "dispatch/router.h"
#include "event/event.h"

void parts_add(struct parts *p, struct pb_event *ev)
{
	if (p->n == p->room) {
		p->room = p->room * 2 + 4;
		p->list = xrealloc(p->list, p->room, sizeof(struct pb_event *));
	}
	p->list[p->n++] = ev;
}

void parts_free(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		event_unref(p->list[i]);
	free(p->list);
	*p = (struct parts){ 0 };
}

void stage_init(struct stage *st, struct config_instance *in, struct plugin_use *use,
		const struct instance_env *env)
{
	stage_init_some(st, in, use, env, (size_t)options_int(in->options, "workers"));
}

void stage_init_some(struct stage *st, struct config_instance *in, struct plugin_use *use,
		     const struct instance_env *env, size_t n)
{
	*st = (struct stage){ .config = in, .n_workers = n };
	st->last = &st->first;
	pthread_mutex_init(&st->lock, NULL);
	cond_init(&st->wake);
	st->workers = xcalloc(st->n_workers, sizeof *st->workers);
	for (unsigned i = 0; i < st->n_workers; i++) {
		struct stage_worker *w = &st->workers[i];
		instance_init(&w->self, in, use, env, i);
		w->self.stage = st;
		w->stage = st;
	}
}

void stage_fini(struct stage *st)
{
	for (struct chain_job *job = st->first, *next; job != NULL; job = next) {
		next = job->next;
		chain_job_free(job);
	}
	for (size_t i = 0; i < st->n_workers; i++)
		instance_fini(&st->workers[i].self);
	free(st->workers);
	pthread_mutex_destroy(&st->lock);
	pthread_cond_destroy(&st->wake);
}

struct chain_job *chain_job_new(struct route *route, struct inbox *inbox, const struct pb_event *event,
				struct slot *const slots[], size_t n)
{
	struct chain_job *job = xcalloc(1, sizeof *job);
	route->jobs++;
	*job = (struct chain_job){
		.route = route, .stages = route->stages, .n_stages = route->n_stages, .inbox = inbox, .n_slots = n,
		.event = event_ref(event), .slots = xcalloc(n, sizeof(struct slot *)),
	};
	memcpy(job->slots, slots, n * sizeof(struct slot *));
	parts_add(&job->in, event_ref(event));
	return job;
}

struct chain_job *chain_job_alone(struct stage *const stage[static 1], struct inbox *inbox, const struct pb_event *event)
{
	struct chain_job *job = xcalloc(1, sizeof *job);
	*job = (struct chain_job){ .stages = stage, .n_stages = 1, .inbox = inbox, .event = event_ref(event) };
	parts_add(&job->in, event_ref(event));
	return job;
}

void chain_job_free(struct chain_job *job)
{
	parts_free(&job->in);
	parts_free(&job->out);
	event_unref(job->event);
	free(job->slots);
	free(job);
}

/* Every part has an id of its own: the event's, "ID~2", and so on, over all that the stage made, so
 * that no two are alike whatever earlier stages did. */
static bool name_parts(struct parts *out, const struct pb_event *base)
{
	char id[EVENT_ID_MAX + 16];
	for (size_t i = 0; i < out->n; i++) {
		if (i == 0)
			snprintf(id, sizeof id, "%s", event_id(base));
		else
			snprintf(id, sizeof id, "%s~%zu", event_id(base), i + 1);
		if (event_set(out->list[i], "id", id) < 0)
			return false;
	}
	return true;
}

void stage_pass(struct pb_self *self, struct pb_event *ev)
{
	struct stage_worker *w = CONTAINER_OF(self, struct stage_worker, self);
	if (ev == w->own)
		w->own = NULL;
	if (w->job->out.n >= CHAIN_PARTS_MAX) {
		w->job->failed = -EBADMSG;
		event_unref(ev);
		return;
	}
	parts_add(&w->job->out, ev);
}

static void apply(struct stage_worker *w, const struct pb_event *ev)
{
	struct chain_job *job = w->job;
	struct pb_error err;
	w->own = event_copy(ev, event_body(ev));
	if (w->own == NULL) {
		job->failed = -EAGAIN;
		return;
	}
	error_init(&err);
	int failed = w->self.plugin->filter->apply(w->self.state, w->own, &err);
	event_unref(w->own);
	if (failed == 0 && job->failed != 0)
		error_add(&err, NULL, "made more than %d events of one", CHAIN_PARTS_MAX);
	if (failed != 0 && job->failed == 0)
		job->failed = failed == -EAGAIN ? -EAGAIN : -EBADMSG;
	if (job->failed != 0)
		snprintf(job->reason, sizeof job->reason, "filter %s: %s", w->self.name,
			 error_text(&err)[0] != '\0' ? error_text(&err) : "failed");
	error_free(&err);
}

static void work(struct stage_worker *w, struct chain_job *job)
{
	w->job = job;
	for (size_t i = 0; i < job->in.n && job->failed == 0; i++)
		apply(w, job->in.list[i]);
	w->job = NULL;
	if (job->failed == 0 && !name_parts(&job->out, job->event)) {
		job->failed = -EBADMSG;
		snprintf(job->reason, sizeof job->reason, "filter %s: no id can be made for what it made: "
			 "that of the event is too long", w->self.name);
	}
	atomic_fetch_add(&w->stage->events, job->in.n);
	atomic_fetch_add(&w->stage->passed, job->failed == 0 ? job->out.n : 0);
	atomic_fetch_add(&w->stage->failures, job->failed != 0);
	atomic_fetch_sub(&w->stage->in_flight, 1);
	parts_free(&job->in);
	job->in = job->out;
	job->out = (struct parts){ 0 };
	job->at++;
	chain_submit(job);
}

void chain_submit(struct chain_job *job)
{
	if (job->failed != 0 || job->at == job->n_stages || job->in.n == 0) {
		inbox_chained(job->inbox, job);
		return;
	}
	struct stage *st = job->stages[job->at];
	job->next = NULL;
	atomic_fetch_add(&st->in_flight, 1);
	pthread_mutex_lock(&st->lock);
	*st->last = job;
	st->last = &job->next;
	st->n_waiting++;
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
}

/* The next job; NULL when there is none. Called with the lock held. */
static struct chain_job *take(struct stage *st)
{
	struct chain_job *job = st->first;
	if (job == NULL)
		return NULL;
	st->first = job->next;
	st->n_waiting--;
	if (st->first == NULL)
		st->last = &st->first;
	return job;
}

bool stage_step(struct stage_worker *w)
{
	pthread_mutex_lock(&w->stage->lock);
	struct chain_job *job = take(w->stage);
	pthread_mutex_unlock(&w->stage->lock);
	if (job != NULL)
		work(w, job);
	return job != NULL;
}

static void *run(void *arg)
{
	struct stage_worker *w = arg;
	struct stage *st = w->stage;
	for (bool stopping = false; !stopping; ) {
		bool worked = stage_step(w);
		pthread_mutex_lock(&st->lock);
		if (!worked && st->first == NULL && !st->stopping)
			pthread_cond_wait(&st->wake, &st->lock);
		stopping = st->stopping;
		pthread_mutex_unlock(&st->lock);
	}
	return NULL;
}

int stage_start(struct stage *st)
{
	for (size_t i = 0; i < st->n_workers; i++) {
		int failed = thread_start(&st->workers[i].thread, st->config->name, run,
					  &st->workers[i]);
		if (failed < 0)
			return failed;
		st->workers[i].started = true;
	}
	return 0;
}

void stage_stop(struct stage *st)
{
	pthread_mutex_lock(&st->lock);
	st->stopping = true;
	pthread_cond_broadcast(&st->wake);
	pthread_mutex_unlock(&st->lock);
}

size_t stage_waiting(struct stage *st)
{
	pthread_mutex_lock(&st->lock);
	size_t n = st->n_waiting;
	pthread_mutex_unlock(&st->lock);
	return n;
}

bool stage_join(struct stage *st, int64_t deadline)
{
	bool all = true;
	for (size_t i = 0; i < st->n_workers; i++) {
		struct stage_worker *w = &st->workers[i];
		w->started = w->started && !thread_join_until(w->thread, deadline);
		all = all && !w->started;
	}
	return all;
}
