/*
 * stop.c - the way down: sources first, then what is in flight, then the rest stays on disk.
 *
 * Each step waits for those before it, all within one limit; who is late is named, and the next
 * step goes on without it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"
#include "dispatch/engine.h"

struct stop {
	struct dispatch *d;
	int64_t deadline;	/* monotonic ms */
	bool late;
};

static void note_late(struct stop *s, const char *title, const char *what)
{
	log_write(PB_WARN, title, "%s within shutdown_timeout", what);
	s->late = true;
}

static void stop_feeds(struct stop *s)
{
	struct dispatch *d = s->d;
	for (size_t i = 0; i < d->n_feeds; i++)
		feed_stop(d->feeds[i]);
	commit_room(&d->commit);
	/* A source that is late must not take the sinks' time too. */
	int64_t deadline = s->deadline - d->env.shutdown_ms / 2;
	for (size_t i = 0; i < d->n_feeds; i++) {
		struct feed *f = d->feeds[i];
		if (!f->started)
			continue;
		if (thread_join_until(f->thread, deadline))
			f->started = false;
		else
			note_late(s, f->self.title, "did not stop");
	}
}

/* Something to do on the router's thread. */
struct stop_call {
	struct inbox_call call;
	struct stop *stop;
};

static void begin_draining(struct inbox_call *call)
{
	((struct stop_call *)call)->stop->d->router.draining = true;
}

static void name_late_sinks(struct inbox_call *call)
{
	struct stop *s = ((struct stop_call *)call)->stop;
	struct router *r = &s->d->router;
	for (size_t i = 0; i < r->n_outlets; i++)
		if (r->outlets[i]->in_flight > 0)
			note_late(s, r->outlets[i]->self.title, "did not answer what was in flight");
	for (size_t i = 0; i < s->d->retired.n_outlets; i++)
		if (s->d->retired.outlets[i]->in_flight > 0)
			note_late(s, s->d->retired.outlets[i]->self.title,
				  "did not answer what it had since before the reload");
}

static void on_router(struct stop *s, void (*run)(struct inbox_call *))
{
	struct stop_call call = { .call.run = run, .stop = s };
	if (s->d->router.started)
		inbox_call(&s->d->router.inbox, &call.call);
}

static void stop_senders(struct stop *s)
{
	struct dispatch *d = s->d;
	for (size_t i = 0; i < d->n_writers; i++)
		sender_stop(d->writers[i]);
	sender_stop(&d->submitter);
	for (size_t i = 0; i < d->n_writers; i++)
		if (!sender_join(d->writers[i], d->env.instance.clock, s->deadline))
			note_late(s, d->writers[i]->outlets[0]->self.title, "did not finish writing");
	if (!sender_join(&d->submitter, d->env.instance.clock, s->deadline))
		note_late(s, NULL, "a sink did not return from submit()");
}

/* One whose thread is inside submit() is left alone. */
static void stop_sinks(struct stop *s)
{
	struct router *r = &s->d->router;
	if (s->d->submitter.started)
		return;
	for (size_t i = 0; i < r->n_outlets; i++)
		retire_end(r->outlets[i]);
	for (size_t i = 0; i < s->d->retired.n_outlets; i++)
		retire_end(s->d->retired.outlets[i]);
}

static void wait_drained(struct stop *s)
{
	struct router *r = &s->d->router;
	pthread_mutex_lock(&r->drained_lock);
	for (int64_t left; !r->drained && (left = s->deadline - router_now(r)) > 0; )
		cond_wait_ms(&r->drained_cond, &r->drained_lock, left);
	bool drained = r->drained;
	pthread_mutex_unlock(&r->drained_lock);
	if (!drained)
		on_router(s, name_late_sinks);
}

static void stop_stages(struct stop *s)
{
	struct dispatch *d = s->d;
	for (size_t i = 0; i < d->n_stages; i++)
		stage_stop(d->stages[i]);
	for (size_t i = 0; i < d->n_stages; i++)
		if (!stage_join(d->stages[i], s->deadline))
			note_late(s, d->stages[i]->workers[0].self.title, "did not stop");
	if (!retire_stop(d, s->deadline))
		s->late = true;
}

bool dispatch_stop(struct dispatch *d)
{
	struct router *r = &d->router;
	struct stop s = { .d = d, .deadline = router_now(r) + d->env.shutdown_ms };
	stop_feeds(&s);
	on_router(&s, begin_draining);
	stop_senders(&s);
	stop_sinks(&s);
	if (r->started)
		wait_drained(&s);
	stop_stages(&s);
	if (r->started) {
		atomic_store(&r->stop, true);
		inbox_wake(&r->inbox);
		pthread_join(r->thread, NULL);
		r->started = false;
	}
	saver_stop(&r->saver);
	return !s.late;
}
