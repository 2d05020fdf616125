/* sink.c - a program as a sink: its queue and its thread. */
#include "exec/sink.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "exec/kinds.h"

static const struct pb_span nothing = { NULL, 0 };

void sink_queue_init(struct sink_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

void sink_queue_add(struct sink_queue *q, struct sink_item *item)
{
	item->next = NULL;
	*q->last = item;
	q->last = &item->next;
}

struct sink_item *sink_queue_take(struct sink_queue *q)
{
	struct sink_item *item = q->first;
	if (item == NULL)
		return NULL;
	q->first = item->next;
	if (q->first == NULL)
		q->last = &q->first;
	return item;
}

/* Leave out those of a batch that has ended. */
static void drop_ended(struct sink *s, const struct sink_batch *batch)
{
	struct sink_queue kept, dropped;
	struct sink_item *item;
	sink_queue_init(&kept);
	sink_queue_init(&dropped);
	while ((item = sink_queue_take(&s->waiting)) != NULL)
		sink_queue_add(item->batch == batch ? &dropped : &kept, item);
	sink_queue_init(&s->waiting);
	while ((item = sink_queue_take(&kept)) != NULL)
		sink_queue_add(&s->waiting, item);
	while ((item = sink_queue_take(&dropped)) != NULL)
		sink_answer(s, item, PB_UNTRIED, 0, nothing, "behind one that failed");
}

void sink_answer(struct sink *s, struct sink_item *item, enum pb_code code, int64_t after, struct pb_span response,
		 const char *reason)
{
	struct sink_batch *batch = item->batch;
	bool fails = code != PB_OK && code != PB_REJECT, ends = s->strict && fails && !batch->ended;
	pb_answer(item->delivery, batch->ended ? PB_UNTRIED : code, after, response, "%s", reason);
	free(item);
	batch->ended = batch->ended || ends;
	if (--batch->left == 0)
		free(batch);
	else if (ends)
		drop_ended(s, batch);
}

void sink_refuse(struct sink *s, enum pb_code code, const char *reason)
{
	struct sink_item *item;
	for (; (item = sink_queue_take(&s->waiting)) != NULL; code = PB_UNTRIED)
		sink_answer(s, item, code, 0, nothing, reason);
}

static void wake(struct sink *s)
{
	uint64_t one = 1;
	while (write(s->wake, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void sink_woken(struct sink *s)
{
	uint64_t n;
	while (read(s->wake, &n, sizeof n) < 0 && errno == EINTR)
		;
}

void sink_look(struct sink *s, bool *stopping, bool *breaking, bool *reopens)
{
	struct sink_item *item;
	pthread_mutex_lock(&s->lock);
	while ((item = sink_queue_take(&s->submitted)) != NULL)
		sink_queue_add(&s->waiting, item);
	*stopping = s->stopping;
	*breaking = s->breaking;
	*reopens = s->reopens;
	s->reopens = false;
	pthread_mutex_unlock(&s->lock);
}

static struct sink_item *item_new(struct pb_delivery *d, struct sink_batch *batch)
{
	struct sink_item *item = calloc(1, sizeof *item);
	if (item != NULL)
		*item = (struct sink_item){ .delivery = d, .batch = batch, .at = program_now() };
	return item;
}

/* All of it or none, so that a batch is what it was. */
static bool queue_up(struct sink_queue *q, struct pb_delivery *const d[], size_t n)
{
	struct sink_batch *batch = calloc(1, sizeof *batch);
	struct sink_item *item = NULL;
	sink_queue_init(q);
	if (batch == NULL)
		return false;
	batch->left = n;
	for (size_t i = 0; i < n && (item = item_new(d[i], batch)) != NULL; i++)
		sink_queue_add(q, item);
	if (item != NULL)
		return true;
	while ((item = sink_queue_take(q)) != NULL)
		free(item);
	free(batch);
	return false;
}

void sink_submit(void *state, struct pb_delivery *const d[], size_t n)
{
	struct sink *s = state;
	struct sink_queue q;
	struct sink_item *item;
	if (!queue_up(&q, d, n)) {
		for (size_t i = 0; i < n; i++)
			pb_answer(d[i], PB_UNTRIED, 0, nothing, "out of memory");
		return;
	}
	pthread_mutex_lock(&s->lock);
	while ((item = sink_queue_take(&q)) != NULL)
		sink_queue_add(&s->submitted, item);
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

void sink_stop(void *state)
{
	struct sink *s = state;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

void sink_reopen(void *state)
{
	struct sink *s = state;
	pthread_mutex_lock(&s->lock);
	s->reopens = true;
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

void sink_check(struct pb_self *self, struct pb_error *err)
{
	settings_check(self, err);
	if (strcmp(pb_str(self, "input"), "body") == 0 && pb_int(self, "batch") > 1)
		pb_error(err, "batch", "expected 1 with `input = body`, since nothing parts one body from the next");
}

static bool open_program(struct sink *s, struct pb_error *err)
{
	if (s->plain)
		return settings_init(&s->settings, s->self, "sink", err);
	return program_open(&s->program, s->self, "sink", &sink_ops, s, err);
}

static void close_program(struct sink *s)
{
	if (s->plain)
		settings_free(&s->settings);
	else
		program_close(&s->program);
}

/* Signals are the daemon's main thread's. */
static int start_thread(struct sink *s)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&s->thread, NULL, s->plain ? sink_run_plain : sink_talk, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

static void free_all(struct sink *s)
{
	if (s->wake >= 0)
		close(s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void *sink_open(struct pb_self *self, struct pb_error *err)
{
	struct sink *s = calloc(1, sizeof *s);
	if (s == NULL)
		return pb_error(err, NULL, "out of memory");
	*s = (struct sink){
		.self = self, .strict = strcmp(pb_str(self, "order"), "strict") == 0,
		.plain = strcmp(pb_str(self, "format"), "plain") == 0, .timeout = pb_int(self, "timeout"),
		.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .limit = (size_t)pb_int(self, "max_in_flight"),
		.max_sent = 1, .per_process = (size_t)pb_int(self, "batch"),
		.body_only = strcmp(pb_str(self, "input"), "body") == 0,
		.max_response = (size_t)pb_int(self, "max_response"),
	};
	pthread_mutex_init(&s->lock, NULL);
	sink_queue_init(&s->submitted);
	sink_queue_init(&s->waiting);
	if (s->wake < 0) {
		pb_error(err, NULL, "cannot be woken: %s", strerror(errno));
	} else if (open_program(s, err)) {
		int failed = start_thread(s);
		if (failed == 0)
			return s;
		close_program(s);
		pb_error(err, NULL, "no thread can be started: %s", strerror(failed));
	}
	free_all(s);
	return NULL;
}

/* The thread ends the program as well: the kernel would end it with the thread. */
void sink_close(void *state)
{
	struct sink *s = state;
	pthread_mutex_lock(&s->lock);
	s->stopping = s->breaking = true;
	pthread_mutex_unlock(&s->lock);
	wake(s);
	pthread_join(s->thread, NULL);
	close_program(s);
	free_all(s);
}
