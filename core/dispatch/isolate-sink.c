/* isolate-sink.c - a sink in a process of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "dispatch/delivery.h"
#include "dispatch/isolate.h"
#include "event/codec.h"

#define PACKED_MAX (256u << 10)		/* bytes that wait to be sent: more is packed when they are */

/* One delivery that is not answered. */
struct flight {
	UT_hash_handle hh;
	struct flight *next;		/* in the queue, or of what is to be answered */
	struct pb_delivery *d;
	int64_t token;
	uint64_t at;			/* where its frame begins in what is sent */
	bool more;			/* the next one is of the same batch */
	enum pb_code code;
	int64_t after;
	char *response;
	size_t response_len;
	char reason[DELIVERY_TEXT_MAX];
};

struct isolated_sink {
	struct keeper keeper;
	/* The keeper's lock guards all of it. */
	struct flight *queue, **last;	/* not packed yet */
	struct flight *flights;		/* packed, by token */
	struct flight *answered;	/* to be told by isolated_after() */
	size_t n;			/* all three */
	int64_t token;			/* the last one */
	struct buf event;
};

static struct isolated_sink *sink_of(struct keeper *k)
{
	return CONTAINER_OF(k, struct isolated_sink, keeper);
}

static void finish(struct isolated_sink *s, struct flight *f, enum pb_code code, const char *reason)
{
	f->code = code;
	snprintf(f->reason, sizeof f->reason, "%s", reason);
	f->next = s->answered;
	s->answered = f;
}

static struct flight *take_queued(struct isolated_sink *s)
{
	struct flight *f = s->queue;
	s->queue = f->next;
	if (s->queue == NULL)
		s->last = &s->queue;
	return f;
}

static void pack(struct isolated_sink *s, struct flight *f)
{
	struct link *link = &s->keeper.iso.link;
	buf_reset(&s->event);
	int failed = codec_pack(&s->event, f->d->event);
	struct message m = {
		.kind = MESSAGE_DELIVER, .token = f->token, .attempt = f->d->attempt, .more = f->more,
		.event = buf_span(&s->event),
	};
	f->at = link->sent + link_waiting(link);
	if (failed == 0)
		failed = link_add(link, &m);
	if (failed == 0)
		HASH_ADD(hh, s->flights, token, sizeof f->token, f);
	else
		finish(s, f, failed == -EMSGSIZE ? PB_REJECT : PB_RETRY,
		       failed == -EMSGSIZE ? "too large for its process" : "out of memory");
}

static void pump(struct keeper *k)
{
	struct isolated_sink *s = sink_of(k);
	while (s->queue != NULL && k->iso.leaving)	/* it was told that nothing more comes */
		finish(s, take_queued(s), PB_UNTRIED, "");
	while (s->queue != NULL && link_waiting(&k->iso.link) < PACKED_MAX)
		pack(s, take_queued(s));
}

static bool take(struct keeper *k, const struct message *m)
{
	struct isolated_sink *s = sink_of(k);
	struct flight *f = NULL;
	char reason[DELIVERY_TEXT_MAX];
	if (m->kind == MESSAGE_ANSWER)
		HASH_FIND(hh, s->flights, &m->token, sizeof m->token, f);
	if (f == NULL)
		return false;
	HASH_DEL(s->flights, f);
	f->after = m->after;
	f->response_len = m->response.len;
	f->response = m->response.len == 0 ? NULL : malloc(m->response.len);
	if (f->response != NULL)
		memcpy(f->response, m->response.data, m->response.len);
	else
		f->response_len = 0;
	isolated_text(m->reason, reason, sizeof reason);
	finish(s, f, (enum pb_code)m->code, reason);
	return true;
}

/* What it may have begun with is tried again, the rest was never sent. */
static void lost(struct keeper *k)
{
	struct isolated_sink *s = sink_of(k);
	bool down = k->state == KEEPER_DOWN;
	struct flight *f, *next;
	HASH_ITER(hh, s->flights, f, next) {
		HASH_DEL(s->flights, f);
		bool sent = f->at < k->iso.link.sent;
		finish(s, f, sent ? PB_RETRY : down ? PB_DOWN : PB_UNTRIED, k->why);
	}
	while (s->queue != NULL)
		finish(s, take_queued(s), down ? PB_DOWN : PB_UNTRIED, k->why);
}

/* In the order that they were answered in. */
static struct flight *oldest_first(struct flight *f)
{
	struct flight *turned = NULL;
	while (f != NULL) {
		struct flight *next = f->next;
		f->next = turned;
		turned = f;
		f = next;
	}
	return turned;
}

/* Answers go out without the lock, and are counted off when they are out: then write() may return. */
static void after(struct keeper *k)
{
	struct isolated_sink *s = sink_of(k);
	size_t n = 0;
	pthread_mutex_lock(&k->lock);
	struct flight *f = oldest_first(s->answered);
	s->answered = NULL;
	pthread_mutex_unlock(&k->lock);
	for (struct flight *next; f != NULL; f = next, n++) {
		next = f->next;
		delivery_answer(f->d, f->code, f->after, span_of(f->response, f->response_len), f->reason);
		free(f->response);
		free(f);
	}
	if (n == 0)
		return;
	pthread_mutex_lock(&k->lock);
	s->n -= n;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

static const struct keeper_kind sink_kind = { .take = take, .pump = pump, .lost = lost, .after = after };

void *isolate_sink_open(struct pb_self *self, struct pb_error *err)
{
	struct isolated_sink *s = xcalloc(1, sizeof *s);
	s->last = &s->queue;
	s->event = BUF_INIT(BUF_MAX);
	if (keeper_open(&s->keeper, self, &sink_kind, err))
		return s;
	free(s);
	return NULL;
}

/* The batch, to be sent or answered. The lock is held. */
static void add(struct isolated_sink *s, struct pb_delivery *const d[], size_t n)
{
	struct keeper *k = &s->keeper;
	s->n += n;
	for (size_t i = 0; i < n; i++) {
		struct flight *f = xcalloc(1, sizeof *f);
		*f = (struct flight){ .d = d[i], .token = s->token = (s->token + 1) & UINT32_MAX, .more = i + 1 < n };
		*s->last = f;
		s->last = &f->next;
	}
	if (k->state == KEEPER_UP)
		keeper_send(k);
	else if (k->state != KEEPER_RESTARTING)
		while (s->queue != NULL)
			finish(s, take_queued(s), k->state == KEEPER_DOWN ? PB_DOWN : PB_UNTRIED, k->why);
}

void isolate_sink_submit(void *state, struct pb_delivery *const d[], size_t n)
{
	struct isolated_sink *s = state;
	pthread_mutex_lock(&s->keeper.lock);
	add(s, d, n);
	pthread_mutex_unlock(&s->keeper.lock);
	after(&s->keeper);
}

void isolate_sink_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct isolated_sink *s = state;
	isolate_sink_submit(state, d, n);
	pthread_mutex_lock(&s->keeper.lock);
	while (s->n > 0)
		pthread_cond_wait(&s->keeper.changed, &s->keeper.lock);
	pthread_mutex_unlock(&s->keeper.lock);
}

void isolate_sink_stop(void *state)
{
	keeper_stop(&((struct isolated_sink *)state)->keeper);
}

void isolate_sink_reopen(void *state)
{
	keeper_reopen(&((struct isolated_sink *)state)->keeper);
}

void isolate_sink_close(void *state)
{
	struct isolated_sink *s = state;
	keeper_close(&s->keeper);
	buf_free(&s->event);
	free(s);
}
