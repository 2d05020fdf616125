/* host-deliver.c - a sink or filter in the process of its own: the engine's sender or stage, and a thread that sends what comes of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/span.h"
#include "base/thread.h"
#include "core/host-part.h"
#include "event/codec.h"
#include "event/event.h"

/* Back to the daemon. */

static void add(struct host *h, const struct message *m)
{
	int failed = link_add(&h->link, m);
	if (failed < 0)
		host_end(failed == -ENOMEM ? "out of memory" : "an answer is too long");
}

static void answer(struct host *h, struct pb_delivery *d)
{
	struct message m = {
		.kind = MESSAGE_ANSWER, .token = d->part, .code = d->code, .after = d->after,
		.response = span_of(d->response, d->response_len), .reason = span_str(d->text),
	};
	add(h, &m);
	event_unref(d->event);
	free(d->text);
	free(d->response);
	batch_unref(d->batch);
}

/* Without the name of the filter, which the daemon puts there itself. */
static const char *reason_of(const struct host *h, const struct chain_job *job)
{
	size_t len = strlen("filter : ") + strlen(h->config->name);
	return strlen(job->reason) >= len ? job->reason + len : job->reason;
}

static void pass(struct host *h, struct chain_job *job)
{
	struct message m = {
		.kind = job->failed == 0 ? MESSAGE_PASSED : MESSAGE_FAILED, .token = atomic_load(&h->job),
		.retry = job->failed == -EAGAIN, .reason = span_str(reason_of(h, job)),
	};
	struct buf packed = BUF_INIT(BUF_MAX);
	size_t at = 0;
	for (size_t i = 0; job->failed == 0 && i < job->in.n; i++)
		if (codec_pack(&packed, job->in.list[i]) < 0)
			host_end("out of memory");
	for (size_t i = 0; job->failed == 0 && i < job->in.n; i++) {
		size_t len = codec_size(job->in.list[i]);
		message_list_add(&m.events, span_of(packed.data + at, len));
		at += len;
	}
	if (link_add(&h->link, &m) < 0) {
		m.kind = MESSAGE_FAILED;
		m.reason = span_str("what it made of the event is too large");
		add(h, &m);
	}
	message_list_free(&m.events);
	buf_free(&packed);
	chain_job_free(job);
}

/* All that came since the last time goes out at once. */
static void send_answers(struct host *h)
{
	struct intake got;
	size_t n = 0;
	inbox_take(&h->inbox, &got);
	pthread_mutex_lock(&h->sending);
	for (struct pb_delivery *d = got.answers, *next; d != NULL; d = next, n++) {
		next = d->next;
		answer(h, d);
	}
	for (struct chain_job *job = got.chained, *next; job != NULL; job = next, n++) {
		next = job->next;
		pass(h, job);
	}
	int failed = link_flush_wait(&h->link, -1);
	pthread_mutex_unlock(&h->sending);
	if (failed < 0)
		host_end(NULL);
	atomic_fetch_sub(&h->open, n);
}

static void *run_answers(void *arg)
{
	struct host *h = arg;
	while (!atomic_load(&h->leaving) || atomic_load(&h->open) > 0) {
		inbox_wait(&h->inbox, -1);
		send_answers(h);
	}
	return NULL;
}

/* From the daemon. */

static struct batch *make_batch(struct host *h)
{
	size_t n = h->n_waiting;
	struct batch *b = batch_new(&h->outlet, n);
	for (size_t i = 0; i < n; i++) {
		struct pb_delivery *d = &b->d[b->n];
		*d = (struct pb_delivery){
			.magic = DELIVERY_MAGIC, .attempt = h->waiting[i].attempt, .part = h->waiting[i].token,
			.event = h->waiting[i].event, .batch = b,
		};
		b->list[b->n++] = d;
	}
	atomic_store(&b->refs, n + 1);
	h->n_waiting = 0;
	return b;
}

static bool take_delivery(struct host *h, const struct message *m)
{
	struct pb_event *ev = h->self->kind == CONFIG_SINK ? codec_unpack(m->event) : NULL;
	if (ev == NULL)
		return false;
	if (h->n_waiting == h->waiting_room) {
		h->waiting_room = h->waiting_room * 2 + 16;
		h->waiting = xrealloc(h->waiting, h->waiting_room, sizeof *h->waiting);
	}
	h->waiting[h->n_waiting++] = (struct waiting){
		.event = ev, .attempt = (unsigned)m->attempt, .token = (uint32_t)m->token,
	};
	atomic_fetch_add(&h->open, 1);
	if (!m->more)
		sender_queue(&h->sender, make_batch(h));
	return true;
}

static bool take_job(struct host *h, const struct message *m)
{
	struct pb_event *ev = h->self->kind == CONFIG_FILTER ? codec_unpack(m->event) : NULL;
	if (ev == NULL)
		return false;
	atomic_fetch_add(&h->open, 1);
	atomic_store(&h->job, m->token);
	chain_submit(chain_job_alone(h->stages, &h->inbox, ev));
	event_unref(ev);
	return true;
}

bool host_deliver_take(struct host *h, const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_DELIVER: return take_delivery(h, m);
	case MESSAGE_APPLY: return take_job(h, m);
	case MESSAGE_REOPEN:
		if (h->self->kind == CONFIG_SINK)
			sender_reopen(&h->sender);
		return true;
	default: return m->kind == MESSAGE_STOP;
	}
}

static void init_sink(struct host *h)
{
	struct outlet *o = &h->outlet;
	*o = (struct outlet){
		.config = h->config, .inbox = &h->inbox, .sender = &h->sender,
		.async = plugin_use_plugin(h->use)->sink->submit != NULL,
		.max_response = (size_t)options_int(h->config->options, "max_response"),
	};
	instance_init(&o->self, h->config, h->use, &h->env, 0);
	o->self.outlet = o;
	sender_init(&h->sender, h->config->name);
	sender_add(&h->sender, o);
	h->self = &o->self;
}

void host_deliver_init(struct host *h, unsigned worker)
{
	inbox_init(&h->inbox, 0);
	if (h->config->kind == CONFIG_SINK) {
		init_sink(h);
	} else {
		stage_init_some(&h->stage, h->config, h->use, &h->env, 1);
		h->stages[0] = &h->stage;
		h->self = &h->stage.workers[0].self;
		h->self->worker = worker;
	}
}

bool host_deliver_start(struct host *h)
{
	int failed = h->self->kind == CONFIG_SINK ? sender_start(&h->sender) : stage_start(&h->stage);
	return failed == 0 && thread_start(&h->answers, "answers", run_answers, h) == 0;
}

void host_deliver_stop(struct host *h)
{
	const struct pb_sink *sink = h->self->plugin->sink;
	if (h->self->kind == CONFIG_SINK) {
		sender_stop(&h->sender);
		sender_join(&h->sender, &clock_system, INT64_MAX);
		if (h->outlet.async && sink->stop != NULL)
			sink->stop(h->self->state);
	}
	atomic_store(&h->leaving, true);
	inbox_wake(&h->inbox);
	pthread_join(h->answers, NULL);
	if (h->self->kind == CONFIG_FILTER) {
		stage_stop(&h->stage);
		stage_join(&h->stage, INT64_MAX);
	}
}

void host_deliver_fini(struct host *h)
{
	if (h->self->kind == CONFIG_SINK) {
		instance_fini(h->self);
		sender_fini(&h->sender);
	} else {
		stage_fini(&h->stage);
	}
	inbox_fini(&h->inbox);
	for (size_t i = 0; i < h->n_waiting; i++)
		event_unref(h->waiting[i].event);
	free(h->waiting);
}
