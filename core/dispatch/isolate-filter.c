/* isolate-filter.c - a filter in a process of its own: one event at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/thread.h"
#include "dispatch/chain.h"
#include "dispatch/isolate.h"
#include "event/codec.h"
#include "event/event.h"

#define SPARE_MS 2000		/* beyond the pause: a process that begins is waited for so long */

struct isolated_filter {
	struct keeper keeper;
	/* The keeper's lock guards all of it. */
	bool asked, answered;
	int64_t token;
	int result;			/* apply()'s */
	char reason[ISOLATE_WHY_SIZE + 256];
	struct parts passed;
	struct buf event;
};

static struct isolated_filter *filter_of(struct keeper *k)
{
	return CONTAINER_OF(k, struct isolated_filter, keeper);
}

static void pump(struct keeper *k)
{
	(void)k;
}

static bool take_passed(struct isolated_filter *f, const struct message *m)
{
	size_t max_event = f->keeper.iso.self->env->max_event;
	if (m->events.n > CHAIN_PARTS_MAX + 1)
		return false;
	for (size_t i = 0; i < m->events.n; i++) {
		struct pb_event *ev = codec_unpack(m->events.at[i]);
		if (ev == NULL)
			return false;
		parts_add(&f->passed, ev);
		if (event_body(ev).len > max_event)
			return false;
	}
	f->result = 0;
	return true;
}

static void fail(struct isolated_filter *f, int result)
{
	parts_free(&f->passed);
	f->result = result;
	f->answered = true;
}

static bool take(struct keeper *k, const struct message *m)
{
	struct isolated_filter *f = filter_of(k);
	if (!f->asked || f->answered || m->token != f->token ||
	    (m->kind != MESSAGE_PASSED && m->kind != MESSAGE_FAILED))
		return false;
	if (m->kind == MESSAGE_PASSED && !take_passed(f, m))
		return false;
	if (m->kind == MESSAGE_FAILED) {
		isolated_text(m->reason, f->reason, sizeof f->reason);
		fail(f, m->retry ? -EAGAIN : -EBADMSG);
	}
	f->answered = true;
	pthread_cond_broadcast(&k->changed);
	return true;
}

static void lost(struct keeper *k)
{
	struct isolated_filter *f = filter_of(k);
	if (!f->asked || f->answered)
		return;
	snprintf(f->reason, sizeof f->reason, "%s", k->why);
	fail(f, -EAGAIN);
}

static const struct keeper_kind filter_kind = { .take = take, .pump = pump, .lost = lost };

void *isolate_filter_open(struct pb_self *self, struct pb_error *err)
{
	struct isolated_filter *f = xcalloc(1, sizeof *f);
	f->event = BUF_INIT(BUF_MAX);
	if (keeper_open(&f->keeper, self, &filter_kind, err))
		return f;
	free(f);
	return NULL;
}

/* One that is being started for the first time in a while is waited for. The lock is held. */
static bool wait_up(struct isolated_filter *f)
{
	struct keeper *k = &f->keeper;
	int64_t until = isolated_now(&k->iso) + isolated_ms(&k->iso, "isolate_pause") + SPARE_MS, left;
	while (k->state == KEEPER_RESTARTING && (left = until - isolated_now(&k->iso)) > 0)
		cond_wait_ms(&k->changed, &k->lock, left);
	return k->state == KEEPER_UP;
}

/* Send it, and wait for what comes of it. The lock is held. */
static void ask(struct isolated_filter *f, const struct pb_event *ev)
{
	struct keeper *k = &f->keeper;
	buf_reset(&f->event);
	int failed = codec_pack(&f->event, ev);
	struct message m = { .kind = MESSAGE_APPLY, .token = ++f->token, .event = buf_span(&f->event) };
	f->asked = true;
	f->answered = false;
	f->reason[0] = '\0';
	if (failed == 0)
		failed = link_add(&k->iso.link, &m);
	if (failed == 0) {
		keeper_send(k);
	} else {
		snprintf(f->reason, sizeof f->reason, failed == -EMSGSIZE ? "too large for its process" : "out of memory");
		fail(f, failed == -EMSGSIZE ? -EBADMSG : -EAGAIN);
	}
	while (!f->answered)
		pthread_cond_wait(&k->changed, &k->lock);
	f->asked = false;
}

int isolate_filter_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct isolated_filter *f = state;
	struct keeper *k = &f->keeper;
	struct parts passed = { 0 };
	pthread_mutex_lock(&k->lock);
	int result = -EAGAIN;
	if (wait_up(f)) {
		ask(f, ev);
		result = f->result;
		passed = f->passed;
		f->passed = (struct parts){ 0 };
		if (result != 0)
			error_add(err, NULL, "%s", f->reason[0] == '\0' ? "failed" : f->reason);
	} else {
		error_add(err, NULL, "%s", k->why);
	}
	pthread_mutex_unlock(&k->lock);
	for (size_t i = 0; i < passed.n; i++)
		stage_pass(k->iso.self, passed.list[i]);
	free(passed.list);
	return result;
}

void isolate_filter_close(void *state)
{
	struct isolated_filter *f = state;
	keeper_close(&f->keeper);
	parts_free(&f->passed);
	buf_free(&f->event);
	free(f);
}
